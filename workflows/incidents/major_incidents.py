"""Major incidents and problems: one parent ticket with child tickets, and messages to all of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import OPEN, OPEN_STAGES, EventKind, Leg, Message, Relation, Ticket
from workflows.handoffs import comments


@transaction.atomic
def declare(*, ticket: Ticket, is_major: bool, actor: Actor, at: datetime) -> Ticket:
    """Declare a ticket a major incident, or end its major incident. No change if it is already in that state."""
    ticket = tickets.locked(ticket)
    if ticket.is_major == is_major:
        return ticket
    if not ticket.is_open:
        raise tickets.NotEditable(
            _("%(ticket)s is no longer open; only an open ticket can be a major incident.") % {"ticket": ticket.label}
        )
    ticket.is_major = is_major
    history.record(
        ticket=ticket,
        kind=EventKind.MAJOR_CHANGED,
        payload={"is_major": int(is_major)},
        actor=actor,
        at=at,
        saving=["is_major"],
    )
    return ticket


@transaction.atomic
def gather(*, parent: Ticket, children: list[Ticket], actor: Actor, at: datetime) -> int:
    """Make tickets child tickets of a parent; returns how many are new.

    NotEditable if the parent is not open, or for a child that is the parent itself or one of its ancestors.
    """
    if not parent.is_open:
        raise tickets.NotEditable(
            _("%(ticket)s is no longer open and takes no new child tickets.") % {"ticket": parent.label}
        )
    above = {ticket.pk for ticket in _above(parent)}
    made = 0
    for child in children:
        if child.pk == parent.pk:
            raise tickets.NotEditable(_("A ticket cannot be its own child ticket."))
        if child.pk in above:
            raise tickets.NotEditable(
                _("%(child)s is already a parent of %(parent)s.") % {"child": child.label, "parent": parent.label}
            )
        before = Relation.objects.filter(from_ticket=parent, to_ticket=child, kind=Relation.Kind.PARENT).exists()
        tickets.relate(ticket=parent, other=child, kind=Relation.Kind.PARENT, actor=actor, at=at)
        made += not before
    return made


def _above(ticket: Ticket) -> Iterator[Ticket]:
    """The ancestors of a ticket, nearest first."""
    seen: set[int] = set()
    waiting = [ticket.pk]
    while waiting:
        rows = Ticket.objects.filter(relations__to_ticket__in=waiting, relations__kind=Relation.Kind.PARENT).exclude(
            pk__in=seen
        )
        waiting = []
        for row in rows:
            if row.pk not in seen:
                seen.add(row.pk)
                waiting.append(row.pk)
                yield row


def children(parent: Ticket) -> list[Ticket]:
    """The child tickets, oldest first, open or not."""
    rows = Ticket.objects.filter(related_from__from_ticket=parent, related_from__kind=Relation.Kind.PARENT)
    return list(rows.select_related("status", "holder", "requester").order_by("pk"))


@transaction.atomic
def broadcast(*, ticket: Ticket, body: str, actor: Actor, at: datetime, is_for_requesters: bool = False) -> int:
    """Add one message to the parent and to every open child ticket, for every organisation engaged on each.

    Returns the number of tickets. Requesters receive the message only with `is_for_requesters`.
    """
    count = 0
    for each in [ticket, *children(ticket)]:
        if each.phase not in OPEN:
            continue
        legs = list(Leg.objects.filter(ticket=each, stage__in=OPEN_STAGES).order_by("number"))
        comments.comment(
            ticket=each,
            body=body,
            actor=actor,
            at=at,
            legs=legs,
            is_for_requester=is_for_requesters and each.requester_id is not None,
        )
        count += 1
    return count


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An engagement on a parent or child ticket, with the organisation's last message."""

    ticket: Ticket
    leg: Leg
    message: Message | None


def answers(parent: Ticket) -> list[Answer]:
    """Every engagement on the parent and its child tickets, with the organisation's last message on that ticket."""
    legs = Leg.objects.filter(
        Q(ticket=parent) | Q(ticket__related_from__from_ticket=parent, ticket__related_from__kind=Relation.Kind.PARENT)
    ).select_related("ticket__status", "organisation")
    rows = list(legs.distinct().order_by("organisation__name", "pk"))
    last_messages = {
        (message.ticket_id, message.author_organisation_id): message
        for message in Message.objects.filter(ticket__in={leg.ticket_id for leg in rows}).order_by("pk")
    }
    return [
        Answer(ticket=leg.ticket, leg=leg, message=last_messages.get((leg.ticket_id, leg.organisation_id)))
        for leg in rows
    ]
