"""Reads incoming mail. Signed evidence says where a message belongs; who sent it is a separate question.

A message that cannot be used is parked with the reason, for a person. No message is ever answered.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.engine.inbound import heard_mail, reconcile
from connectors.engine.inbound.inbound_notes import LARGEST_FILE
from connectors.engine.inbound.inbox import LeftAlone
from connectors.kit.contract import MailConnector, ParsedMail, RemoteFile, RemoteNote, RemoteTicket
from connectors.kit.errors import Refused
from connectors.models import AwaitedFile, Connection, Inbound, Link, NoteRule, Outbound
from hub.core.clock import now
from hub.core.sentences import sentence
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import User
from workflows.handoffs import comments
from workflows.notifications import notify


def read(row: Inbound, connector: MailConnector) -> Link | None:
    """Read one message; LeftAlone says why it is ignored, Refused why it waits for a person."""
    letter = connector.parse_mail(bytes(row.body))
    seen = {"read": dict(letter.evidence), "kind": letter.kind, "action": letter.action, "leg": letter.leg}
    Inbound.objects.filter(pk=row.pk).update(headers=row.headers | seen)
    if letter.action == "ignore":
        answered = _link(row.connection, letter) if letter.kind == "auto_reply" and letter.is_theirs else None
        if answered is not None:
            heard_mail.automatic(answered, letter)
        raise LeftAlone(letter.why)
    if letter.action == "delivery_failed":
        return _undelivered(row.connection, letter)
    link = _link(row.connection, letter) if letter.leg else None
    if letter.leg and link is None:
        if Link.objects.filter(leg__public_id=letter.leg).exclude(connection=row.connection).exists():
            raise LeftAlone(sentence("It belongs to another connection, which reads it as well."))
        raise Refused(sentence("It carries one of our tags, but the engagement it names is not linked to this vendor."))
    if link is None and letter.is_theirs:
        link = heard_mail.answered(row.connection, letter)
    _refuse_unproven(row, link, letter)
    found = _followed(row, link, letter) if link is not None else _adopted(row, letter)
    if found is not None and letter.is_theirs:
        heard_mail.remember(found, letter)
    if found is not None and not letter.is_theirs:
        _remember_voucher(row, found, letter)
    if found is not None and letter.is_answered_inline:
        _tell_inline(row, found, letter)
    if found is not None and letter.files:
        # What was too large lies in the letter, and can be taken from there.
        mine = AwaitedFile.objects.filter(link=found, remote_key__startswith=f"{letter.key[:60]}.")
        mine.update(inbound=row)
    return found


def _refuse_unproven(row: Inbound, link: Link | None, letter: ParsedMail) -> None:
    """LeftAlone or Refused for a message that is held, or whose sender is neither proven nor vouched for."""
    if letter.action == "hold":
        if link is None and not _is_first(row.connection):
            raise LeftAlone(sentence("Another connection on this mailbox holds it for a person."))
        raise Refused(letter.why)
    if not letter.is_theirs and "vouched" not in row.headers:
        if link is None and not _is_first(row.connection):
            raise LeftAlone(
                sentence("It is not from this vendor; another connection on this mailbox holds it for a person.")
            )
        raise Refused(sentence("%(doubt)s It changed nothing.", doubt=letter.doubt))


def _tell_inline(row: Inbound, link: Link, letter: ParsedMail) -> None:
    """Words between lines of ours are not taken; our own people are told where to read them."""
    said = _(
        "%(who)s also wrote between the lines of our mail. Those words are not here; read them in the mail: %(url)s"
    )
    told = {"who": letter.author or letter.sender, "url": f"{settings.PUBLIC_URL}/sync/inbound/{row.pk}/"}
    comments.comment(ticket=link.leg.ticket, body=said % told, actor=Actor.system("mail"), at=now())


def _remember_voucher(row: Inbound, link: Link, letter: ParsedMail) -> None:
    """Who took a letter that its sender does not prove stands on the ticket, for our own people."""
    told = row.headers["vouched"]
    said = _("%(name)s vouched for the mail of %(sender)s: %(reason)s (%(doubt)s)") % {
        "name": told["name"],
        "sender": letter.sender or _("an unknown sender"),
        "reason": told["reason"],
        "doubt": letter.doubt,
    }
    user = User.objects.filter(public_id=told["user"]).first()
    actor = Actor.person(user, tickets.us()) if user else Actor.system("mail")
    comments.comment(ticket=link.leg.ticket, body=said, actor=actor, at=now())


def _link(connection: Connection, letter: ParsedMail) -> Link | None:
    found = Link.objects.filter(connection=connection, leg__public_id=letter.leg)
    return found.select_related("leg__ticket", "connection__organisation").first()


def _is_first(connection: Connection) -> bool:
    """Of several connections that read one mailbox, one keeps what belongs to none."""
    same = [
        row.pk
        for row in Connection.objects.filter(connector=connection.connector, state=Connection.State.ACTIVE)
        if all(row.settings.get(name) == connection.settings.get(name) for name in ("imap_host", "user"))
    ]
    return not same or min(same) == connection.pk


def _undelivered(connection: Connection, letter: ParsedMail) -> Link:
    """A message of ours did not arrive: its delivery has failed, and a person sees why."""
    told = letter.evidence.get("diagnosis") or sentence("no reason given")
    who = ", ".join(letter.failing) or sentence("an unknown address")
    why = sentence(
        "It could not be delivered to %(address)s: %(reason)s. Correct the address, then try again.",
        address=who,
        reason=told,
    )
    link = _link(connection, letter) if letter.leg else None
    if link is None and notify.bounced(list(letter.failing), diagnosis=told, at=timezone.now()):
        raise LeftAlone(
            sentence(
                "A notice to %(address)s could not be delivered; nothing more is sent to that address: %(reason)s.",
                address=who,
                reason=told,
            )
        )
    if link is None:
        raise LeftAlone(
            sentence("A message that was not sent from here could not be delivered to %(address)s.", address=who)
        )
    items = Outbound.objects.filter(link=link, state__in=[Outbound.State.DONE, Outbound.State.UNCLEAR])
    item = items.filter(public_id__endswith=letter.operation).first() if letter.operation else None
    if item is None and letter.operation == link.leg.public_id[-len(letter.operation) :]:
        item = items.filter(kind=Outbound.Kind.CREATE).first()
    if item is None:
        raise LeftAlone(why)
    Outbound.objects.filter(pk=item.pk).update(
        state=Outbound.State.PARKED, error=why, next_attempt_at=None, intent_at=None, intent={}, done_at=None
    )
    return link


def _followed(row: Inbound, link: Link, letter: ParsedMail) -> Link | None:
    """What they wrote is a note, what they said of their work is a status; nothing else changes."""
    at = now()
    heard = dict(link.heard) | ({"status": letter.status} if letter.status else {})
    remote = RemoteTicket(
        key=link.remote_key or f"mail-{link.leg.public_id.lower()}",
        number=link.leg.remote_number,
        url="",
        fields=heard,
        created_at=link.born_at or at,
        changed_at=at,
        author=letter.author,
        reference=link.agreed.get("reference", {}).get("theirs", link.reference),
        notes=_notes(row, letter, at),
        files=_files(row, letter, at),
    )
    return reconcile.apply(connection=row.connection, remote=remote, at=at, contents=_contents(letter))


def _adopted(row: Inbound, letter: ParsedMail) -> Link | None:
    """A new letter of theirs becomes a ticket, if the connection takes such in."""
    at = now()
    remote = RemoteTicket(
        key=f"mail.{letter.key[:40]}",
        number="",
        url="",
        fields={"title": letter.subject or "(no subject)", "description": letter.text},
        created_at=_sent(letter, at),
        changed_at=at,
        author=letter.author,
        notes=(),
        files=_files(row, letter, at),
    )
    return reconcile.apply(connection=row.connection, remote=remote, at=at, contents=_contents(letter))


def _sent(letter: ParsedMail, at: datetime) -> datetime:
    """When it was sent, as far as that can be: never in the future."""
    return min(letter.sent_at or at, at)


def _visibility(connection: Connection) -> str:
    rule = NoteRule.objects.filter(mapping__connection=connection, mapping__status="published").first()
    return rule.theirs if rule is not None else ""


def _notes(row: Inbound, letter: ParsedMail, at: datetime) -> tuple[RemoteNote, ...]:
    if not letter.text.strip():
        return ()
    note = RemoteNote(
        key=letter.key[:64],
        text=letter.text,
        visibility=_visibility(row.connection),
        author=letter.author,
        is_ours=False,
        created_at=_sent(letter, at),
    )
    return (note,)


def _files(row: Inbound, letter: ParsedMail, at: datetime) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(
            key=f"{letter.key[:60]}.{number}",
            name=name,
            size=len(content),
            visibility=_visibility(row.connection),
            author=letter.author,
            is_ours=False,
            created_at=_sent(letter, at),
        )
        for number, (name, content) in enumerate(letter.files)
    )


def _contents(letter: ParsedMail) -> dict[str, bytes]:
    return {
        f"{letter.key[:60]}.{number}": content
        for number, (_each, content) in enumerate(letter.files)
        if len(content) <= LARGEST_FILE
    }
