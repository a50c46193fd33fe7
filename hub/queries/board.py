"""The numbers and lists of the board: breached and next targets, and who has to act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from hub.models import Clock, Contract, Organisation, Ticket
from hub.queries.clock_states import late_clocks
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
    shown = ("ticket__holder", "contract__calendar", "calendar", "party")
    late = late_clocks(at=at, of=of).filter(ticket__in=live.values("pk"))
    coming = Clock.objects.filter(
        ticket__in=live.values("pk"),
        is_current=True,
        state=Clock.State.ACTIVE,
        is_breached=False,
        due_at__isnull=False,
        breach_at__gt=at,
    )
    if of is not None:
        coming = coming.filter(party__in=of, contract__kind=Contract.Kind.UC)
    majors = live.filter(is_major=True).select_related("holder")
    return Board(
        **{name: Number(filters=filters, count=numbers[name]) for name, filters in NUMBERS.items()},
        majors=list(majors.order_by("number")[:SHOWN]) if of is None and numbers["major"] else [],
        breached=[badge(c, at=at) for c in late.select_related(*shown).order_by("-breach_at", "pk")[:SHOWN]],
        next=[badge(c, at=at) for c in coming.select_related(*shown).order_by("due_at", "pk")[:SHOWN]],
        held=_held(live if of is None else live.filter(holder__in=of), late),
    )


def _held(live: QuerySet[Ticket], late: QuerySet[Clock]) -> list[Held]:
    held_by = dict(live.order_by().values_list("holder").annotate(count=Count("pk")))
    breached = dict(late.order_by().values_list("party").annotate(count=Count("ticket", distinct=True)))
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
