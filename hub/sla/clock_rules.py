"""The input of a clock: the rule of a contract, and the occurrences of a ticket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import NamedTuple

RESOLVE = "resolve"
"""The type that also ends a wait: after a reopen, the clock is not paused until a status pauses it again."""


class OnChange(StrEnum):
    """Whether a new calendar counts from the change on, or also for the time used so far."""

    CARRY = "carry"
    RETROACTIVE = "retroactive"


class Occurrence(NamedTuple):
    """An event that may affect a clock. ``qualifier`` narrows the type: ``handoff:vendor_a``."""

    at: int
    seq: int
    type: str
    qualifier: str = ""
    status: str | None = None
    priority: str | None = None
    holders: frozenset[str] | None = None
    calendar: str | None = None
    clock: str | None = None
    """With ``calendar``: the only clock that gets the new calendar; None for all clocks."""


@dataclass(frozen=True, kw_only=True)
class ClockRule:
    """The rule of a contract for one target. Event keys are ``type`` or ``type:qualifier``."""

    id: str
    calendar: str
    goals: Mapping[str, int | None]
    """Seconds per priority; if None or missing, time is measured without a goal."""
    start_on: frozenset[str]
    stop_on: frozenset[str] = frozenset()
    resume_on: frozenset[str] = frozenset()
    continue_on: frozenset[str] = frozenset()
    restart_on: frozenset[str] = frozenset()
    pause_on: frozenset[str] = frozenset()
    """Statuses in which the clock is paused."""
    holders: frozenset[str] | None = None
    """The clock is idle unless one of these holds the ticket; None if the holder does not matter."""
    calendar_by_priority: Mapping[str, str] = field(default_factory=dict)
    on_change: OnChange = OnChange.CARRY
    repeats: bool = False
    levels: tuple[int, ...] = ()
    """Percentages of the goal for which instants are calculated."""

    def digest(self) -> str:
        """The same for equal rules, in every process."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=sorted).encode()).hexdigest()
