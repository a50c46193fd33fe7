"""The order of a list of tickets, and its pages by keyset: each page begins after the last row of the one before.

A page costs the same however far into the list it is, and a ticket that moves meanwhile moves no other. Rows without a
value come last in both directions; ties are in the order of ticket numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from django.db.models import F, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.timezone import is_naive
from django.utils.translation import gettext_lazy as _

from hub.models import Ticket
from hub.queries.clock_states import running_clocks
from hub.queries.filter_fields import Reader

MOST_COUNTED = 999
"""A larger number of tickets is shown as this many and more."""
END = "end"
"""The place after the last row."""
LONGEST = 300


def _time(text: str) -> datetime | None:
    try:
        at = parse_datetime(text)
        return None if at is None or is_naive(at) else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _text(text: str) -> str:
    return text


@dataclass(frozen=True, kw_only=True)
class Sort:
    """One order."""

    slug: str
    label: Promise | str
    value: Callable[[Reader], Combinable]
    read: Callable[[str], Any] = _text
    """A value from a URL; None if it is none."""
    falls: bool = False
    """Whether the natural direction is descending."""
    may_lack: bool = False
    """Whether a ticket may have no value."""


def _column(name: str) -> Callable[[Reader], Combinable]:
    return lambda _reader: F(name)


def _figure(text: str) -> float | None:
    try:
        figure = float(text)
    except ValueError:
        return None
    return figure if isfinite(figure) else None


def _unranked(_reader: Reader) -> Combinable:
    """No database ranks by risk: `risk_order` does."""
    raise TypeError("Lists by risk are made by hub.queries.risk_order.")


def next_due(reader: Reader) -> Combinable:
    """When the first of a ticket's running service levels is due; for vendors, of their own clocks."""
    running = running_clocks(of=reader.known).filter(ticket=OuterRef("pk"))
    first = running.order_by().values("ticket").annotate(first=Min("due_at")).values("first")
    return Subquery(first)


SORTS: Mapping[str, Sort] = {
    sort.slug: sort
    for sort in (
        Sort(slug="changed", label=_("Last change"), value=_column("changed_at"), read=_time, falls=True),
        Sort(slug="due", label=_("Due"), value=next_due, read=_time, may_lack=True),
        Sort(slug="risk", label=_("Business risk"), value=_unranked, read=_figure, falls=True, may_lack=True),
        Sort(slug="priority", label=_("Priority"), value=_column("priority")),
        Sort(slug="opened", label=_("Age"), value=_column("opened_at"), read=_time),
        Sort(slug="held", label=_("Time with the holder"), value=_column("held_since"), read=_time),
        Sort(slug="holder", label=_("Holder"), value=_column("holder__name")),
        Sort(slug="service", label=_("Service"), value=_column("service__name"), may_lack=True),
        Sort(slug="assignee", label=_("Assignee"), value=_column("assignee__name"), may_lack=True),
        Sort(slug="number", label=_("Number"), value=_column("number"), read=lambda text: _number(text), falls=True),
    )
}
FOR_EVERYBODY = frozenset({"changed", "due", "priority", "opened", "service", "number"})
"""What readers may sort by who do not see everything: the order tells nothing about others."""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


@dataclass(frozen=True, kw_only=True)
class Order:
    """A sort and its direction."""

    sort: Sort
    is_descending: bool

    @property
    def text(self) -> str:
        return f"-{self.sort.slug}" if self.is_descending else self.sort.slug

    @property
    def turned(self) -> str:
        """The same sort in the other direction."""
        return self.sort.slug if self.is_descending else f"-{self.sort.slug}"


def order(asked: str, reader: Reader) -> Order:
    """The order that a URL names: a sort, with a minus for descending; otherwise the latest change first."""
    sort = SORTS.get(asked.removeprefix("-"))
    if sort is None or (reader.known is not None and sort.slug not in FOR_EVERYBODY):
        return Order(sort=SORTS["changed"], is_descending=True)
    return Order(sort=sort, is_descending=asked.startswith("-"))


@dataclass(frozen=True, kw_only=True)
class Place:
    """A row in an order: its value (None if it has none) and its number."""

    value: Any
    number: int

    def text(self) -> str:
        """For a URL."""
        if self.value is None:
            return str(self.number)
        value = self.value.isoformat() if isinstance(self.value, datetime) else str(self.value)
        return f"{self.number}:{value}"


def place(text: str, order: Order) -> Place | None:
    """The place that a URL names; None if it names none of this order."""
    number, has_value, value = text[:LONGEST].replace("\x00", "").partition(":")
    known = _number(number)
    if known is None:
        return None
    if not has_value:
        return Place(value=None, number=known)
    found = order.sort.read(value)
    return None if found is None else Place(value=found, number=known)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some rows of a list, and where the pages around them begin."""

    rows: Sequence[Ticket]
    before: str = ""
    """The place before which the previous page ends; empty if there is none."""
    after: str = ""
    """The place after which the next page begins; empty if there is none."""
    is_ranked_in_part: bool = False
    """Whether only some of the tickets are in this order, because too many match to rank them all."""


def page(
    tickets: QuerySet[Ticket], order: Order, reader: Reader, *, size: int, after: str = "", before: str = ""
) -> Page:
    """The page after or before a place of the order; END as `before` gives the last page, no place the first."""
    rows = tickets.annotate(sort_value=order.sort.value(reader))
    start, end = place(after, order), place(before, order)
    is_backwards = before == END or end is not None
    if end is not None:
        rows = rows.filter(_beyond(end, order, is_backwards=True))
    elif start is not None and not is_backwards:
        rows = rows.filter(_beyond(start, order, is_backwards=False))
    found = list(_ordered(rows, order, is_backwards=is_backwards)[: size + 1])
    has_more, found = len(found) > size, found[:size]
    if is_backwards:
        found.reverse()
    if not found:
        return Page(rows=[])
    has_before = has_more if is_backwards else start is not None
    has_after = before != END if is_backwards else has_more
    return Page(
        rows=found,
        before=_of(found[0]).text() if has_before else "",
        after=_of(found[-1]).text() if has_after else "",
    )


def _of(ticket: Ticket) -> Place:
    return Place(value=getattr(ticket, "sort_value"), number=ticket.number)  # noqa: B009 - an annotation


def _ordered(rows: QuerySet[Ticket], order: Order, *, is_backwards: bool) -> QuerySet[Ticket]:
    value, falls = F("sort_value"), order.is_descending != is_backwards
    # Only where values may be missing: an index is in the databases' own order, which differs.
    last = {} if not order.sort.may_lack else {"nulls_first": True} if is_backwards else {"nulls_last": True}
    return rows.order_by(value.desc(**last) if falls else value.asc(**last), "-number" if falls else "number")


def _beyond(place: Place, order: Order, *, is_backwards: bool) -> Q:
    """The rows that follow a place, or precede it."""
    than = "lt" if order.is_descending != is_backwards else "gt"
    tie = Q(**{f"number__{than}": place.number})
    if place.value is None:
        without = Q(sort_value=None) & tie
        return without | Q(sort_value__isnull=False) if is_backwards else without
    # In this form, the first part is where an index begins.
    here = Q(**{f"sort_value__{than}e": place.value}) & (Q(**{f"sort_value__{than}": place.value}) | tie)
    return here if is_backwards or not order.sort.may_lack else here | Q(sort_value=None)


def counted(tickets: QuerySet[Ticket], *, most: int = MOST_COUNTED) -> int:
    """How many tickets there are; `most` + 1 if there are more, without counting them all."""
    return tickets.order_by()[: most + 1].count()
