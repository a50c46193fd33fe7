"""Who may see what: one function per object, asked by console, API and admin alike.

Members of our own organisation see everything. A vendor's members see the tickets on which their
organisation has a leg, and of them what is said to that leg. A requester sees their own tickets and
what is said to them.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.http import Http404

from hub.models import Leg, Membership, Message, Ticket, User

OURS = (Membership.Role.MANAGER, Membership.Role.AGENT, Membership.Role.ADMIN)
LOOKING = (*OURS, Membership.Role.EXECUTIVE, Membership.Role.AUDITOR)


class NotAllowed(Exception):
    """Theirs to see, not theirs to change."""


def sees_everything(user: User) -> bool:
    return user.is_superuser or user.memberships.filter(role__in=LOOKING, organisation__is_us=True).exists()


def may_work(user: User) -> bool:
    """Whether this person acts for our organisation: moves, hands over, comments."""
    return user.is_superuser or user.memberships.filter(role__in=OURS, organisation__is_us=True).exists()


def _vendors(user: User) -> list[int]:
    return list(user.memberships.filter(role=Membership.Role.VENDOR).values_list("organisation_id", flat=True))


def visible_tickets(user: User) -> QuerySet[Ticket]:
    if sees_everything(user):
        return Ticket.objects.all()
    theirs = Q(pk__in=Leg.objects.filter(organisation__in=_vendors(user)).values("ticket"))
    return Ticket.objects.filter(theirs | Q(requester__user=user))


def get_ticket_for(user: User, public_id: str) -> Ticket:
    """The ticket, or 404 where it is not theirs to see."""
    found = (
        visible_tickets(user)
        .select_related("status", "owner", "holder", "service", "requester__organisation", "asset", "site", "team")
        .filter(public_id=public_id)
        .first()
    )
    if found is None:
        raise Http404("There is no such ticket for you.")
    return found


def visible_messages(user: User, ticket: Ticket) -> QuerySet[Message]:
    """What was said on a ticket, as far as this person may read it."""
    messages = Message.objects.filter(ticket=ticket)
    if sees_everything(user):
        return messages
    vendors = _vendors(user)
    told = Q(legs__organisation__in=vendors) | Q(author_organisation__in=vendors)
    if ticket.requester is not None and ticket.requester.user_id == user.pk:
        told |= Q(is_for_requester=True)
    return messages.filter(told).distinct()


def visible_legs(user: User, ticket: Ticket) -> QuerySet[Leg]:
    """Engagements on a ticket: all of them for us, their own for a vendor, none for a requester."""
    legs = Leg.objects.filter(ticket=ticket)
    return legs if sees_everything(user) else legs.filter(organisation__in=_vendors(user))
