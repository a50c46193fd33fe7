"""Calendars ready for sums."""

from __future__ import annotations

from functools import lru_cache

from hub.models import Calendar
from hub.sla import calendars


@lru_cache(maxsize=512)
def _built(pk: int, _content: str) -> calendars.Calendar:
    return calendars.Calendar(Calendar.objects.get(pk=pk).spec())


def calendar_of(row: Calendar) -> calendars.Calendar:
    """The sums of a calendar row; kept, because a published row never changes."""
    return _built(row.pk, f"{row.public_id}:{row.time_zone}:{row.weekly}:{row.holidays}:{row.exceptions}")
