"""Counts values of other systems that have no meaning assigned."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from hub.models import UnmappedValue


def saw(*, source: str, field: str, value: str, at: datetime) -> None:
    """Count one occurrence of an unmapped value. A value that had been resolved is unresolved again."""
    row, is_new = UnmappedValue.objects.get_or_create(
        source=source,
        field=field,
        value=value[:255],
        defaults={"first_seen_at": at, "last_seen_at": at},
    )
    if not is_new:
        UnmappedValue.objects.filter(pk=row.pk).update(count=F("count") + 1, last_seen_at=at, resolved_at=None)
