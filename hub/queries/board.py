"""The numbers and lists of the board: breached and next targets, and who has to act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet, Value

from hub.models import Clock, Contract, Organisation, Ticket
from hub.queries.clock_states import ENDED, late_clocks
from hub.queries.filter_fields import Reader
from hub.queries.filters import Filters
from hub.queries.tickets import Badge, badge, counts, narrowed

SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Number:
    """How many tickets match a filter. The list that the number opens uses the same filter."""

    filters: Filters
    count: int


@dataclass(frozen=True, kw_only=True)
class Held:
    """One organisation's open tickets: those on which it has to act, and those on which its own clocks are breached."""

    organisation: Organisation
    held: Number
    breached: Number
    percent: float
    """`held` in percent of the largest `held`."""


NUMBERS: Mapping[str, Filters] = {
    **{name: Filters(show=name) for name in ("open", "waiting", "unassigned", "to_verify", "at_risk", "without_clock")},
    "breached_tickets": Filters(show="breached"),
    "undelivered": Filters().where(**{"is": "undelivered"}),
    "unanswered": Filters().where(**{"is": "unanswered"}),
    "in_triage": Filters().where(**{"is": "triage"}),
    "major": Filters().where(**{"is": "major"}),
}
"""The numbers of the board, each with the filters of the list that it opens."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """The numbers and lists of the board."""

    open: Number
    waiting: Number
    unassigned: Number
    to_verify: Number
    breached_tickets: Number
    at_risk: Number
    without_clock: Number
    undelivered: Number
    unanswered: Number
    in_triage: Number
    major: Number
    majors: Sequence[Ticket]
    """Active major incidents, the oldest first; only for readers who see everything."""
    breached: Sequence[Badge]
    next: Sequence[Badge]
    held: Sequence[Held]


def board(tickets: QuerySet[Ticket], reader: Reader) -> Board:
    """Everything the board shows of these tickets, in a fixed number of queries; a vendor sees only its own clocks."""
    live, at, of = narrowed(tickets, Filters(), reader), reader.at, reader.known
    numbers = counts(tickets, NUMBERS, reader)
    late = late_clocks(at=at, of=of).filter(ticket__in=live.values("pk"))
    coming = Clock.objects.filter(ticket__in=live.values("pk"), is_current=True, breach_at__gt=at, is_breached=False)
    coming = coming.exclude(state__in=ENDED).filter(state=Clock.State.ACTIVE)
    if of is not None:
        coming = coming.filter(party__in=of, contract__kind=Contract.Kind.UC)
    majors = live.filter(is_major=True).select_related("holder")
    return Board(
        **{name: Number(filters=filters, count=numbers[name]) for name, filters in NUMBERS.items()},
        majors=list(majors.order_by("number")[:SHOWN]) if of is None and numbers["major"] else [],
        breached=_first(late, "-breach_at", "-pk", at=at),
        next=_first(coming, "breach_at", "pk", at=at),
        held=_held(live if of is None else live.filter(holder__in=of), late),
    )


def _first(clocks: QuerySet[Clock], *order: str, at: datetime) -> list[Badge]:
    """The first clocks in this order. They are found by the index before anything else is read with them."""
    found = Clock.objects.filter(pk__in=clocks.order_by(*order).values("pk")[:SHOWN]).order_by(*order)
    return [badge(c, at=at) for c in found.select_related("ticket__holder", "contract__calendar", "calendar", "party")]


def _held(live: QuerySet[Ticket], late: QuerySet[Clock]) -> list[Held]:
    held_by, breached = dict[int, int](), dict[int, int]()
    counted = [
        rows.order_by()
        .annotate(is_late=Value(is_late))
        .values_list("is_late", by)
        .annotate(count=Count(what, distinct=is_late))
        for rows, by, what, is_late in ((live, "holder", "pk", False), (late, "party", "ticket", True))
    ]
    for is_late, organisation, count in counted[0].union(counted[1], all=True):
        (breached if is_late else held_by)[organisation] = count
    organisations = Organisation.objects.in_bulk([*held_by, *breached])
    most = max(held_by.values(), default=1)
    held = [
        Held(
            organisation=each,
            held=Number(filters=Filters().where(holder=each.public_id), count=held_by.get(pk, 0)),
            breached=Number(filters=Filters().where(party=each.public_id), count=breached.get(pk, 0)),
            percent=100 * held_by.get(pk, 0) / most,
        )
        for pk, each in organisations.items()
    ]
    return sorted(held, key=lambda row: (-row.held.count, -row.breached.count, row.organisation.name))
