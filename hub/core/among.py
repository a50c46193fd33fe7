"""Which of several queries have rows: asked once, so that only what there is has to be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet


def with_rows(queries: Mapping[str, QuerySet[Any]]) -> frozenset[str]:
    """The names of the queries that have rows. One query for all of them; none without queries."""
    if not queries:
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(*statement(queries.values()))
        [found] = cursor.fetchall()
    return frozenset(name for name, has_rows in zip(queries, found, strict=True) if has_rows)


def statement(queries: Iterable[QuerySet[Any]]) -> tuple[str, Sequence[Any]]:
    """The statement that says of each query whether it has rows, with its parameters."""
    parts: list[str] = []
    values: list[Any] = []
    for rows in queries:
        try:
            sql, parameters = rows.query.exists().get_compiler(rows.db).as_sql()
        except EmptyResultSet:
            sql, parameters = "SELECT 1 WHERE 1 = 0", ()
        parts.append(f"EXISTS ({sql})")
        values += parameters
    return f"SELECT {', '.join(parts)}", values
