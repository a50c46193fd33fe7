"""In which roles somebody acts on a ticket: a transition says which of them may use it."""

from __future__ import annotations

from hub.domain.actors import Actor
from hub.models import ActorKind, Membership, Ticket, User

MACHINE = "machine"
"""The system itself: timers, rules, alerts. No transition is closed to it because of its role."""
MACHINES = frozenset({ActorKind.TIMER, ActorKind.SYSTEM})


def roles(actor: Actor, ticket: Ticket) -> frozenset[str]:
    """The roles in which this actor acts on this ticket. An API has those it was given: none, until it has a token."""
    if actor.kind in MACHINES:
        return frozenset({MACHINE})
    if actor.kind == ActorKind.VENDOR:
        return frozenset({str(Membership.Role.VENDOR)})
    user = User.objects.filter(public_id=actor.id).first() if actor.kind == ActorKind.PERSON else None
    return roles_on(user, ticket) if user is not None else frozenset()


def roles_on(user: User, ticket: Ticket) -> frozenset[str]:
    """The roles this person has with us, and that of the requester where the ticket is theirs."""
    found = set(roles_of(user))
    if ticket.requester is not None and ticket.requester.user_id == user.pk:
        found.add(str(Membership.Role.REQUESTER))
    return frozenset(found)


def roles_of(user: User) -> set[str]:
    """The roles somebody has with us; a superuser has all of them."""
    if user.is_superuser:
        return {str(role) for role in Membership.Role.values}
    return {seat.role for seat in user.seats if seat.is_us}
