"""The numbers and lists of the board: breached and next targets, and who has to act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from hub.models import Clock, Contract, Organisation, Ticket
from hub.queries.clock_states import late_clocks
from hub.queries.filter_fields import Reader
from hub.queries.filters import Filters
from hub.queries.tickets import IN_STATE, Badge, badge, narrowed

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
    breached: Sequence[Badge]
    next: Sequence[Badge]
    held: Sequence[Held]


def board(tickets: QuerySet[Ticket], reader: Reader) -> Board:
    """Everything the board shows of these tickets, in a fixed number of queries; a vendor sees only its own clocks."""
    live, at, of = narrowed(tickets, Filters(), reader), reader.at, reader.known
    names = ("open", "waiting", "unassigned", "to_verify")
    counts = live.aggregate(**{name: Count("pk", filter=IN_STATE[name]) for name in names})
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
    return Board(
        **{name: Number(filters=Filters(show=name), count=counts[name]) for name in names},
        breached_tickets=_number(tickets, Filters(show="breached"), reader),
        at_risk=_number(tickets, Filters(show="at_risk"), reader),
        without_clock=_number(tickets, Filters(show="without_clock"), reader),
        breached=[badge(c, at=at) for c in late.select_related(*shown).order_by("-breach_at", "pk")[:SHOWN]],
        next=[badge(c, at=at) for c in coming.select_related(*shown).order_by("due_at", "pk")[:SHOWN]],
        held=_held(live if of is None else live.filter(holder__in=of), late),
    )


def _number(tickets: QuerySet[Ticket], filters: Filters, reader: Reader) -> Number:
    return Number(filters=filters, count=narrowed(tickets, filters, reader).count())


def _held(live: QuerySet[Ticket], late: QuerySet[Clock]) -> list[Held]:
    counts = dict(live.order_by().values_list("holder").annotate(count=Count("pk")))
    breached = dict(late.order_by().values_list("party").annotate(count=Count("ticket", distinct=True)))
    organisations = Organisation.objects.in_bulk([*counts, *breached])
    most = max(counts.values(), default=1)
    held = [
        Held(
            organisation=each,
            held=Number(filters=Filters().where(holder=each.public_id), count=counts.get(pk, 0)),
            breached=Number(filters=Filters().where(party=each.public_id), count=breached.get(pk, 0)),
            percent=100 * counts.get(pk, 0) / most,
        )
        for pk, each in organisations.items()
    ]
    return sorted(held, key=lambda row: (-row.held.count, -row.breached.count, row.organisation.name))
