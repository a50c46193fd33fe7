"""The state of a clock: the result of the fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    NOT_STARTED = "not_started"
    ACTIVE = "active"
    PAUSED = "paused"
    IDLE = "idle"
    STOPPED = "stopped"


class Breach(NamedTuple):
    cycle: int
    revision: int
    at: int
    cause: str
    goal: int


class Cycle(NamedTuple):
    cycle: int
    elapsed: int
    goal: int | None
    breached: bool
    ended_at: int


class Piece(NamedTuple):
    """A half-open stretch of counted time, with the key of the calendar that counts."""

    start: int
    end: int
    calendar: str


class Span(NamedTuple):
    """A half-open period of one cycle in one state; ``calendar`` is the calendar in force."""

    cycle: int
    start: int
    end: int
    state: State
    calendar: str


@dataclass(frozen=True, kw_only=True)
class ClockState:
    """The state of a clock at ``as_of``. Instants are Unix seconds, None if unknown; amounts are seconds."""

    id: str
    as_of: int
    state: State
    priority: str | None
    cycle: int = 0
    revision: int = 0
    elapsed: int = 0
    paused: int = 0
    """Business seconds spent paused in this cycle."""
    goal: int | None = None
    breached: bool = False
    breaches: tuple[Breach, ...] = ()
    previous_cycles: tuple[Cycle, ...] = ()
    started_at: int | None = None
    stopped_at: int | None = None
    due_at: int | None = None
    projected_due_at: int | None = None
    breach_at: int | None = None
    risk_at: int | None = None
    """From when a running clock is at risk: see `hub.sla.clock_runs.at_risk_from`."""
    levels: Mapping[int, int | None] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    pieces: tuple[Piece, ...] = ()
    """What of the current cycle is counted: the working time in the pieces adds up to ``elapsed``."""
    calendar: str = ""
    """The key of the calendar in force."""

    @property
    def remaining(self) -> int | None:
        return None if self.goal is None else self.goal - self.elapsed
