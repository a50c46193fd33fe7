"""The rows of a list for an export: all its pages, with the columns and in the order that are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import QueryDict

from console.lists import ShownAs, filters_of
from console.rows import columns
from console.rows.tickets import TicketRow, ticket_rows
from hub.core.planned import planned
from hub.models import Ticket, User
from hub.queries import permissions, risk_order, sorting
from hub.queries import tickets as questions
from hub.queries.filter_fields import Reader

CHUNK = 500
"""How many tickets are read at once."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The tickets of a list as its address names them, their order, and what is shown of them."""

    tickets: QuerySet[Ticket]
    order: sorting.Order
    shown_as: ShownAs

    def pages(self) -> Iterator[list[TicketRow]]:
        """The rows of the list, page by page; no snapshot: a ticket that changes meanwhile may move."""
        place, shown_as = "", self.shown_as
        page_after = risk_order.pages_forward(self.tickets, self.order, shown_as.reader, size=CHUNK)
        while True:
            with planned():
                page = page_after(place)
                rows = ticket_rows(page.rows, shown_as.reader, user=shown_as.user, needs=shown_as.needs)
            yield rows
            place = page.after
            if not place:
                return


def exported(asked: QueryDict, user: User, reader: Reader) -> Exported:
    """What a person exports by the query string of a list."""
    shown_as = ShownAs(user=user, reader=reader, columns=columns.chosen(",".join(asked.getlist("columns")), reader))
    found = questions.narrowed(permissions.visible_tickets(user), filters_of(asked), reader)
    return Exported(
        tickets=questions.with_relations(found, *shown_as.relations),
        order=sorting.order(asked.get("sort", ""), reader),
        shown_as=shown_as,
    )
