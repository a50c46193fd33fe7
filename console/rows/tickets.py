"""Rows of the ticket list."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.models import Ticket, User
from hub.queries import permissions
from hub.queries import tickets as questions


@dataclass(frozen=True, kw_only=True)
class TicketRow:
    """One ticket of the list, with what the reader may see."""

    ticket: Ticket
    status: str
    is_holder_known: bool
    badges: Sequence[questions.Badge]


def ticket_rows(
    tickets: Iterable[Ticket], *, user: User, known: Collection[int] | None, at: datetime
) -> list[TicketRow]:
    """The rows of a page. `known` are the organisations that the reader may see; None for all."""
    found = list(tickets)
    clocks = questions.listed_clocks(found, at=at) if known is None else {}
    audience = "" if known is None else "vendor" if permissions.is_of_a_vendor(user) else "requester"
    return [
        TicketRow(
            ticket=ticket,
            status=ticket.status.name_for(audience) if audience else ticket.status.name,
            is_holder_known=known is None or ticket.holder_id in known,
            badges=clocks.get(ticket.pk, []),
        )
        for ticket in found
    ]
