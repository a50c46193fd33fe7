"""What the board shows: what is breached, what will be next, and who has the ball."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from hub.models import Clock, Contract, Organisation, Phase, Ticket
from hub.queries.tickets import OPEN, Badge, badge

SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Held:
    """How many open tickets wait for one organisation to act."""

    organisation: Organisation
    count: int
    breached: int
    percent: float


@dataclass(frozen=True, kw_only=True)
class Board:
    """The numbers and lists of the first page."""

    open: int
    waiting: int
    unassigned: int
    to_verify: int
    breached_tickets: int
    breached: Sequence[Badge]
    next: Sequence[Badge]
    held: Sequence[Held]


def board(tickets: QuerySet[Ticket], *, at: datetime, of: Collection[int] | None = None) -> Board:
    """Of these tickets, everything the board shows, in a fixed number of queries.

    `of` leaves out the clocks and the ball of all other organisations: a vendor is told of its own alone.
    """
    live = tickets.filter(imported_from__isnull=True, phase__in=OPEN)
    counts = live.aggregate(
        open=Count("pk"),
        waiting=Count("pk", filter=Q(phase=Phase.WAITING)),
        unassigned=Count("pk", filter=Q(hold_reason="to_assign")),
        to_verify=Count("pk", filter=Q(hold_reason="to_verify")),
    )
    clocks = (
        Clock.objects.filter(ticket__in=live.values("pk"), is_current=True)
        .exclude(state__in=[Clock.State.STOPPED, Clock.State.CANCELLED])
        .select_related("ticket__holder", "contract__calendar", "calendar", "party")
    )
    if of is not None:
        clocks = clocks.filter(party__in=of, ticket__holder__in=of, contract__kind=Contract.Kind.UC)
    late = clocks.filter(Q(is_breached=True) | Q(breach_at__lte=at))
    coming = clocks.filter(state=Clock.State.ACTIVE, is_breached=False, due_at__isnull=False, breach_at__gt=at)
    return Board(
        **counts,
        breached_tickets=late.values("ticket").distinct().count(),
        breached=[badge(clock, at=at) for clock in late.order_by("-breach_at", "pk")[:SHOWN]],
        next=[badge(clock, at=at) for clock in coming.order_by("due_at", "pk")[:SHOWN]],
        held=_held(live if of is None else live.filter(holder__in=of), late),
    )


def _held(live: QuerySet[Ticket], late: QuerySet[Clock]) -> list[Held]:
    counts = dict(live.values_list("holder").annotate(count=Count("pk")))
    breached = dict(late.values_list("ticket__holder").annotate(count=Count("ticket", distinct=True)))
    organisations = Organisation.objects.in_bulk(list(counts))
    most = max(counts.values(), default=1)
    held = [
        Held(
            organisation=organisations[pk],
            count=count,
            breached=breached.get(pk, 0),
            percent=100 * count / most,
        )
        for pk, count in counts.items()
    ]
    return sorted(held, key=lambda row: (-row.count, row.organisation.name))
