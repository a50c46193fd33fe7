"""Which of several queries have rows: a page asks once, and then reads only what there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet


def with_rows(queries: Mapping[str, QuerySet[Any]]) -> frozenset[str]:
    """The names of the queries that have rows. One query for all of them."""
    parts: list[str] = []
    values: list[Any] = []
    for rows in queries.values():
        try:
            sql, parameters = rows.query.exists().get_compiler(connection=connection).as_sql()
        except EmptyResultSet:
            sql, parameters = "SELECT 1 WHERE 1 = 0", ()
        parts.append(f"EXISTS ({sql})")
        values += parameters
    if not parts:
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", values)
        [found] = cursor.fetchall()
    return frozenset(name for name, has_rows in zip(queries, found, strict=True) if has_rows)
