"""Queries on single clocks."""

from __future__ import annotations

from datetime import datetime

from hub.models import Clock
from hub.queries.calendars import calendar_of


def seconds_paused(clock: Clock, *, at: datetime) -> int:
    """Business seconds paused at `at`: those stored when the clock last changed, plus those of a pause since then."""
    paused = clock.paused_seconds
    if clock.state == Clock.State.PAUSED:
        paused += max(0, calendar_of(clock.hours).elapsed(int(clock.as_of.timestamp()), int(at.timestamp())))
    return paused


def seconds_used(clock: Clock, *, at: datetime) -> int:
    """Business seconds used at `at`: those stored when the clock last changed, plus those it has counted since."""
    used = clock.used_seconds
    if clock.state == Clock.State.ACTIVE:
        used += max(0, calendar_of(clock.hours).elapsed(int(clock.as_of.timestamp()), int(at.timestamp())))
    return used
