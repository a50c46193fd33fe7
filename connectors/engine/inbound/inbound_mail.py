"""Reads incoming e-mails. Signed evidence shows where an e-mail belongs; who sent it is checked separately.

An e-mail that cannot be used is parked for a person, with the reason. No e-mail is ever replied to.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.engine.inbound import linked_mail, reconcile
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
from hub.translation import localized
from workflows.handoffs import comments
from workflows.notifications import notify


def read(row: Inbound, connector: MailConnector) -> Link | None:
    """Read one e-mail; LeftAlone says why it is ignored, Refused why it waits for a person."""
    letter = connector.parse_mail(bytes(row.body))
    seen = {"read": dict(letter.evidence), "kind": letter.kind, "action": letter.action, "leg": letter.leg}
    Inbound.objects.filter(pk=row.pk).update(headers=row.headers | seen)
    if letter.action == "ignore":
        answered = _link(row.connection, letter) if letter.kind == "auto_reply" and letter.is_theirs else None
        if answered is not None:
            linked_mail.automatic(answered, letter)
        raise LeftAlone(letter.why)
    if letter.action == "delivery_failed":
        return _undelivered(row.connection, letter)
    link = _link(row.connection, letter) if letter.leg else None
    if letter.leg and link is None:
        if Link.objects.filter(leg__public_id=letter.leg).exclude(connection=row.connection).exists():
            raise LeftAlone(sentence("This e-mail belongs to another connection, which also reads it."))
        raise Refused(
            sentence("This e-mail contains one of our reference tags, but its engagement is not linked to this vendor.")
        )
    if link is None and letter.is_theirs:
        link = linked_mail.answered(row.connection, letter)
    _refuse_unproven(row, link, letter)
    found = _followed(row, link, letter) if link is not None else _adopted(row, letter)
    if found is not None and letter.is_theirs:
        linked_mail.remember(found, letter)
    if found is not None and not letter.is_theirs:
        _remember_voucher(row, found, letter)
    if found is not None and letter.is_answered_inline:
        _tell_inline(row, found, letter)
    if found is not None and letter.files:
        # Files that were too large can be fetched from the stored e-mail later.
        mine = AwaitedFile.objects.filter(link=found, remote_key__startswith=f"{letter.key[:60]}.")
        mine.update(inbound=row)
    return found


def _refuse_unproven(row: Inbound, link: Link | None, letter: ParsedMail) -> None:
    """LeftAlone or Refused for an e-mail that is held, or whose sender is neither proven nor vouched for."""
    if letter.action == "hold":
        if link is None and not _is_first(row.connection):
            raise LeftAlone(sentence("Another connection to this mailbox holds this e-mail for manual review."))
        raise Refused(letter.why)
    if not letter.is_theirs and "vouched" not in row.headers:
        if link is None and not _is_first(row.connection):
            raise LeftAlone(
                sentence(
                    "This e-mail is not from this vendor. Another connection to this mailbox holds it for manual "
                    "review."
                )
            )
        raise Refused(sentence("%(doubt)s The e-mail had no effect.", doubt=letter.doubt))


def _tell_inline(row: Inbound, link: Link, letter: ParsedMail) -> None:
    """Tell our own people where to read text between quoted lines of ours, which is not copied to the ticket."""
    said = _(
        "%(who)s also wrote between the quoted lines of our e-mail. That text is not shown here. Read it in the "
        "e-mail: %(url)s"
    )
    told = {"who": letter.author or letter.sender, "url": f"{settings.PUBLIC_URL}/sync/inbound/{row.pk}/"}
    comments.comment(ticket=link.leg.ticket, body=said % told, actor=Actor.system("mail"), at=now())


def _remember_voucher(row: Inbound, link: Link, letter: ParsedMail) -> None:
    """Write on the ticket, for our own people, who accepted an e-mail whose sender is not proven, and why."""
    told = row.headers["vouched"]
    said = _("%(name)s confirmed that the e-mail from %(sender)s is genuine: %(reason)s (%(doubt)s)") % {
        "name": told["name"],
        "sender": letter.sender or _("an unknown sender"),
        "reason": told["reason"],
        "doubt": localized(letter.doubt),
    }
    user = User.objects.filter(public_id=told["user"]).first()
    actor = Actor.person(user, tickets.us()) if user else Actor.system("mail")
    comments.comment(ticket=link.leg.ticket, body=said, actor=actor, at=now())


def _link(connection: Connection, letter: ParsedMail) -> Link | None:
    found = Link.objects.filter(connection=connection, leg__public_id=letter.leg)
    return found.select_related("leg__ticket", "connection__organisation").first()


def _is_first(connection: Connection) -> bool:
    """Whether this is the connection that keeps e-mails that belong to none of those reading the same mailbox."""
    same = [
        row.pk
        for row in Connection.objects.filter(connector=connection.connector, state=Connection.State.ACTIVE)
        if all(row.settings.get(name) == connection.settings.get(name) for name in ("imap_host", "user"))
    ]
    return not same or min(same) == connection.pk


def _undelivered(connection: Connection, letter: ParsedMail) -> Link:
    """Park the outbound item that a bounce is about; LeftAlone if it is about none of this connection."""
    told = letter.evidence.get("diagnosis") or sentence("no reason given")
    who = ", ".join(letter.failing) or sentence("an unknown address")
    why = sentence(
        "The e-mail could not be delivered to %(address)s: %(reason)s. Correct the address, then try again.",
        address=who,
        reason=told,
    )
    link = _link(connection, letter) if letter.leg else None
    if link is None and notify.bounced(list(letter.failing), diagnosis=told, at=timezone.now()):
        raise LeftAlone(
            sentence(
                "A notice to %(address)s could not be delivered: %(reason)s. Nothing more is sent to this address.",
                address=who,
                reason=told,
            )
        )
    if link is None:
        raise LeftAlone(
            sentence("A message that Ticket Hub did not send could not be delivered to %(address)s.", address=who)
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
    """Follow an e-mail on a link: its text is a note, and what it says about the work is a status."""
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
    """Import an e-mail that belongs to no link as a ticket, if the connection imports such e-mails."""
    at = now()
    remote = RemoteTicket(
        key=f"mail.{letter.key[:40]}",
        number="",
        url="",
        fields={"title": letter.subject or _("(no subject)"), "description": letter.text},
        created_at=_sent(letter, at),
        changed_at=at,
        author=letter.author,
        notes=(),
        files=_files(row, letter, at),
    )
    return reconcile.apply(connection=row.connection, remote=remote, at=at, contents=_contents(letter))


def _sent(letter: ParsedMail, at: datetime) -> datetime:
    """When it was sent; never in the future."""
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
