"""Who may see what: one function per object, asked by console, API and admin alike.

Members of our own organisation see everything. A vendor's members see the tickets on which their
organisation has a leg, and of them what is said to that leg; of the tickets of a predecessor that were
shared with it what every later organisation may read. A requester sees their own tickets and what is
said to them.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet
from django.http import Http404

from hub.models import FOR_LATER, HistoryShare, Leg, Membership, Message, Organisation, Ticket, User
from hub.queries import roles


class NotAllowed(Exception):
    """Theirs to see, not theirs to change."""


def sees_everything(user: User) -> bool:
    return user.is_superuser or any(seat.is_us and seat.role in roles.READING for seat in user.seats)


def may_work(user: User) -> bool:
    """Whether this person acts for our organisation: moves, hands over, comments."""
    return user.is_superuser or any(seat.is_us and seat.role in roles.WORKING for seat in user.seats)


def may_acknowledge(user: User) -> bool:
    """Whether this person may say of an escalation that they see to it: executives are told of them, too."""
    return user.is_superuser or any(seat.is_us and seat.role in roles.ACKNOWLEDGING for seat in user.seats)


def may_decide(user: User, owner: User | None) -> bool:
    """Whether this person may end a dispute: its decision owner and managers, or whoever works where nobody owns it."""
    if user.is_superuser or any(seat.is_us and seat.role in roles.DECIDING for seat in user.seats):
        return True
    return user == owner if owner is not None and owner.is_active else may_work(user)


def known_organisations(user: User) -> frozenset[int] | None:
    """Whose names this person may read: None for all, else their own organisations and ours."""
    if sees_everything(user):
        return None
    own = frozenset(seat.organisation_id for seat in user.seats)
    return own | frozenset(Organisation.objects.filter(is_us=True).values_list("pk", flat=True))


def is_of_a_vendor(user: User) -> bool:
    return bool(_vendors(user))


def _vendors(user: User) -> list[int]:
    """The vendors this person is of. A vendor at our own organisation there cannot be; such a row gives no right."""
    return [seat.organisation_id for seat in user.seats if seat.role == Membership.Role.VENDOR and not seat.is_us]


def visible_tickets(user: User) -> QuerySet[Ticket]:
    if sees_everything(user):
        return Ticket.objects.all()
    vendors = _vendors(user)
    theirs = Q(pk__in=Leg.objects.filter(organisation__in=vendors).values("ticket"))
    return Ticket.objects.filter(theirs | Q(pk__in=_shared(vendors).values("ticket")) | Q(requester__user=user))


def _shared(organisations: list[int]) -> QuerySet[HistoryShare]:
    return HistoryShare.objects.filter(organisation__in=organisations, ended_at=None)


def shared_until(user: User, ticket: Ticket) -> datetime | None:
    """Up to when this person may read the ticket, where that is only because it was shared with a successor.

    None for everybody with a part in it. What happens after it was shared is not of the past.
    """
    if sees_everything(user) or (ticket.requester is not None and ticket.requester.user_id == user.pk):
        return None
    vendors = _vendors(user)
    if Leg.objects.filter(ticket=ticket, organisation__in=vendors).exists():
        return None
    latest = _shared(vendors).filter(ticket=ticket).order_by("-shared_at").first()
    return latest.shared_at if latest is not None else None


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
    shared = _shared(vendors).filter(ticket=ticket).order_by("-shared_at").first()
    if shared is not None:
        told |= FOR_LATER & Q(recorded_at__lte=shared.shared_at)
    return messages.filter(told).distinct()


def visible_legs(user: User, ticket: Ticket) -> QuerySet[Leg]:
    """Engagements on a ticket: all of them for us, their own for a vendor, none for a requester."""
    legs = Leg.objects.filter(ticket=ticket)
    return legs if sees_everything(user) else legs.filter(organisation__in=_vendors(user))
