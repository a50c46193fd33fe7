"""Calendars ready for calculation."""

from __future__ import annotations

from functools import lru_cache

from hub.models import Calendar
from hub.sla import calendars


@lru_cache(maxsize=512)
def _built(pk: int, _content: str) -> calendars.Calendar:
    return calendars.Calendar(Calendar.objects.get(pk=pk).spec())


def calendar_of(row: Calendar) -> calendars.Calendar:
    """The calculating calendar of a row; cached by content."""
    return _built(row.pk, f"{row.public_id}:{row.time_zone}:{row.weekly}:{row.holidays}:{row.exceptions}")
