"""Who may see what, for console, API and admin: one function per kind of object.

Members of our own organisation see everything. A vendor's members see the tickets on which their organisation has an
engagement, with the messages for that engagement; of a predecessor's tickets shared with it they see what every later
organisation may read. A requester sees their own tickets and the messages for the requester.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404

from hub.core import statements
from hub.models import FOR_LATER, HistoryShare, Leg, Membership, Message, Organisation, Person, Ticket, User
from hub.queries import roles


class NotAllowed(Exception):
    """The person may see it, but not change it."""


def sees_everything(user: User) -> bool:
    """Whether this person may read every ticket, as members of our organisation can."""
    return user.is_superuser or any(seat.is_us and seat.role in roles.READING for seat in user.seats)


def may_work(user: User) -> bool:
    """Whether this person may work on tickets for our organisation: change, hand over, comment."""
    return user.is_superuser or any(seat.is_us and seat.role in roles.WORKING for seat in user.seats)


def may_acknowledge(user: User) -> bool:
    """Whether this person may acknowledge escalations; executives may, since escalations notify them, too."""
    return user.is_superuser or any(seat.is_us and seat.role in roles.ACKNOWLEDGING for seat in user.seats)


def may_decide(user: User, owner: User | None) -> bool:
    """Whether this person may decide a joint triage: managers and its owner, or everybody who works if it has none."""
    if user.is_superuser or any(seat.is_us and seat.role in roles.DECIDING for seat in user.seats):
        return True
    return user == owner if owner is not None and owner.is_active else may_work(user)


def known_organisations(user: User) -> frozenset[int] | None:
    """Keys of the organisations whose names this person may read: their own and ours; None for all."""
    if sees_everything(user):
        return None
    own = frozenset(seat.organisation_id for seat in user.seats)
    return own | frozenset(Organisation.objects.filter(is_us=True).values_list("pk", flat=True))


def is_of_a_vendor(user: User) -> bool:
    """Whether this person acts for a vendor."""
    return bool(_vendors(user))


def _vendors(user: User) -> list[int]:
    """Keys of the vendors this person acts for. The role “vendor” at our own organisation grants nothing."""
    return [seat.organisation_id for seat in user.seats if seat.role == Membership.Role.VENDOR and not seat.is_us]


def visible_tickets(user: User) -> QuerySet[Ticket]:
    """The tickets this person may read."""
    if sees_everything(user):
        return Ticket.objects.all()
    vendors = _vendors(user)
    own = takes_part(user)
    # Looked up for each ticket, so that a page of a list ends with the tickets it shows.
    return Ticket.objects.filter(own | Q(Exists(_shared(vendors).filter(ticket=OuterRef("pk")))) if vendors else own)


def visible_keys(user: User, *, most: int) -> set[int] | None:
    """The keys of the tickets that a person who does not see everything may read; None if they are more than `most`.

    One query for each reason, since no index serves them together.
    """
    vendors = _vendors(user)
    found: set[int] = set()
    for rows in (
        Leg.objects.filter(organisation__in=vendors).values_list("ticket_id", flat=True).distinct(),
        _shared(vendors).values_list("ticket_id", flat=True),
        Ticket.objects.filter(requester__user=user).values_list("pk", flat=True),
    ):
        found |= set(rows[: most + 1])
        if len(found) > most:
            return None
    return found


def takes_part(user: User) -> Q:
    """The tickets that this person requested or that were handed to their organisation; not a predecessor's tickets."""
    requested = Q(requester__in=Person.objects.filter(user=user).values("pk"))
    vendors = _vendors(user)
    theirs = Leg.objects.filter(ticket=OuterRef("pk"), organisation__in=vendors)
    return Q(Exists(theirs)) | requested if vendors else requested


def _shared(organisations: list[int]) -> QuerySet[HistoryShare]:
    return HistoryShare.objects.filter(organisation__in=organisations, ended_at=None)


def shared_until(user: User, ticket: Ticket) -> datetime | None:
    """The end of what this person may read of the ticket, if they see it only as a predecessor's ticket.

    This is the time at which the ticket was shared. None for everybody who has a part in the ticket.
    """
    if sees_everything(user) or (ticket.requester is not None and ticket.requester.user_id == user.pk):
        return None
    vendors = _vendors(user)
    if Leg.objects.filter(ticket=ticket, organisation__in=vendors).exists():
        return None
    latest = _shared(vendors).filter(ticket=ticket).order_by("-shared_at").first()
    return latest.shared_at if latest is not None else None


def get_ticket_for(user: User, public_id: str) -> Ticket:
    """The ticket. Raises Http404 if it does not exist or this person may not see it."""
    if sees_everything(user):
        found = _ticket_of_all.first(public_id)
    else:
        found = _with_its_parts(visible_tickets(user)).filter(public_id=public_id).first()
    if found is None:
        raise Http404("The ticket does not exist, or you may not see it.")
    return found


def _with_its_parts(tickets: QuerySet[Ticket]) -> QuerySet[Ticket]:
    """With what the page of a ticket shows about each."""
    return tickets.select_related(
        "status__version__workflow",
        "owner",
        "holder__calendar",
        "service",
        "requester__organisation",
        "asset",
        "site",
        "team",
        "assignee",
        "merged_into",
    )


@statements.select
def _ticket_of_all(public_id: str) -> QuerySet[Ticket]:
    return _with_its_parts(Ticket.objects.filter(public_id=public_id))


def visible_messages(user: User, ticket: Ticket) -> QuerySet[Message]:
    """The messages of a ticket that this person may read."""
    return readable_messages(user).filter(ticket=ticket)


def readable_messages(user: User) -> QuerySet[Message]:
    """The messages of all tickets that this person may read."""
    if sees_everything(user):
        return Message.objects.all()
    vendors = _vendors(user)
    told = _told(vendors) | Q(ticket__requester__user=user, is_for_requester=True)
    shared = _shared(vendors).filter(ticket=OuterRef("ticket"), shared_at__gte=OuterRef("recorded_at"))
    return Message.objects.filter(told | (FOR_LATER & Exists(shared))).distinct()


def messages_for(organisation: Organisation, ticket: Ticket) -> QuerySet[Message]:
    """The messages of a ticket that the members of an engaged organisation may read."""
    return Message.objects.filter(_told([organisation.pk]), ticket=ticket).distinct()


def messages_for_requester(ticket: Ticket) -> QuerySet[Message]:
    """The messages of a ticket that its requester may read."""
    return Message.objects.filter(ticket=ticket, is_for_requester=True)


def _told(organisations: list[int]) -> Q:
    """The messages addressed to these organisations, and their own."""
    return Q(legs__organisation__in=organisations) | Q(author_organisation__in=organisations)


def visible_legs(user: User, ticket: Ticket) -> QuerySet[Leg]:
    """The engagements of a ticket that this person may see: all for us, its own for a vendor, none for a requester."""
    return readable_legs(user).filter(ticket=ticket)


def readable_legs(user: User) -> QuerySet[Leg]:
    """The engagements on all tickets that this person may see."""
    legs = Leg.objects.all()
    return legs if sees_everything(user) else legs.filter(organisation__in=_vendors(user))
