"""Queries on single clocks."""

from __future__ import annotations

from datetime import datetime

from hub.models import Calendar, Clock
from hub.queries.calendars import calendar_of


def seconds_since(hours: Calendar, since: datetime, *, at: datetime) -> int:
    """Business seconds from `since` to `at`; none if `at` is earlier."""
    return max(0, calendar_of(hours).elapsed(int(since.timestamp()), int(at.timestamp())))


def seconds_paused(clock: Clock, *, at: datetime) -> int:
    """Business seconds paused at `at`: those stored when the clock last changed, plus those of a pause since then."""
    paused = clock.paused_seconds
    if clock.state == Clock.State.PAUSED:
        paused += seconds_since(clock.hours, clock.as_of, at=at)
    return paused


def seconds_used(clock: Clock, *, at: datetime) -> int:
    """Business seconds used at `at`: those stored when the clock last changed, plus those it has counted since."""
    used = clock.used_seconds
    if clock.state == Clock.State.ACTIVE:
        used += seconds_since(clock.hours, clock.as_of, at=at)
    return used
