"""What a clock is folded from: the rule of a contract, and the occurrences of a ticket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

RESOLVE = "resolve"
"""The type that ends a wait: after a reopen the ticket is open until a status says otherwise (rule 14)."""


class OnChange(StrEnum):
    CARRY = "carry"
    RETROACTIVE = "retroactive"


class Occurrence(NamedTuple):
    """One thing a clock may care about. ``qualifier`` narrows the type: ``handoff:vendor_a``."""

    at: int
    seq: int
    type: str
    qualifier: str = ""
    status: str | None = None
    priority: str | None = None
    holders: frozenset[str] | None = None
    calendar: str | None = None
    clock: str | None = None
    """With ``calendar``: the only clock the new calendar is for; None is every clock."""


@dataclass(frozen=True, kw_only=True)
class ClockRule:
    """What a contract says of one target. Event keys are ``type`` or ``type:qualifier``."""

    id: str
    calendar: str
    goals: Mapping[str, int | None]
    """Seconds per priority; None or a missing priority is measured without a target."""
    start_on: frozenset[str]
    stop_on: frozenset[str] = frozenset()
    resume_on: frozenset[str] = frozenset()
    continue_on: frozenset[str] = frozenset()
    restart_on: frozenset[str] = frozenset()
    pause_on: frozenset[str] = frozenset()
    """Statuses in which the clock stands still."""
    holders: frozenset[str] | None = None
    """Idle unless one of these holds the ticket; None counts whoever holds it."""
    calendar_by_priority: Mapping[str, str] = field(default_factory=dict)
    on_change: OnChange = OnChange.CARRY
    repeats: bool = False
    levels: tuple[int, ...] = ()
    """Percent of the goal whose instants are wanted."""
