"""Queries on single clocks."""

from __future__ import annotations

from datetime import datetime

from hub.models import Clock
from hub.queries.calendars import calendar_of


def seconds_used(clock: Clock, *, at: datetime) -> int:
    """Business seconds used at `at`: those stored with the last event, plus those a running clock has counted since."""
    used = clock.used_seconds
    if clock.state == Clock.State.ACTIVE:
        used += max(0, calendar_of(clock.hours).elapsed(int(clock.as_of.timestamp()), int(at.timestamp())))
    return used
