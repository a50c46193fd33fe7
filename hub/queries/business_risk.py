"""Which open tickets put most at stake: the arithmetic of *Fix this first*, and the tickets it ranks.

The risk of a ticket is what the next hour costs the business, weighted by how soon a service level is breached:

    cost of an hour × time × people × VIP × major incident

* **Cost of an hour**: the sum over the ticket's service and all services that depend on it, directly or not, in the
  hub's main currency. If none of them has a cost in that currency, an amount stands in for the most critical tier among
  them.
* **Time**: 1 if a service level is breached already, otherwise 1 / (1 + working hours left); without a running service
  level as if a day were left.
* **People**: a tenth more for each requester beyond the first, of the ticket, its children and duplicates; at most
  twice.
* **VIP**: half as much again. **Major incident**: twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from hub.models import OPEN, Relation, Service, Ticket
from hub.queries.clock_states import running_clocks
from hub.queries.filter_fields import Reader
from hub.queries.tickets import Badge, first_due, with_relations

SHOWN = 7
SOONEST = 300
"""So many tickets are ranked of those whose service levels end first; with majors, VIPs and the costliest services."""
MORE = 200
STAND_INS: Mapping[int, int] = {1: 1000, 2: 250, 3: 50, 4: 10}
"""What an hour counts by tier if no cost is known, in the main currency."""
WITHOUT_CLOCK_HOURS = 24
MOST_PEOPLE = 11
"""From this number of requesters on, more make no difference."""
VIP, MAJOR = 1.5, 2.0


@dataclass(frozen=True, kw_only=True)
class Stakes:
    """What one ticket puts at stake."""

    service: str = ""
    own_tier: int | None = None
    """The tier of the ticket's service."""
    tier: int | None = None
    """The most critical tier of the services affected."""
    cost: Decimal | None = None
    """Of an hour, in the main currency; None if none is known."""
    other_currency: bool = False
    """Whether a cost is known in another currency only."""
    dependents: int = 0
    """How many services depend on the ticket's service."""
    left: int | None = None
    """Working seconds until the first service level is breached, negative if it is; None if none is running."""
    people: int = 1
    is_vip: bool = False
    is_major: bool = False

    @property
    def hourly(self) -> float:
        """What an hour counts."""
        if self.cost is not None:
            return float(self.cost)
        return float(STAND_INS[self.tier or Service.Tier.LOW])

    @property
    def time_factor(self) -> float:
        if self.left is None:
            return 1 / (1 + WITHOUT_CLOCK_HOURS)
        return 1.0 if self.left <= 0 else 1 / (1 + self.left / 3600)

    @property
    def people_factor(self) -> float:
        return 1 + 0.1 * (max(1, min(self.people, MOST_PEOPLE)) - 1)

    @property
    def factors(self) -> list[float]:
        """Time, people, VIP, major incident."""
        return [self.time_factor, self.people_factor, VIP if self.is_vip else 1.0, MAJOR if self.is_major else 1.0]

    @property
    def risk(self) -> float:
        """The rank: larger first.

        >>> payroll = Stakes(service="Payroll", tier=1, cost=Decimal(4000), left=540, people=3, is_vip=True)
        >>> round(payroll.risk), round(Stakes(tier=1, left=540).risk), round(Stakes(tier=4).risk, 2)
        (6261, 870, 0.4)
        """
        risk = self.hourly
        for factor in self.factors:
            risk *= factor
        return risk


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A ticket with what it puts at stake."""

    ticket: Ticket
    stakes: Stakes
    clock: Badge | None
    """The service level that is breached first."""


def fix_first(tickets: QuerySet[Ticket], reader: Reader, *, most: int = SHOWN) -> list[Ranked]:
    """The open tickets with the highest risk. Only for readers who see everything."""
    services = affected_services()
    return _ranked(_candidates(tickets, services), services, reader)[:most]


def ranked(tickets: QuerySet[Ticket], reader: Reader, *, most: int) -> tuple[list[Ranked], bool]:
    """The open ones of these tickets by risk, and whether these are all.

    If they are more than `most`, only those that are likely to be at the top are ranked.
    """
    services = affected_services()
    live = tickets.filter(phase__in=OPEN, imported_from__isnull=True)
    chosen = list(with_relations(live.order_by(), "requester")[: most + 1])
    are_all = len(chosen) <= most
    if not are_all:
        chosen = _candidates(tickets, services, is_part=True)
    return _ranked(chosen, services, reader), are_all


def stakes_of(tickets: Sequence[Ticket], reader: Reader) -> dict[int, Stakes]:
    """What each of these tickets puts at stake, by primary key; nothing for those that have ended."""
    live = [ticket for ticket in tickets if ticket.is_open]
    return {each.ticket.pk: each.stakes for each in _ranked(live, affected_services(), reader)}


def _ranked(chosen: Sequence[Ticket], services: Mapping[int, Affected], reader: Reader) -> list[Ranked]:
    clocks = first_due(chosen, reader)
    people = _requesters(chosen)
    found = [
        Ranked(
            ticket=ticket,
            clock=clocks.get(ticket.pk),
            stakes=_stakes(ticket, services, clocks.get(ticket.pk), people.get(ticket.pk, 1)),
        )
        for ticket in chosen
    ]
    return sorted(found, key=lambda each: (-each.stakes.risk, each.ticket.number))


def _stakes(ticket: Ticket, services: Mapping[int, Affected], clock: Badge | None, people: int) -> Stakes:
    affected = services.get(ticket.service_id) if ticket.service_id is not None else None
    return Stakes(
        service=str(ticket.service) if ticket.service is not None else "",
        own_tier=ticket.service.tier if ticket.service is not None else None,
        tier=affected.tier if affected is not None else None,
        cost=affected.cost if affected is not None else None,
        other_currency=affected is not None and affected.other_currency,
        dependents=affected.dependents if affected is not None else 0,
        left=clock.remaining if clock is not None else None,
        people=people,
        is_vip=ticket.requester is not None and ticket.requester.is_vip,
        is_major=ticket.is_major,
    )


@dataclass(frozen=True, kw_only=True)
class Affected:
    """What an outage of one service affects: the service and all that depend on it."""

    tier: int
    cost: Decimal | None
    other_currency: bool
    dependents: int


class _Service(NamedTuple):
    tier: int
    outage_cost: Decimal | None
    outage_currency: str


def affected_services() -> dict[int, Affected]:
    """By service, what its outage affects."""
    services: dict[int, _Service] = {}
    depending: dict[int, set[int]] = {}
    rows = Service.objects.values_list("pk", "tier", "outage_cost", "outage_currency", "depends_on")
    for pk, tier, cost, currency, used in rows:
        services[pk] = _Service(tier, cost, currency)
        if used is not None:
            depending.setdefault(used, set()).add(pk)
    return {pk: _affected([services[each] for each in _reached(pk, depending)]) for pk in services}


def _reached(start: int, depending: Mapping[int, Iterable[int]]) -> set[int]:
    """The service and everything that depends on it; a cycle is no trouble."""
    found, waiting = {start}, [start]
    while waiting:
        for each in depending.get(waiting.pop(), ()):
            if each not in found:
                found.add(each)
                waiting.append(each)
    return found


def _affected(services: Sequence[_Service]) -> Affected:
    known = [each for each in services if each.outage_cost is not None]
    costs = [each.outage_cost for each in known if each.outage_currency == settings.CURRENCY]
    return Affected(
        tier=min(each.tier for each in services),
        cost=sum((cost for cost in costs if cost is not None), Decimal()) if costs else None,
        other_currency=bool(known) and not costs,
        dependents=len(services) - 1,
    )


def _candidates(tickets: QuerySet[Ticket], services: Mapping[int, Affected], *, is_part: bool = False) -> list[Ticket]:
    """The open tickets that may be at the top; `is_part`: the tickets are not all that the reader may see."""
    live = tickets.filter(phase__in=OPEN, imported_from__isnull=True)
    running = running_clocks().filter(ticket__phase__in=OPEN)
    if is_part:
        running = running.filter(ticket__in=live.order_by().values("pk"))
    soonest = running.order_by("due_at").values_list("ticket_id", flat=True)[:SOONEST]
    others = Relation.objects.filter(kind__in=["parent", "duplicate"]).filter(
        Q(from_ticket=OuterRef("pk")) | Q(to_ticket=OuterRef("pk"))
    )
    special = live.filter(Q(is_major=True) | Q(requester__is_vip=True) | Q(Exists(others)))
    costly = sorted(services, key=lambda pk: -(services[pk].cost or STAND_INS[services[pk].tier]))[:10]
    keys = {
        *soonest,
        *special.order_by("-changed_at").values_list("pk", flat=True)[:MORE],
        *live.filter(service__in=costly).order_by("-changed_at").values_list("pk", flat=True)[:MORE],
        *live.order_by("-changed_at").values_list("pk", flat=True)[:SHOWN],
    }
    return list(with_relations(live.filter(pk__in=keys), "requester"))


def _requesters(tickets: Sequence[Ticket]) -> dict[int, int]:
    """By ticket, how many people requested it, its children and its duplicates."""
    people = {ticket.pk: {ticket.requester_id} for ticket in tickets}
    rows = Relation.objects.filter(
        Q(kind="parent", from_ticket__in=people) | Q(kind="duplicate", to_ticket__in=people)
    ).values_list("kind", "from_ticket_id", "to_ticket_id", "from_ticket__requester_id", "to_ticket__requester_id")
    for kind, first, second, first_requester, second_requester in rows:
        if kind == "parent":
            people[first].add(second_requester)
        else:
            people[second].add(first_requester)
    return {pk: max(1, len(found - {None})) for pk, found in people.items()}
