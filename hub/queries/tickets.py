"""Queries on tickets: lists, clocks, relations, holder and ledger."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet

from hub.models import OPEN, Calendar, Clock, Contract, LedgerSegment, Organisation, Phase, Relation, Ticket
from hub.queries import filter_fields
from hub.queries.calendars import calendar_of
from hub.queries.clock_states import late_clocks, running_clocks, soon_clocks
from hub.queries.clocks import seconds_since, seconds_used
from hub.queries.filter_fields import Reader
from hub.queries.filters import Filters

CONTRACTS = Prefetch("contract", Contract.objects.select_related("calendar"))
"""Each contract and its calendar once: the clocks of a list have few."""


def with_relations(tickets: QuerySet[Ticket], *more: str) -> QuerySet[Ticket]:
    """The tickets with what a row of a list shows."""
    return tickets.select_related("status", "holder", "service", *more)


def first_due(tickets: Iterable[Ticket], reader: Reader) -> dict[int, Badge]:
    """By ticket, the running clock that is due first: of service levels, or of the reader's own organisations."""
    rows = running_clocks(of=reader.known).filter(ticket__in=[ticket.pk for ticket in tickets])
    found: dict[int, Badge] = {}
    for clock in rows.select_related("calendar").prefetch_related(CONTRACTS).order_by("due_at", "pk"):
        if clock.ticket_id not in found:
            found[clock.ticket_id] = badge(clock, at=reader.at)
    return found


def first_left(tickets: Collection[int], reader: Reader) -> dict[int, int]:
    """By primary key of the ticket, the working seconds left on the running clock that is due first, as `first_due`."""
    rows = running_clocks(of=reader.known).filter(ticket__in=tickets, goal_seconds__isnull=False)
    facts = ("ticket_id", "goal_seconds", "used_seconds", "as_of", "calendar_id", "contract__calendar_id")
    first = {row[0]: row[1:] for row in rows.order_by("-due_at", "-pk").values_list(*facts)}  # the last one stays
    hours = Calendar.objects.in_bulk({own or agreed for _goal, _used, _since, own, agreed in first.values()})
    return {
        pk: (goal or 0) - used - seconds_since(hours[own or agreed], since, at=reader.at)
        for pk, (goal, used, since, own, agreed) in first.items()
    }


def narrowed(tickets: QuerySet[Ticket], filters: Filters, reader: Reader) -> QuerySet[Ticket]:
    """The tickets that match the filters, for both the numbers on pages and the lists that they open.

    Filters concern only clocks and holders that the reader may know, so that a list reveals nothing about others.
    """
    found = _shown(tickets, filters.show, reader)
    return found.filter(filter_fields.matching(filters, reader)) if filters.conditions else found


IN_STATE: dict[str, Q] = {
    "open": Q(phase__in=OPEN),
    "waiting": Q(phase=Phase.WAITING),
    "unassigned": Q(phase__in=OPEN, hold_reason="to_assign"),
    "to_verify": Q(phase__in=OPEN, hold_reason="to_verify"),
    "ended": ~Q(phase__in=OPEN),
    "all": Q(),
}
"""The values of `Filters.show` that depend on the ticket's row alone, for board and list."""


def _shown(found: QuerySet[Ticket], show: str, reader: Reader) -> QuerySet[Ticket]:
    if show == "any":
        return found
    if show == "history":
        return found.filter(imported_from__isnull=False)
    return found.filter(_in_state(show, reader), imported_from__isnull=True)


def _in_state(show: str, reader: Reader) -> Q:
    """The condition of a value of `Filters.show`, for tickets that were not imported as history."""
    clocks = {"breached": late_clocks, "at_risk": soon_clocks}.get(show)
    if clocks is not None:
        # Few clocks are late or at risk; they are looked up once, and not for each ticket.
        return Q(pk__in=clocks(at=reader.at, of=reader.known).values("ticket"), phase__in=OPEN)
    if show == "without_clock" and reader.known is not None:
        return Q(pk__in=[])  # others' clocks are no business of a vendor
    if show == "without_clock":
        return Q(~Exists(Clock.objects.filter(ticket=OuterRef("pk"), is_current=True)), phase__in=OPEN)
    return IN_STATE.get(show, IN_STATE["open"])


