"""The clocks of tickets as stored rows, brought up to date with what the events say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from django.db.models import QuerySet

from hub.core import statements
from hub.domain import clocks
from hub.domain.applicable_contracts import Terms
from hub.domain.checkpoints import Story
from hub.domain.event_loader import Facts
from hub.domain.organisations import Organisations
from hub.models import Clock, Contract, Phase, Span, Ticket
from hub.queries.calendars import calendar_of
from hub.sla.clock_states import ClockState, State


def refold(
    ticket: Ticket,
    events: Sequence[Facts],
    *,
    as_of: datetime,
    is_lazy: bool = False,
    organisations: Organisations | None = None,
) -> None:
    """Update the stored clocks of one ticket from all its events; see `refold_all`."""
    refold_all([Story(ticket, events)], as_of=as_of, is_lazy=is_lazy, organisations=organisations)


def refold_all(
    stories: Sequence[Story],
    *,
    as_of: datetime,
    is_lazy: bool = False,
    organisations: Organisations | None = None,
) -> None:
    """Update the stored clocks of tickets from their events.

    Clocks that have not started have no row. With `is_lazy`, only clocks that the events changed are written: one that
    merely ran on since its row was written keeps the row, with the `as_of` of that time, from which
    `hub.queries.clocks.seconds_used` counts on. The number of statements does not depend on the number of tickets.
    """
    tickets = [story.ticket for story in stories]
    stored = _stored(tickets)
    pinned: dict[int, dict[int, Contract]] = {ticket.pk: {} for ticket in tickets}
    for clock in stored.values():
        pinned[clock.ticket_id][clock.contract_id] = clock.contract
    changed: list[tuple[Clock, ClockState]] = []
    organisations = organisations or Organisations()
    for ticket, folded in clocks.fold_all(stories, organisations, as_of=as_of, pinned=pinned):
        for term, state in folded:
            if state.state is State.NOT_STARTED:
                continue
            for row in rows_of(ticket, term, state):
                known = stored.pop(_key(row), None)
                row.pk = known.pk if known else None
                if known is None or not is_lazy or _has_changed(known, row):
                    changed.append((row, state))
    _write([clock for clock, _state in changed])
    _write_spans(changed)
    if stored:
        Clock.objects.filter(pk__in=[clock.pk for clock in stored.values()]).delete()


_Key = tuple[int, int, str, int, int]


def _key(clock: Clock) -> _Key:
    return clock.ticket_id, clock.contract_id, clock.target, clock.party_id, clock.cycle


def _stored(tickets: Sequence[Ticket]) -> dict[_Key, Clock]:
    found = _of_one(tickets[0].pk) if len(tickets) == 1 else _with_hours(Clock.objects.filter(ticket__in=tickets))
    return {_key(clock): clock for clock in found}


@statements.select
def _of_one(ticket_id: int) -> QuerySet[Clock]:
    return _with_hours(Clock.objects.filter(ticket=ticket_id))


def _with_hours(rows: QuerySet[Clock]) -> QuerySet[Clock]:
    return rows.select_related("calendar", "contract__calendar")


def _write(rows: Sequence[Clock]) -> None:
    """Write new and known clocks; each kind with one statement, however many there are."""
    names = [field.name for field in Clock._meta.concrete_fields if not field.primary_key]
    known = [row for row in rows if row.pk is not None]
    if known:
        Clock.objects.bulk_create(known, update_conflicts=True, unique_fields=["id"], update_fields=names)
    new = [row for row in rows if row.pk is None]
    if new:
        Clock.objects.bulk_create(new)


_COMPARED = (
    "state",
    "revision",
    "goal_seconds",
    "started_at",
    "stopped_at",
    "due_at",
    "breach_at",
    "risk_at",
    "is_breached",
    "breaches",
    "next_fire_at",
    "is_current",
    "calendar_id",
)


def _has_changed(known: Clock, row: Clock) -> bool:
    """Whether the events changed a clock, more than that time has passed for it."""
    if any(getattr(known, name) != getattr(row, name) for name in _COMPARED):
        return True
    passed = calendar_of(known.hours).elapsed(int(known.as_of.timestamp()), int(row.as_of.timestamp()))
    runs, waits = row.state == Clock.State.ACTIVE, row.state == Clock.State.PAUSED
    return (
        passed < 0
        or row.used_seconds != known.used_seconds + (passed if runs else 0)
        or row.paused_seconds != known.paused_seconds + (passed if waits else 0)
    )


def rows_of(ticket: Ticket, term: Terms, state: ClockState) -> Iterator[Clock]:
    """The state as unsaved rows: one per previous cycle, and one for the current cycle."""
    for past in state.previous_cycles:
        yield Clock(
            ticket=ticket,
            contract=term.contract,
            target=term.target,
            party=term.party,
            cycle=past.cycle,
            is_current=False,
            state=Clock.State.STOPPED,
            goal_seconds=past.goal,
            used_seconds=past.elapsed,
            as_of=_when(past.ended_at),
            stopped_at=_when(past.ended_at),
            is_breached=past.breached,
            breaches=_breaches(state, past.cycle),
        )
    yield _current_row(ticket, term, state)


def _current_row(ticket: Ticket, term: Terms, state: ClockState) -> Clock:
    fires_at = None if state.breached or state.state is not State.ACTIVE else state.breach_at
    return Clock(
        ticket=ticket,
        contract=term.contract,
        target=term.target,
        party=term.party,
        calendar_id=int(state.calendar),
        cycle=state.cycle,
        state=Clock.State.CANCELLED if _was_cancelled(ticket, state) else state.state.value,
        revision=state.revision,
        goal_seconds=state.goal,
        used_seconds=state.elapsed,
        paused_seconds=state.paused,
        as_of=_when(state.as_of),
        started_at=_when_known(state.started_at),
        stopped_at=_when_known(state.stopped_at),
        due_at=_when_known(state.due_at),
        projected_due_at=_when_known(state.projected_due_at),
        breach_at=_when_known(state.breach_at),
        risk_at=_when_known(state.risk_at),
        is_breached=state.breached,
        breaches=_breaches(state, state.cycle),
        next_fire_at=_when_known(fires_at),
    )


def _was_cancelled(ticket: Ticket, state: ClockState) -> bool:
    return ticket.phase == Phase.CANCELLED and state.state is State.STOPPED


def _breaches(state: ClockState, cycle: int) -> list[dict[str, int | str]]:
    return [
        {"revision": b.revision, "at": b.at, "cause": b.cause, "goal": b.goal}
        for b in state.breaches
        if b.cycle == cycle
    ]


def spans_of(clock: Clock, state: ClockState) -> list[Span]:
    """The periods of one cycle as rows. The last one has no end while the clock is not stopped, however short it is."""
    rows = [
        Span(clock=clock, state=span.state.value, from_at=_when(span.start), until_at=_when(span.end))
        for span in state.spans
        if span.cycle == clock.cycle and span.end > span.start and span.state is not State.STOPPED
    ]
    if clock.is_current and state.state is not State.STOPPED:
        if rows and rows[-1].state == state.state.value and rows[-1].until_at == _when(state.as_of):
            rows[-1].until_at = None
        else:
            rows.append(Span(clock=clock, state=state.state.value, from_at=_when(state.as_of)))
    return rows


def _write_spans(changed: Sequence[tuple[Clock, ClockState]]) -> None:
    """Bring the spans of these clocks up to date; of each, only those from the first difference on are written."""
    if not changed:
        return
    stored: dict[int, list[Span]] = {clock.pk: [] for clock, _state in changed}
    for span in Span.objects.filter(clock__in=list(stored)).order_by("from_at", "pk"):
        stored[span.clock_id].append(span)
    gone: list[int] = []
    new: list[Span] = []
    for clock, state in changed:
        before, after = stored[clock.pk], spans_of(clock, state)
        same = 0
        while same < min(len(before), len(after)) and _same(before[same], after[same]):
            same += 1
        gone += [span.pk for span in before[same:]]
        new += after[same:]
    if gone:
        Span.objects.filter(pk__in=gone).delete()
    if new:
        Span.objects.bulk_create(new)


def _same(a: Span, b: Span) -> bool:
    return (a.state, a.from_at, a.until_at) == (b.state, b.from_at, b.until_at)


def _when(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _when_known(at: int | None) -> datetime | None:
    return None if at is None else _when(at)
