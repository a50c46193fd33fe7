"""Consecutive numbers: a native sequence on PostgreSQL, a counter row on other databases."""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import F

from hub.models import Sequence

FIRST_TICKET = 1001


def take(name: str, count: int = 1) -> list[int]:
    """The next `count` numbers of a sequence. There may be gaps, never duplicates."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval(%s) FROM generate_series(1, %s)", [f"hub_{name}_sequence", count])
            return [row[0] for row in cursor.fetchall()]
    with transaction.atomic():
        Sequence.objects.filter(name=name).update(last=F("last") + count)
        last = Sequence.objects.get(name=name).last
    return list(range(last - count + 1, last + 1))
