"""What a person can do about an outbound item that is parked."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from connectors.engine import mapping, outbox
from connectors.engine.mapping import agreement, field_names
from connectors.models import Link, Outbound
from hub.core.clock import now
from hub.core.sentences import sentence
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Leg, Message
from hub.translation import localized
from workflows.handoffs import briefing, comments


@transaction.atomic
def retry(item: Outbound) -> None:
    """Queue a parked item again. Items for a record that the vendor merged stay parked."""
    # Without a join, PostgreSQL checks again that the item is parked, after waiting for somebody who skips it.
    merged = Link.objects.filter(pk=item.link_id, state=Link.State.ALIAS)
    Outbound.objects.filter(pk=item.pk, state=Outbound.State.PARKED).exclude(link__in=merged).update(
        state=Outbound.State.READY, attempts=0, next_attempt_at=timezone.now(), error=""
    )
    outbox.wake(item.link)


@transaction.atomic
def skip(item: Outbound, *, why: str) -> None:
    """Skip a parked item for the given reason; the later items of its lane continue."""
    Outbound.objects.filter(pk=item.pk, state=Outbound.State.PARKED).update(
        state=Outbound.State.SKIPPED, done_at=timezone.now(), error=why
    )
    outbox.wake(item.link)


@transaction.atomic
def say_as_comment(item: Outbound, *, actor: Actor) -> Message:
    """Send the content of a parked change of fields, or a note about a parked file, as a comment; skip the item.

    ValueError if the item is something else or is not parked. The comment is in the active language.
    """
    item = Outbound.objects.select_related("link__leg__ticket", "link__connection", "attachment").get(pk=item.pk)
    if item.state != Outbound.State.PARKED or item.kind not in (Outbound.Kind.FIELDS, Outbound.Kind.FILE):
        raise ValueError(sentence("Only a parked change of fields or a parked file can be sent as a comment."))
    message = comments.comment(
        ticket=item.link.leg.ticket, body=_in_words(item), legs=[item.link.leg], actor=actor, at=now()
    )
    skip(item, why=sentence("Sent as a comment instead. %(error)s", error=item.error))
    return message


@transaction.atomic
def send_edited(item: Outbound, *, body: str, actor: Actor) -> Message:
    """Replace the message of a parked note by an edited one for the same audience, and send that one.

    Wherever the old message has not been sent yet, it is skipped. ValueError if the item is not such a note.
    """
    old = item.message
    if old is not None:
        tickets.locked(old.ticket)  # always before its outbound items
    item = Outbound.objects.get(pk=item.pk)
    if item.state != Outbound.State.PARKED or item.kind != Outbound.Kind.NOTE or old is None:
        raise ValueError(sentence("Only a message that the vendor has refused can be edited here."))
    if not old.author_organisation.is_us or old.author_person_id is not None or old.withdrawn_at is not None:
        raise ValueError(sentence("Only a message of our own organisation that is still valid can be edited."))
    if hasattr(old, "superseded_by"):
        raise ValueError(sentence("The message has been edited already; reload the page."))
    made = messages.say(
        ticket=old.ticket,
        body=body,
        actor=actor,
        at=now(),
        is_for_requester=old.is_for_requester,
        is_for_later_legs=old.is_for_later_legs,
        legs=list(old.legs.all()),
        supersedes=old,
    )
    unsent = Q(state=Outbound.State.PARKED) | Q(state=Outbound.State.READY, intent_at=None)
    rows = Outbound.objects.filter(unsent, message=old, kind=Outbound.Kind.NOTE).select_related("link")
    for row in rows:
        still = Outbound.objects.filter(unsent, pk=row.pk)
        still.update(
            state=Outbound.State.SKIPPED, done_at=timezone.now(), error=sentence("Replaced by an edited message.")
        )
        outbox.wake(row.link)
    return made


def _in_words(item: Outbound) -> str:
    if item.is_pack:
        return briefing.beside_description(item.link.leg.pack) or item.link.leg.brief
    if item.attachment is not None:
        text = _("The file %(name)s could not be attached in your system. Ask us to send it another way.")
        return text % {"name": item.attachment.name}
    link = item.link
    mapped = mapping.published(link.connection)
    ticket, leg = link.leg.ticket, Leg.objects.get(pk=link.leg_id)
    lines = [
        _("%(field)s: %(value)s")
        % {
            "field": capfirst(localized(field_names.name_of(field))),
            "value": mapping.shown_value(field, ours),
        }
        for field, ours in agreement.changed_here(link, mapped, ticket, leg).items()
    ]
    if not lines:
        return _("A change was made in Ticket Hub and has been reverted since.")
    return "\n".join([_("Changed in Ticket Hub:"), *lines])
