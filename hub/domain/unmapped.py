"""Values that nobody has given a meaning yet: counted where a person sees them."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from hub.models import UnmappedValue


def saw(*, source: str, field: str, value: str, at: datetime) -> None:
    """Count one more sight of a value without a meaning; seen again after it was settled, it is open again."""
    row, is_new = UnmappedValue.objects.get_or_create(
        source=source,
        field=field,
        value=value[:255],
        defaults={"first_seen_at": at, "last_seen_at": at},
    )
    if not is_new:
        UnmappedValue.objects.filter(pk=row.pk).update(count=F("count") + 1, last_seen_at=at, resolved_at=None)
