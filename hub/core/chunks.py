"""Many rows, read a few hundred at a time without a cursor that stays open in the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


def in_chunks(rows: QuerySet[M], *, size: int = 500) -> Iterator[M]:
    """All rows by primary key, `size` with each query, so that memory stays flat.

    PgBouncer in transaction mode has no cursors outside of a transaction, and `QuerySet.iterator` without one reads
    everything at once. A row that is added meanwhile is found if its key is higher than those read already.
    """
    rows = rows.order_by("pk")
    last = None
    while True:
        chunk = list((rows if last is None else rows.filter(pk__gt=last))[:size])
        yield from chunk
        if len(chunk) < size:
            return
        last = chunk[-1].pk