def counts(tickets: QuerySet[Ticket], asked: Mapping[str, Filters], reader: Reader) -> dict[str, int]:
    """How many open tickets match each of the filters, by name. One query for all of them."""
    numbers = {
        name: Count("pk", filter=_in_state(filters.show, reader) & filter_fields.matching(filters, reader))
        for name, filters in asked.items()
    }
    found: dict[str, int] = _shown(tickets, "open", reader).aggregate(**numbers)
    return found


_OUR_NUMBER = re.compile(r"(?:TH)?[-\s]*([0-9]{1,17})", re.IGNORECASE)
_AROUND = "[](){}<>#:;,.\"' \t"
"""Characters that people write around a number."""


def our_number(text: str) -> int | None:
    """The number of one of our tickets, in the ways people write it; None if the text is not a number.

    >>> [our_number(text) for text in ("1001", "#1001", "TH 1001", "[TH-1001]", "th-1001:", "1001a", "T-1001")]
    [1001, 1001, 1001, 1001, 1001, None, None]
    """
    found = _OUR_NUMBER.fullmatch(text.strip(_AROUND))
    return int(found[1]) if found else None


@dataclass(frozen=True, kw_only=True)
class Badge:
    """One clock as shown to a person at an instant; seconds are business seconds."""

    clock: Clock
    state: str
    """``breached``, ``soon`` (at risk, see `hub.queries.clock_states`), ``running``, ``paused``, ``idle``, ``met`` or
    ``cancelled``."""
    used: int
    goal: int | None
    due_at: datetime | None

    @property
    def remaining(self) -> int | None:
        return None if self.goal is None else self.goal - self.used

    @property
    def over(self) -> int:
        """Business seconds beyond the goal."""
        return max(0, self.used - (self.goal or 0))


def badge(clock: Clock, *, at: datetime) -> Badge:
    """A clock at `at`: the state stored with the last event, plus the time a running clock has counted since."""
    used, goal = seconds_used(clock, at=at), clock.goal_seconds
    breached = clock.is_breached or (goal is not None and used > goal)
    if breached:
        state = "breached"
    elif clock.state == Clock.State.STOPPED:
        state = "met"
    elif clock.state == Clock.State.ACTIVE:
        state = "soon" if clock.risk_at is not None and clock.risk_at <= at else "running"
    else:
        state = clock.state
    return Badge(clock=clock, state=state, used=used, goal=goal, due_at=clock.due_at)


def listed_clocks(tickets: Iterable[Ticket], *, at: datetime) -> dict[int, list[Badge]]:
    """The badges of current SLA clocks by key of the ticket. Two queries."""
    rows = (
        Clock.objects.filter(ticket__in=[ticket.pk for ticket in tickets], is_current=True)
        .filter(contract__kind=Contract.Kind.SLA)
        .select_related("calendar")
        .prefetch_related(CONTRACTS)
        .order_by("due_at", "pk")
    )
    found: dict[int, list[Badge]] = {}
    for clock in rows:
        found.setdefault(clock.ticket_id, []).append(badge(clock, at=at))
    return found


def badges(ticket: Ticket, *, at: datetime) -> list[Badge]:
    """The badges of all current clocks of a ticket, SLA clocks first."""
    rows = (
        Clock.objects.filter(ticket=ticket, is_current=True)
        .select_related("contract__calendar", "calendar", "party")
        .order_by("pk")
    )
    return sorted(
        (badge(clock, at=at) for clock in rows),
        key=lambda b: (b.clock.contract.kind != Contract.Kind.SLA, b.clock.party.name, b.clock.target),
    )


@dataclass(frozen=True, kw_only=True)
class Related:
    """Another ticket, and its relation to this one."""

    ticket: Ticket
    pk: int
    """The primary key of the relation."""
    kind: str
    is_from: bool
    """Whether this ticket is the first of the relation, such as the parent or the one that blocks."""


