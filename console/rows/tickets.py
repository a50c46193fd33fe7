"""Rows of the ticket list."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from hub.models import OPEN_STAGES, Leg, Ticket, User
from hub.queries import business_risk, permissions
from hub.queries import tickets as questions
from hub.queries.business_risk import Stakes
from hub.queries.filter_fields import Reader
from hub.search.finding import Found, Hit
from hub.search.snippets import Piece


@dataclass(frozen=True, kw_only=True)
class TicketRow:
    """One ticket of the list, with what the reader may see."""

    ticket: Ticket
    status: str
    is_holder_known: bool
    badges: Sequence[questions.Badge]
    held: int | None
    """For how many seconds the holder has had the ticket, around the clock; None if it has ended."""
    first: questions.Badge | None = None
    """The running clock that is due first, of those the reader may see."""
    stakes: Stakes | None = None
    """What it puts at stake; None if it has ended."""
    legs: Sequence[Leg] = ()
    """The open engagements that the reader may see."""
    hit: Hit | None = None
    """Where a search found it."""
    title: Sequence[Piece] = ()
    """The title with the words of the search marked."""


def ticket_rows(tickets: Iterable[Ticket], reader: Reader, *, user: User, needs: Collection[str]) -> list[TicketRow]:
    """The rows of a page. `needs` says what to read besides the tickets, as `Column.needs` does."""
    found = list(tickets)
    clocks = questions.listed_clocks(found, at=reader.at) if reader.known is None and "badges" in needs else {}
    first = questions.first_due(found, reader) if "first" in needs else {}
    legs = _legs(found, user) if "legs" in needs else {}
    stakes = business_risk.stakes_of(found, reader) if reader.known is None and "stakes" in needs else {}
    audience = "" if reader.known is None else "vendor" if permissions.is_of_a_vendor(user) else "requester"
    return [
        TicketRow(
            ticket=ticket,
            status=ticket.status.name_for(audience) if audience else ticket.status.name,
            is_holder_known=reader.known is None or ticket.holder_id in reader.known,
            badges=clocks.get(ticket.pk, []),
            held=max(0, int((reader.at - ticket.held_since).total_seconds())) if ticket.is_open else None,
            first=first.get(ticket.pk),
            legs=legs.get(ticket.pk, []),
            stakes=stakes.get(ticket.pk),
        )
        for ticket in found
    ]


def found_rows(
    found: Found, reader: Reader, *, user: User, needs: Collection[str], relations: Collection[str] = ()
) -> list[TicketRow]:
    """The rows of search results, in their order."""
    keys = [hit.ticket_id for hit in found.hits]
    tickets = questions.with_relations(Ticket.objects.filter(pk__in=keys), *relations).in_bulk()
    rows = ticket_rows([tickets[key] for key in keys if key in tickets], reader, user=user, needs=needs)
    hits = {hit.ticket_id: hit for hit in found.hits}
    return [replace(row, hit=hits[row.ticket.pk], title=found.title(row.ticket)) for row in rows]


def _legs(tickets: Sequence[Ticket], user: User) -> dict[int, list[Leg]]:
    rows = permissions.readable_legs(user).filter(ticket__in=tickets, stage__in=OPEN_STAGES)
    found: dict[int, list[Leg]] = {}
    for leg in rows.order_by("pk"):
        found.setdefault(leg.ticket_id, []).append(leg)
    return found
