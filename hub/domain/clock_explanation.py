"""A clock explained line by line: what was counted, what was not, and why; the lines add up to the time used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.domain import clocks, event_loader
from hub.domain.applicable_contracts import Terms
from hub.domain.checkpoints import Story
from hub.domain.organisations import Organisations
from hub.models import Calendar, Clock
from hub.queries.calendars import calendar_of
from hub.sla.clock_states import Breach, ClockState, Piece, Span, State


@dataclass(frozen=True, kw_only=True)
class Step:
    """A period of a clock in one state. Amounts are seconds of working time."""

    from_at: datetime
    until_at: datetime | None
    """None for the period that has not ended."""
    state: State
    counted: int
    """What the clock counted in this period."""
    left_out: int
    """Working time that the clock did not count: while it was paused, or without the ticket."""
    total: int
    """What the clock had counted at the end of the period."""
    calendar: Calendar | None


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The arithmetic of one clock at an instant."""

    clock: Clock
    state: ClockState
    steps: list[Step]
    breaches: list[Breach]

    @property
    def used(self) -> int:
        return self.state.elapsed


def explain(clock: Clock, *, at: datetime) -> Explanation | None:
    """The current cycle of a stored clock, folded again from the events; None if its contract no longer applies.

    Raises nothing and changes nothing: the fold is the one that `hub.domain.clock_rows` stores.
    """
    story = Story(clock.ticket, event_loader.load(clock.ticket))
    rows = Clock.objects.filter(ticket=clock.ticket_id).select_related("contract__calendar", "calendar")
    pinned = {clock.ticket_id: {row.contract_id: row.contract for row in rows}}
    [(_ticket, folded)] = clocks.fold_all([story], Organisations(), as_of=at, pinned=pinned)
    for term, state in folded:
        if _is_of(term, clock) and state.cycle == clock.cycle:
            calendars = _calendars(term)
            return Explanation(
                clock=clock,
                state=state,
                steps=list(steps(state, calendars)),
                breaches=[breach for breach in state.breaches if breach.cycle == state.cycle],
            )
    return None


def _is_of(term: Terms, clock: Clock) -> bool:
    return (term.contract.pk, str(term.target), term.party.pk) == (clock.contract_id, clock.target, clock.party_id)


def _calendars(term: Terms) -> dict[str, Calendar]:
    """The calendars that the clock may count in, by the keys of the fold."""
    own = {str(each.calendar_id): each.calendar for each in term.contract.targets.all() if each.calendar is not None}
    return {str(term.contract.calendar_id): term.contract.calendar} | own


def steps(state: ClockState, calendars: Mapping[str, Calendar]) -> Iterable[Step]:
    """The periods of the current cycle in order; what they counted adds up to `state.elapsed`."""
    total = 0
    spans = [span for span in state.spans if span.cycle == state.cycle and span.end > span.start]
    for number, span in enumerate(spans):
        counted = sum(_working(calendars, piece) for piece in _within(span, state.pieces))
        total += counted
        has_ended = number < len(spans) - 1 or state.state is State.STOPPED
        whole = _working(calendars, Piece(span.start, span.end, span.calendar))
        yield Step(
            from_at=_when(span.start),
            until_at=_when(span.end) if has_ended else None,
            state=span.state,
            counted=counted,
            left_out=whole if not counted and span.state is not State.ACTIVE else 0,
            total=total,
            calendar=calendars.get(span.calendar),
        )


def _within(span: Span, pieces: Iterable[Piece]) -> Iterable[Piece]:
    """The parts of the pieces that lie in the period."""
    for piece in pieces:
        start, end = max(span.start, piece.start), min(span.end, piece.end)
        if start < end:
            yield piece._replace(start=start, end=end)


def _working(calendars: Mapping[str, Calendar], piece: Piece) -> int:
    return calendar_of(calendars[piece.calendar]).elapsed(piece.start, piece.end)


def _when(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)