def related(ticket: Ticket, *, most: int = 50) -> list[Related]:
    """The tickets this one is related to, by kind, at most `most`."""
    rows = Relation.objects.filter(Q(from_ticket=ticket) | Q(to_ticket=ticket))
    return [
        Related(
            ticket=row.to_ticket if row.from_ticket_id == ticket.pk else row.from_ticket,
            pk=row.pk,
            kind=row.kind,
            is_from=row.from_ticket_id == ticket.pk,
        )
        for row in rows.select_related("from_ticket__status", "to_ticket__status").order_by("kind", "pk")[:most]
    ]


@dataclass(frozen=True, kw_only=True)
class HolderSummary:
    """Who has to act next, since when, and by which clock."""

    holder: Organisation
    reason: str
    since: datetime
    wall: int
    """Seconds since then, around the clock."""
    business: int | None
    """Seconds since then in the holder's calendar; None without a calendar."""
    clock: Badge | None
    """The holder's clock that is due next."""
    charge: str


def strip(ticket: Ticket, clocks: Sequence[Badge], segments: Sequence[LedgerSegment], *, at: datetime) -> HolderSummary:
    """The holder of a ticket at `at`; `clocks` are the ticket's badges, `segments` its ledger."""
    segment = segments[-1] if segments else None
    holder = ticket.holder
    end = segment.until_at if segment and segment.until_at else at
    business = None
    if holder.calendar is not None:
        business = calendar_of(holder.calendar).elapsed(_unix(ticket.held_since), _unix(end))
    theirs = [b for b in clocks if b.clock.party_id == holder.pk and b.due_at and b.state in _RUNNING]
    return HolderSummary(
        holder=holder,
        reason=ticket.hold_reason,
        since=ticket.held_since,
        wall=max(0, _unix(end) - _unix(ticket.held_since)),
        business=business,
        clock=min(theirs, key=lambda b: b.due_at or at, default=None),
        charge=segment.charge if segment else "",
    )


_RUNNING = ("running", "soon", "breached")


@dataclass(frozen=True, kw_only=True)
class TimeShare:
    """The time charged to one party, and its part of the whole."""

    name: str
    charge: str
    seconds: int
    percent: float
    left: float
    """Where it begins in a bar of 100 percent."""
    told: int
    """The percentage shown, as a whole number; all of them add up to 100."""
    party: Organisation | None = None
    """The organisation; None for the requester, transport and nobody."""


def shares(segments: Iterable[LedgerSegment], *, at: datetime) -> list[TimeShare]:
    """The ledger summed by charged party, up to the end of the ticket or `at`. The time after the end is left out."""
    sums: dict[tuple[str, Organisation | None], int] = {}
    for segment in segments:
        if segment.until_at is None and segment.charge == LedgerSegment.Charge.NOBODY:
            continue
        key = (segment.charge, segment.charged_to)
        end = segment.until_at or max(at, segment.from_at)
        sums[key] = sums.get(key, 0) + _unix(end) - _unix(segment.from_at)
    total = sum(sums.values()) or 1
    found, left = [], 0.0
    for ((charge, party), seconds), told in zip(sums.items(), whole_percents(list(sums.values())), strict=True):
        percent = 100 * seconds / total
        name = party.name if party is not None else str(LedgerSegment.Charge(charge).label)
        found.append(
            TimeShare(name=name, charge=charge, seconds=seconds, percent=percent, left=left, told=told, party=party)
        )
        left += percent
    return found


def whole_percents(sums: Sequence[int]) -> list[int]:
    """Whole percentages that add up to 100, by the largest remainder method; zeros if all sums are zero."""
    total = sum(sums)
    if not total:
        return [0] * len(sums)
    whole = [100 * each // total for each in sums]
    by_rest = sorted(range(len(sums)), key=lambda index: (-(100 * sums[index] % total), index))
    for index in by_rest[: 100 - sum(whole)]:
        whole[index] += 1
    return whole


def _unix(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp())
