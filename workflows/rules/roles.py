"""The roles in which somebody acts on a ticket; a transition lists the roles that may use it."""

from __future__ import annotations

from django.db.models import QuerySet

from hub.core import statements
from hub.domain.actors import Actor
from hub.models import ActorKind, Membership, Ticket, User

MACHINE = "machine"
"""The role of the hub itself: timers, rules, alerts. No transition is refused because of this role."""
MACHINES = frozenset({ActorKind.TIMER, ActorKind.SYSTEM})


def roles(actor: Actor, ticket: Ticket) -> frozenset[str]:
    """The roles in which this actor acts on this ticket. Actors of the kind “api” have none."""
    if actor.kind in MACHINES:
        return frozenset({MACHINE})
    if actor.kind == ActorKind.VENDOR:
        return frozenset({str(Membership.Role.VENDOR)})
    user = _user.first(actor.id) if actor.kind == ActorKind.PERSON else None
    return roles_on(user, ticket) if user is not None else frozenset()


@statements.select
def _user(public_id: str) -> QuerySet[User]:
    return User.objects.filter(public_id=public_id)


def roles_on(user: User, ticket: Ticket) -> frozenset[str]:
    """The roles this person has in our organisation, and “requester” if this person requested the ticket."""
    found = set(roles_of(user))
    if ticket.requester is not None and ticket.requester.user_id == user.pk:
        found.add(str(Membership.Role.REQUESTER))
    return frozenset(found)


def roles_of(user: User) -> set[str]:
    """The roles of a user in our organisation; a superuser has all roles."""
    if user.is_superuser:
        return {str(role) for role in Membership.Role.values}
    return {seat.role for seat in user.seats if seat.is_us}
