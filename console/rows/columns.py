"""The columns of a list of tickets: what each shows, and what it is in an export."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.rows import cells
from console.rows.cells import Cell
from console.rows.risk import why
from console.rows.tickets import TicketRow
from hub.queries.filter_fields import Reader

Value = Callable[[TicketRow], Any]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column."""

    slug: str
    label: Promise | str
    value: Value
    """What an export says: text, a number, a time, or None for nothing."""
    exported_as: Promise | str = ""
    """The head of the column in an export, if its values are not what the page shows."""
    cell: Cell = cells.text
    """The cell on a page; one of `console.rows.cells`."""
    sort: str = ""
    """The sort that a click on its head leads to."""
    needs: str = ""
    """What has to be read for it, besides the ticket: ``badges``, ``first``, ``legs`` or ``stakes``."""
    relation: str = ""
    """The relation of the ticket that it shows."""
    is_for_all: bool = False
    is_number: bool = False

    @property
    def kind(self) -> str:
        """The name of the cell, such as ``time`` or ``span``."""
        return self.cell.__name__


def _related(name: str) -> Value:
    def value(row: TicketRow) -> str | None:
        found = getattr(row.ticket, name)
        return None if found is None else str(found)

    return value


def _numbers(row: TicketRow) -> str:
    return ", ".join(leg.remote_number for leg in row.legs if leg.remote_number)


def _statuses(row: TicketRow) -> str:
    return ", ".join(leg.remote_status for leg in row.legs if leg.remote_status)


def _next_due(row: TicketRow) -> datetime | None:
    """When the first of the running clocks that the column shows is due."""
    running = (badge.due_at for badge in row.badges if badge.state in ("running", "soon", "breached"))
    return min((due_at for due_at in running if due_at is not None), default=None)


def _percent(row: TicketRow) -> int | None:
    return None if row.first is None or not row.first.goal else 100 * row.first.used // row.first.goal


COLUMNS: dict[str, Column] = {
    column.slug: column
    for column in (
        Column(
            slug="ticket", label=_("Ticket"), value=lambda row: row.ticket.label, cell=cells.ticket, sort="number",
            is_for_all=True,
        ),
        Column(slug="title", label=_("Title"), value=lambda row: row.ticket.title, cell=cells.title, is_for_all=True),
        Column(
            slug="priority", label=_("Priority"), value=lambda row: row.ticket.priority, cell=cells.priority,
            sort="priority", is_for_all=True,
        ),
        Column(slug="status", label=_("Status"), value=lambda row: row.status, cell=cells.status, is_for_all=True),
        Column(
            slug="holder", label=_("Holder"), cell=cells.holder, sort="holder", is_for_all=True,
            value=lambda row: str(row.ticket.holder) if row.is_holder_known else None,
        ),
        Column(
            slug="clocks", label=_("Clocks"), exported_as=_("Due"), cell=cells.clocks, sort="due",
            value=_next_due, needs="badges",
        ),
        Column(
            slug="due", label=_("Due"), cell=cells.time, sort="due", needs="first", is_for_all=True,
            value=lambda row: row.first.due_at if row.first else None,
        ),
        Column(
            slug="left", label=_("Working time left"), cell=cells.span, needs="first", is_for_all=True, is_number=True,
            value=lambda row: row.first.remaining if row.first else None,
        ),
        Column(
            slug="used", label=_("Working time used"), cell=cells.span, needs="first", is_for_all=True, is_number=True,
            value=lambda row: row.first.used if row.first else None,
        ),
        Column(
            slug="percent", label=_("Used (%)"), cell=cells.number, needs="first", is_for_all=True, is_number=True,
            value=_percent,
        ),
        Column(
            slug="risk", label=_("Business risk"), cell=cells.reason, sort="risk", needs="stakes", relation="requester",
            value=lambda row: why(row.stakes) if row.stakes else None,
        ),
        Column(
            slug="held", label=_("With the holder"), cell=cells.span, sort="held", is_number=True,
            value=lambda row: row.held,
        ),
        Column(slug="service", label=_("Service"), value=_related("service"), sort="service", is_for_all=True),
        Column(slug="requester", label=_("Requester"), value=_related("requester"), relation="requester"),
        Column(slug="assignee", label=_("Assignee"), value=_related("assignee"), relation="assignee", sort="assignee"),
        Column(slug="team", label=_("Team"), value=_related("team"), relation="team"),
        Column(slug="site", label=pgettext_lazy("place", "Site"), value=_related("site"), relation="site"),
        Column(slug="asset", label=_("Asset"), value=_related("asset"), relation="asset"),
        Column(slug="number", label=_("Vendor's number"), value=_numbers, needs="legs", is_for_all=True),
        Column(slug="remote", label=_("Vendor's status"), value=_statuses, needs="legs", is_for_all=True),
        Column(slug="kind", label=_("Kind"), value=lambda row: row.ticket.get_kind_display(), is_for_all=True),
        Column(
            slug="returns", label=_("Returns"), value=lambda row: row.ticket.bounces, cell=cells.number, is_number=True
        ),
        Column(
            slug="opened", label=_("Opened"), value=lambda row: row.ticket.opened_at, cell=cells.time, sort="opened",
            is_for_all=True,
        ),
        Column(
            slug="changed", label=_("Changed"), value=lambda row: row.ticket.changed_at, cell=cells.time,
            sort="changed", is_for_all=True,
        ),
    )
}  # fmt: skip
"""In the order in which they are shown."""
DEFAULT = ("ticket", "title", "priority", "status", "holder", "clocks", "changed")


def chosen(asked: str, reader: Reader) -> list[Column]:
    """The columns that a URL names, in their order, as far as the reader may see them; the default ones if none."""
    wanted: Collection[str] = asked.split(",") if asked else DEFAULT
    found = [COLUMNS[slug] for slug in COLUMNS if slug in wanted and _is_allowed(COLUMNS[slug], reader)]
    if not found and asked:
        return chosen("", reader)
    # A row without a link to its ticket would be a dead end.
    return found if {"ticket", "title"} & {column.slug for column in found} else [COLUMNS["ticket"], *found]


def offered(reader: Reader) -> list[Column]:
    """All columns this reader may choose."""
    return [column for column in COLUMNS.values() if _is_allowed(column, reader)]


def _is_allowed(column: Column, reader: Reader) -> bool:
    return reader.known is None or column.is_for_all


def is_default(columns: Sequence[Column], reader: Reader) -> bool:
    return columns == chosen("", reader)


def exported(column: Column, row: TicketRow) -> str | int | None:
    """The value in a table: times in the active time zone with their offset, durations in seconds."""
    value = column.value(row)
    if isinstance(value, datetime):
        return localtime(value).isoformat(timespec="seconds")
    return value if isinstance(value, int) else None if value is None else str(value)
