"""Queries on tickets: lists, clocks, relations, holder and ledger."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from hub.models import Clock, Contract, LedgerSegment, Leg, Organisation, Phase, Relation, Ticket
from hub.queries.calendars import calendar_of
from hub.queries.clocks import seconds_used

OPEN = (Phase.NEW, Phase.ACTIVE, Phase.WAITING)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The filters of a list of tickets; every number on the board opens a list with one of them."""

    show: str = "open"
    text: str = ""
    holder: str = ""
    priority: str = ""
    party: str = ""
    """For ``breached``: public id of the party of the clock, which need not be the current holder."""


def listed(
    tickets: QuerySet[Ticket], filters: Filters, *, at: datetime, of: Collection[int] | None = None
) -> QuerySet[Ticket]:
    """The tickets that match, latest change first, with the relations a row shows."""
    found = narrowed(tickets, filters, at=at, of=of).select_related("status", "holder", "service")
    return found.order_by("-changed_at", "-pk")


def narrowed(
    tickets: QuerySet[Ticket], filters: Filters, *, at: datetime, of: Collection[int] | None = None
) -> QuerySet[Ticket]:
    """The tickets that match the filters, for both the numbers of the board and the lists.

    `of` limits filters to clocks, record numbers and holders of these organisations, so that a search reveals nothing
    about others.
    """
    found = _shown(tickets, filters, at, of)
    if filters.text:
        found = found.filter(_matching(filters.text, of))
    if filters.holder:
        found = found.filter(holder__public_id=filters.holder)
        found = found if of is None else found.filter(holder__in=of)
    if filters.priority:
        found = found.filter(priority=filters.priority)
    return found


def late_clocks(*, at: datetime, of: Collection[int] | None = None) -> QuerySet[Clock]:
    """Clocks that are breached at `at` and have not ended; `of` limits them to UC clocks of these parties."""
    rows = Clock.objects.filter(Q(is_breached=True) | Q(breach_at__lte=at), is_current=True)
    rows = rows.exclude(state__in=[Clock.State.STOPPED, Clock.State.CANCELLED])
    return rows if of is None else rows.filter(party__in=of, contract__kind=Contract.Kind.UC)


IN_STATE: dict[str, Q] = {
    "open": Q(phase__in=OPEN),
    "waiting": Q(phase=Phase.WAITING),
    "unassigned": Q(phase__in=OPEN, hold_reason="to_assign"),
    "to_verify": Q(phase__in=OPEN, hold_reason="to_verify"),
    "ended": ~Q(phase__in=OPEN),
    "all": Q(),
}
"""The values of `Filters.show` that depend on the ticket's row alone, for board and list."""


def _shown(found: QuerySet[Ticket], filters: Filters, at: datetime, of: Collection[int] | None) -> QuerySet[Ticket]:
    if filters.show == "any":
        return found
    if filters.show == "history":
        return found.filter(imported_from__isnull=False)
    found = found.filter(imported_from__isnull=True)
    if filters.show == "breached":
        late = late_clocks(at=at, of=of).filter(ticket=OuterRef("pk"))
        late = late.filter(party__public_id=filters.party) if filters.party else late
        return found.filter(Exists(late), phase__in=OPEN)
    return found.filter(IN_STATE.get(filters.show, IN_STATE["open"]))


_OUR_NUMBER = re.compile(r"(?:TH)?[-\s]*([0-9]{1,17})", re.IGNORECASE)
_AROUND = "[](){}<>#:;,.\"' \t"
"""Characters that people write around a number."""
LEAST_OF_A_NUMBER = 3
"""The shortest text that is searched as a part of a number."""


def our_number(text: str) -> int | None:
    """The number of one of our tickets, in the ways people write it; None if the text is not a number.

    >>> [our_number(text) for text in ("1001", "#1001", "TH 1001", "[TH-1001]", "th-1001:", "1001a", "T-1001")]
    [1001, 1001, 1001, 1001, 1001, None, None]
    """
    found = _OUR_NUMBER.fullmatch(text.strip(_AROUND))
    return int(found[1]) if found else None


