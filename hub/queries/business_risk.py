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
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet

from hub.models import OPEN, Clock, Person, Relation, Service, Ticket
from hub.queries.clock_states import ENDED, running_clocks
from hub.queries.filter_fields import Reader
from hub.queries.tickets import first_left, with_relations

SHOWN = 7
SOONEST = 300
"""So many tickets are ranked of those whose service levels end first; with majors, VIPs and the costliest services.

They are looked for among three times as many clocks of all contracts.
"""
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
class Rank:
    """What one ticket puts at stake, among others."""

    pk: int
    number: int
    stakes: Stakes


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A ticket with what it puts at stake."""

    ticket: Ticket
    stakes: Stakes


class _Facts(NamedTuple):
    """What the rank of a ticket depends on, besides its clocks; thousands of whole tickets would be slow to read."""

    pk: int
    number: int
    service_id: int | None
    requester_id: int | None
    is_vip: bool | None
    is_major: bool
    phase: str
    imported_from_id: int | None = None


_FACTS = ("pk", "number", "service_id", "requester_id", "requester__is_vip", "is_major", "phase", "imported_from_id")


def fix_first(reader: Reader, *, most: int = SHOWN) -> list[Ranked]:
    """The open tickets with the highest risk, of all that there are; for readers who see everything."""
    services = affected_services()
    top = _ranked(_candidates(Ticket.objects.all(), services), services, reader, most=most)
    found = with_relations(Ticket.objects.filter(pk__in=[each.pk for each in top])).in_bulk()
    return [Ranked(ticket=found[each.pk], stakes=each.stakes) for each in top if each.pk in found]


def ranked(tickets: QuerySet[Ticket], reader: Reader, *, most: int) -> tuple[list[Rank], bool]:
    """The open ones of these tickets by risk, and whether these are all.

    If they are more than `most`, only those that are likely to be at the top are ranked.
    """
    services = affected_services()
    live = tickets.filter(phase__in=OPEN, imported_from__isnull=True)
    chosen = _read(live.order_by()[: most + 1])
    are_all = len(chosen) <= most
    if not are_all:
        chosen = _candidates(tickets, services, is_part=True)
    return _ranked(chosen, services, reader), are_all


def stakes_of(tickets: Sequence[Ticket], reader: Reader) -> dict[int, Stakes]:
    """What each of these tickets puts at stake, by primary key; nothing for those that have ended."""
    live = [
        _Facts(
            pk=ticket.pk,
            number=ticket.number,
            service_id=ticket.service_id,
            requester_id=ticket.requester_id,
            is_vip=ticket.requester is not None and ticket.requester.is_vip,
            is_major=ticket.is_major,
            phase=ticket.phase,
        )
        for ticket in tickets
        if ticket.is_open
    ]
    return {each.pk: each.stakes for each in _ranked(live, affected_services(), reader)}


def _ranked(
    chosen: Sequence[_Facts], services: Mapping[int, Affected], reader: Reader, *, most: int | None = None
) -> list[Rank]:
    """The tickets by risk; at most `most` of them."""
    left = first_left([facts.pk for facts in chosen], reader)
    stakes = {facts.pk: _stakes(facts, services, left.get(facts.pk), 1) for facts in chosen}
    if most is not None and len(chosen) > most:
        # Further requesters raise a risk up to a limit: whoever stays behind even so needs none of them counted.
        least = sorted((each.risk for each in stakes.values()), reverse=True)[most - 1]
        limit = Stakes(people=MOST_PEOPLE).people_factor
        chosen = [facts for facts in chosen if limit * stakes[facts.pk].risk >= least]
    people = _requesters(chosen)
    found = [
        Rank(pk=facts.pk, number=facts.number, stakes=replace(stakes[facts.pk], people=people.get(facts.pk, 1)))
        for facts in chosen
    ]
    return sorted(found, key=lambda each: (-each.stakes.risk, each.number))[:most]


def _stakes(facts: _Facts, services: Mapping[int, Affected], left: int | None, people: int) -> Stakes:
    affected = services.get(facts.service_id) if facts.service_id is not None else None
    return Stakes(
        service=affected.name if affected is not None else "",
        own_tier=affected.own_tier if affected is not None else None,
        tier=affected.tier if affected is not None else None,
        cost=affected.cost if affected is not None else None,
        other_currency=affected is not None and affected.other_currency,
        dependents=affected.dependents if affected is not None else 0,
        left=left,
        people=people,
        is_vip=bool(facts.is_vip),
        is_major=facts.is_major,
    )


@dataclass(frozen=True, kw_only=True)
class Affected:
    """What an outage of one service affects: the service and all that depend on it."""

    name: str
    own_tier: int
    tier: int
    """The most critical among them."""
    cost: Decimal | None
    other_currency: bool
    dependents: int


class _Service(NamedTuple):
    name: str
    tier: int
    outage_cost: Decimal | None
    outage_currency: str


def affected_services() -> dict[int, Affected]:
    """By service, what its outage affects."""
    services: dict[int, _Service] = {}
    depending: dict[int, set[int]] = {}
    rows = Service.objects.values_list("pk", "name", "tier", "outage_cost", "outage_currency", "depends_on")
    for pk, name, tier, cost, currency, used in rows:
        services[pk] = _Service(name, tier, cost, currency)
        if used is not None:
            depending.setdefault(used, set()).add(pk)
    return {pk: _affected(own, [services[each] for each in _reached(pk, depending)]) for pk, own in services.items()}


def _reached(start: int, depending: Mapping[int, Iterable[int]]) -> set[int]:
    """The service and everything that depends on it; a cycle is no trouble."""
    found, waiting = {start}, [start]
    while waiting:
        for each in depending.get(waiting.pop(), ()):
            if each not in found:
                found.add(each)
                waiting.append(each)
    return found


def _affected(own: _Service, services: Sequence[_Service]) -> Affected:
    known = [each for each in services if each.outage_cost is not None]
    costs = [each.outage_cost for each in known if each.outage_currency == settings.CURRENCY]
    return Affected(
        name=own.name,
        own_tier=own.tier,
        tier=min(each.tier for each in services),
        cost=sum((cost for cost in costs if cost is not None), Decimal()) if costs else None,
        other_currency=bool(known) and not costs,
        dependents=len(services) - 1,
    )


def _candidates(tickets: QuerySet[Ticket], services: Mapping[int, Affected], *, is_part: bool = False) -> list[_Facts]:
    """Those of the tickets that are open and may be at the top; `is_part`: they are not all tickets.

    Each part has an index by which it is found. Clocks run on open tickets only, which no statistics of a database
    know: where all tickets are asked for, their phases are looked at here.
    """
    live = tickets.filter(phase__in=OPEN, imported_from__isnull=True)
    counting = Clock.objects.filter(is_current=True, state=Clock.State.ACTIVE, breach_at__isnull=False)
    if is_part:
        counting = counting.filter(ticket__in=live.order_by().values("pk"))
    counting = counting.exclude(state__in=ENDED).order_by("breach_at", "pk")
    running = running_clocks().filter(pk__in=counting.values("pk")[: 3 * SOONEST])
    others = Relation.objects.filter(kind__in=["parent", "duplicate"])
    special = (
        live.filter(is_major=True),
        live.filter(requester__in=Person.objects.filter(is_vip=True).values("pk")),
        live.filter(pk__in=others.values("from_ticket")),
        live.filter(pk__in=others.values("to_ticket")),
    )
    costly = sorted(services, key=lambda pk: -(services[pk].cost or STAND_INS[services[pk].tier]))[:10]
    return _read(
        running.order_by("breach_at", "pk")[:SOONEST],
        *(part.order_by("-changed_at")[:MORE] for part in special),
        live.filter(service__in=costly).order_by("-changed_at")[:MORE],
        live.order_by("-changed_at")[:SHOWN],
    )


def _read(*parts: QuerySet[Ticket] | QuerySet[Clock]) -> list[_Facts]:
    """What the ranks of the open tickets of all parts depend on, each ticket once; in one query."""
    if len(parts) > 1 and connection.features.supports_slicing_ordering_in_compound:
        first, *more = (
            part.values_list(*(f"ticket__{name}" if part.model is Clock else name for name in _FACTS)) for part in parts
        )
        rows = first.union(*more)
    else:
        keys = (Q(pk__in=part.values("ticket" if part.model is Clock else "pk")) for part in parts)
        rows = Ticket.objects.filter(reduce(or_, keys)).values_list(*_FACTS)
    facts = [_Facts(*row) for row in rows]
    return [each for each in facts if each.phase in OPEN and each.imported_from_id is None]


def _requesters(tickets: Sequence[_Facts]) -> dict[int, int]:
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
