"""Relating tickets by hand, and taking a relation back."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from hub.core.sentences import sentence
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Phase, Relation, Ticket
from workflows.incidents import major_incidents

BY_HAND = (Relation.Kind.PARENT, Relation.Kind.CAUSED_BY, Relation.Kind.BLOCKS)
"""The relations that people add and remove; a duplicate is merged, and what follows a ticket was opened from it."""


@transaction.atomic
def add(*, ticket: Ticket, kind: str, other: Ticket, actor: Actor, at: datetime) -> Relation:
    """Make `ticket` `kind` of `other`. NotEditable for a relation of a ticket to itself, or in a circle of parents."""
    if kind not in BY_HAND:
        raise tickets.NotEditable(sentence("Choose how the tickets are related."))
    if ticket.pk == other.pk:
        raise tickets.NotEditable(sentence("A ticket cannot be related to itself."))
    if Phase.CANCELLED in (ticket.phase, other.phase):
        gone = ticket if ticket.phase == Phase.CANCELLED else other
        raise tickets.NotEditable(sentence("%(label)s is cancelled and can no longer be edited.", label=gone.label))
    if kind == Relation.Kind.PARENT:
        major_incidents.gather(parent=ticket, children=[other], actor=actor, at=at)
        return Relation.objects.get(from_ticket=ticket, to_ticket=other, kind=kind)
    if Relation.objects.filter(from_ticket=other, to_ticket=ticket, kind=kind).exists():
        raise tickets.NotEditable(
            sentence("%(other)s has the opposite relation to %(ticket)s.", other=other.label, ticket=ticket.label)
        )
    return tickets.relate(ticket=ticket, other=other, kind=kind, actor=actor, at=at)


def remove(*, relation: Relation, actor: Actor, at: datetime) -> None:
    """Take a relation back. NotEditable for one that people do not add."""
    if relation.kind not in BY_HAND:
        raise tickets.NotEditable(sentence("This relation is part of the history and stays."))
    tickets.unrelate(relation=relation, actor=actor, at=at)