def _matching(text: str, of: Collection[int] | None) -> Q:
    """Tickets with this number, or with the text in the title, a vendor's number or the number in the source system."""
    bare = text.strip(_AROUND)
    how = "icontains" if len(bare) >= LEAST_OF_A_NUMBER else "iexact"
    theirs = Leg.objects.filter(**{f"remote_number__{how}": bare}).exclude(remote_number="")
    theirs = theirs if of is None else theirs.filter(organisation__in=of)
    imported = Q(**{f"source_number__{how}": bare}) & ~Q(source_number="")
    matching = Q(title__icontains=text) | Q(pk__in=theirs.values("ticket")) | imported
    matching = Q(pk__in=Ticket.objects.filter(matching).values("pk"))
    number = our_number(text)
    return matching if number is None else matching | Q(number=number)


@dataclass(frozen=True, kw_only=True)
class Badge:
    """One clock as shown to a person at an instant; seconds are business seconds."""

    clock: Clock
    state: str
    """``breached``, ``soon`` (at least SOON of the goal used), ``running``, ``paused``, ``idle``, ``met`` or
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


SOON = 0.75
"""The part of the goal from which a running clock is shown as ``soon``."""


def badge(clock: Clock, *, at: datetime) -> Badge:
    """A clock at `at`: the state stored with the last event, plus the time a running clock has counted since."""
    used, goal = seconds_used(clock, at=at), clock.goal_seconds
    breached = clock.is_breached or (goal is not None and used > goal)
    if breached:
        state = "breached"
    elif clock.state == Clock.State.STOPPED:
        state = "met"
    elif clock.state == Clock.State.ACTIVE:
        state = "soon" if goal is not None and used >= SOON * goal else "running"
    else:
        state = clock.state
    return Badge(clock=clock, state=state, used=used, goal=goal, due_at=clock.due_at)


def listed_clocks(tickets: Iterable[Ticket], *, at: datetime) -> dict[int, list[Badge]]:
    """The badges of current SLA clocks by key of the ticket, in one query."""
    rows = (
        Clock.objects.filter(ticket__in=[ticket.pk for ticket in tickets], is_current=True)
        .filter(contract__kind=Contract.Kind.SLA)
        .select_related("contract__calendar", "calendar", "party")
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
    kind: str
    is_from: bool
    """Whether this ticket is the first of the relation, such as the parent or the one that blocks."""


def related(ticket: Ticket, *, most: int = 50) -> list[Related]:
    """The tickets this one is related to, by kind, at most `most`."""
    rows = Relation.objects.filter(Q(from_ticket=ticket) | Q(to_ticket=ticket))
    return [
        Related(
            ticket=row.to_ticket if row.from_ticket_id == ticket.pk else row.from_ticket,
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


def strip(ticket: Ticket, clocks: Sequence[Badge], *, at: datetime) -> HolderSummary:
    """The holder of a ticket at `at`; `clocks` are the ticket's badges."""
    segment = LedgerSegment.objects.filter(ticket=ticket).order_by("-from_at").first()
    holder = Organisation.objects.select_related("calendar").get(pk=ticket.holder_id)
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
    is_ours: bool = False


def shares(segments: Iterable[LedgerSegment], *, at: datetime) -> list[TimeShare]:
    """The ledger summed by charged party, up to the end of the ticket or `at`. The time after the end is left out."""
    sums: dict[tuple[str, str, bool], int] = {}
    for segment in segments:
        if segment.until_at is None and segment.charge == LedgerSegment.Charge.NOBODY:
            continue
        name = segment.charged_to.name if segment.charged_to else segment.get_charge_display()
        key = (name, segment.charge, bool(segment.charged_to and segment.charged_to.is_us))
        end = segment.until_at or max(at, segment.from_at)
        sums[key] = sums.get(key, 0) + _unix(end) - _unix(segment.from_at)
    total = sum(sums.values()) or 1
    found, left = [], 0.0
    for ((name, charge, is_ours), seconds), told in zip(sums.items(), whole_percents(list(sums.values())), strict=True):
        percent = 100 * seconds / total
        found.append(
            TimeShare(name=name, charge=charge, seconds=seconds, percent=percent, left=left, told=told, is_ours=is_ours)
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
