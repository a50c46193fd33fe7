"""One clock on its way through the occurrences of a ticket: what `clocks.fold` folds into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from .calendars import DAY, Calendar
from .clock_rules import RESOLVE, ClockRule, Occurrence, OnChange
from .clock_states import Breach, ClockState, Cycle, Piece, Span, State

HORIZON = 400 * DAY


class ClockRun:
    """The state of one clock while the occurrences pass; it can be saved and continued later."""

    def __init__(self, rule: ClockRule, calendars: Mapping[str, Calendar]) -> None:
        self.rule = rule
        self.calendars = calendars
        self.calendar_key = rule.calendar
        self.calendar = calendars[rule.calendar]
        self.forced_calendar: str | None = None
        self.priority: str | None = None
        self.status: str | None = None
        self.holders: frozenset[str] | None = None
        self.is_started = self.is_stopped = False
        self.state = State.NOT_STARTED
        self.at = 0
        self.cycle = self.revision = self.used = self.paused = 0
        self.goal: int | None = None
        self.started_at: int | None = None
        self.stopped_at: int | None = None
        self.breaches: list[Breach] = []
        self.past_cycles: list[Cycle] = []
        self.pieces: list[Piece] = []
        self.gap: list[Piece] = []
        self.spans: list[Span] = []

    def take(self, occurrences: Iterable[Occurrence], *, until: int) -> None:
        """Let the occurrences pass, in order; those after `until` are left out."""
        for occurrence in occurrences:
            if occurrence.at > until:
                break
            self.advance(occurrence.at)
            self.apply(occurrence)

    def advance(self, to: int) -> None:
        """Count the period ``[self.at, to)``, in which nothing changes."""
        start, self.at = self.at, to
        if not self.is_started or to <= start:
            return
        if self.state is State.ACTIVE:
            self._count(start, to)
        elif self.state is State.PAUSED:
            self.paused += self.calendar.elapsed(start, to)
        elif self.state is State.STOPPED and self.rule.continue_on and self._running() is State.ACTIVE:
            _join(self.gap, Piece(start, to, self.calendar_key))
        self._append_span(start, to)

    def _count(self, start: int, to: int) -> None:
        counted = self.calendar.elapsed(start, to)
        goal = self.goal
        if goal is not None and self.used <= goal < self.used + counted:
            passed = self.calendar.add(start, goal - self.used, limit=to)
            beyond = None if passed is None else self.calendar.next_open(passed, limit=to)
            assert beyond is not None  # counted seconds beyond the goal lie in [start, to)
            self._breach(beyond, "time")
        self.used += counted
        _join(self.pieces, Piece(start, to, self.calendar_key))

    def _append_span(self, start: int, to: int) -> None:
        last = self.spans[-1] if self.spans else None
        if (
            last
            and last.end == start
            and (last.cycle, last.state, last.calendar) == (self.cycle, self.state, self.calendar_key)
        ):
            self.spans[-1] = last._replace(end=to)
        else:
            self.spans.append(Span(self.cycle, start, to, self.state, self.calendar_key))

    def apply(self, occurrence: Occurrence) -> None:
        if occurrence.status is not None:
            self.status = occurrence.status
        elif occurrence.type == RESOLVE:
            self.status = None
        if occurrence.holders is not None:
            self.holders = occurrence.holders
        if occurrence.priority is not None:
            self.priority = occurrence.priority
        if occurrence.calendar is not None and occurrence.clock in (None, self.rule.id):
            self.forced_calendar = occurrence.calendar
        self._change(occurrence)
        if self.is_started:
            self.state = State.STOPPED if self.is_stopped else self._running()

    def _change(self, occurrence: Occurrence) -> None:
        """Start, stop, resume or restart the clock, then apply a new goal or calendar."""
        rule = self.rule
        keys = {occurrence.type, f"{occurrence.type}:{occurrence.qualifier}"}
        cause = "change"
        if not self.is_started:
            if keys & rule.start_on:
                self._start(occurrence.at)
            return
        if keys & rule.restart_on or (rule.repeats and self.is_stopped and keys & rule.start_on):
            self._restart(occurrence.at)
            return
        if self.is_stopped:
            if keys & rule.continue_on:
                self._merge_gap()
                cause = "reopen"
            elif not keys & rule.resume_on:
                return
            self.is_stopped, self.stopped_at, self.gap = False, None, []
        elif keys & rule.stop_on:
            self.is_stopped, self.stopped_at = True, occurrence.at
            return
        if self._adopt_terms(occurrence.at):
            cause = "change"
        if self.goal is not None and self.used > self.goal and not self._has_breached():
            self._breach(occurrence.at, cause)

    def _start(self, at: int) -> None:
        self.is_started, self.started_at = True, at
        self.calendar_key, self.goal = self._terms()
        self.calendar = self.calendars[self.calendar_key]

    def _restart(self, at: int) -> None:
        self.past_cycles.append(Cycle(self.cycle, self.used, self.goal, self._is_beyond(), at))
        self.cycle += 1
        self.revision = self.used = self.paused = 0
        self.pieces, self.gap = [], []
        self.is_stopped, self.stopped_at = False, None
        self._start(at)

    def _merge_gap(self) -> None:
        self.used += self._counted(self.gap)
        for piece in self.gap:
            _join(self.pieces, piece)

    def _counted(self, pieces: Iterable[Piece]) -> int:
        return sum(self.calendars[piece.calendar].elapsed(piece.start, piece.end) for piece in pieces)

    def _terms(self) -> tuple[str, int | None]:
        """The calendar key and the goal that apply now."""
        priority = self.priority or ""
        key = self.rule.calendar_by_priority.get(priority) or self.forced_calendar or self.rule.calendar
        return key, self.rule.goals.get(priority)

    def _adopt_terms(self, at: int) -> bool:
        """Apply a new goal or calendar; returns whether there was one."""
        key, goal = self._terms()
        if (key, goal) == (self.calendar_key, self.goal):
            return False
        self.revision += 1
        self.goal = goal
        if key != self.calendar_key:
            self.calendar_key, self.calendar = key, self.calendars[key]
            if self.rule.on_change is OnChange.RETROACTIVE:
                self.pieces = [piece._replace(calendar=key) for piece in self.pieces]
                self.used = self._counted(self.pieces)
        return True

    def _running(self) -> State:
        """The state of a started clock. Idle precedes paused: an organisation without the ticket cannot be waiting."""
        if self.rule.holders is not None and not (self.holders and self.rule.holders & self.holders):
            return State.IDLE
        return State.PAUSED if self.status in self.rule.pause_on else State.ACTIVE

    def _is_beyond(self) -> bool:
        return self.goal is not None and self.used > self.goal

    def _has_breached(self) -> bool:
        return any((b.cycle, b.revision) == (self.cycle, self.revision) for b in self.breaches)

    def _breach(self, at: int, cause: str) -> None:
        assert self.goal is not None
        if not self._has_breached():
            self.breaches.append(Breach(self.cycle, self.revision, at, cause, self.goal))

    def report(self, as_of: int) -> ClockState:
        """The state at `as_of`; the run has gone on until then, and takes nothing earlier."""
        self.advance(as_of)
        if not self.is_started:
            return ClockState(id=self.rule.id, as_of=as_of, state=State.NOT_STARTED, priority=self.priority)
        projected = None if self.goal is None else self._reached(self.goal, as_of)
        is_known = self.state in (State.ACTIVE, State.STOPPED) or (self.goal is not None and self.used >= self.goal)
        due_at = projected if is_known else None
        return ClockState(
            id=self.rule.id,
            as_of=as_of,
            state=self.state,
            priority=self.priority,
            cycle=self.cycle,
            revision=self.revision,
            elapsed=self.used,
            paused=self.paused,
            goal=self.goal,
            breached=self._is_beyond(),
            breaches=tuple(self.breaches),
            previous_cycles=tuple(self.past_cycles),
            started_at=self.started_at,
            stopped_at=self.stopped_at,
            due_at=due_at,
            projected_due_at=projected,
            breach_at=self._breach_at(due_at, as_of),
            risk_at=self._risk_at(as_of),
            levels={level: self._level(level, as_of) for level in self.rule.levels},
            spans=tuple(self.spans),
            pieces=tuple(self.pieces),
            calendar=self.calendar_key,
        )

    def _breach_at(self, due_at: int | None, as_of: int) -> int | None:
        if self._is_beyond():
            return next(b.at for b in self.breaches if (b.cycle, b.revision) == (self.cycle, self.revision))
        if due_at is None or self.state is not State.ACTIVE:
            return None
        return self.calendar.next_open(max(due_at, as_of), limit=as_of + HORIZON)

    def _risk_at(self, as_of: int) -> int | None:
        if self.goal is None or self.state is not State.ACTIVE or self._is_beyond():
            return None
        return self._reached(at_risk_from(self.goal), as_of)

    def _level(self, percent: int, as_of: int) -> int | None:
        if self.goal is None:
            return None
        amount = -(-self.goal * percent // 100)
        is_known = self.state in (State.ACTIVE, State.STOPPED) or self.used >= amount
        return self._reached(amount, as_of) if is_known else None

    def _reached(self, amount: int, as_of: int) -> int | None:
        """The instant at which ``amount`` was reached, or will be if the clock runs on from now (or from its stop)."""
        if amount <= 0:
            return self.started_at
        before = 0
        for piece in self.pieces:
            calendar = self.calendars[piece.calendar]
            counted = calendar.elapsed(piece.start, piece.end)
            if before + counted >= amount:
                return calendar.add(piece.start, amount - before, limit=piece.end)
            before += counted
        start = as_of if self.stopped_at is None else self.stopped_at
        return self.calendar.add(start, amount - before, limit=start + HORIZON)

    # -- saved and continued

    def saved(self) -> dict[str, Any]:
        """The state as plain JSON, from which `continued` goes on."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        lists = {name: list(getattr(self, name)) for name in ("breaches", "past_cycles", "pieces", "gap", "spans")}
        return plain | lists | {"holders": None if self.holders is None else sorted(self.holders)}

    @classmethod
    def continued(cls, rule: ClockRule, calendars: Mapping[str, Calendar], saved: Mapping[str, Any]) -> Self:
        """The clock as it was saved, by the same rule and calendars."""
        run = cls(rule, calendars)
        for name in _PLAIN:
            setattr(run, name, saved[name])
        run.state = State(saved["state"])
        run.calendar = calendars[run.calendar_key]
        run.holders = None if saved["holders"] is None else frozenset(saved["holders"])
        run.breaches = [Breach(*each) for each in saved["breaches"]]
        run.past_cycles = [Cycle(*each) for each in saved["past_cycles"]]
        run.pieces, run.gap = ([Piece(*each) for each in saved[name]] for name in ("pieces", "gap"))
        run.spans = [Span(*each)._replace(state=State(each[3])) for each in saved["spans"]]
        return run


_PLAIN = (
    "calendar_key",
    "forced_calendar",
    "priority",
    "status",
    "is_started",
    "is_stopped",
    "state",
    "at",
    "cycle",
    "revision",
    "used",
    "paused",
    "goal",
    "started_at",
    "stopped_at",
)
"""What of a run is JSON as it stands."""


def at_risk_from(goal: int) -> int:
    """The seconds used from which a clock is at risk: three quarters of the goal, or all but the last hour if earlier.

    >>> at_risk_from(8 * 3600) / 3600, at_risk_from(2 * 3600) / 3600, at_risk_from(1800)
    (6.0, 1.0, 0)
    """
    return min(-(-goal * 3 // 4), max(0, goal - 3600))


def _join(pieces: list[Piece], piece: Piece) -> None:
    """Add a piece; one that goes on where the last ended, by the same calendar, makes it longer."""
    last = pieces[-1] if pieces else None
    if last and last.end == piece.start and last.calendar == piece.calendar:
        pieces[-1] = last._replace(end=piece.end)
    else:
        pieces.append(piece)
