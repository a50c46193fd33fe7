"""Queries that are run again and again with nothing but the time changed: compiled once, then only filled in.

Django builds and compiles a query anew each time it is run, which costs more than the database takes for the answer.
A query is compiled at two pairs of times; the parameters that differ are times, at a fixed distance from one of the two
clocks, and are filled in whenever the query is run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet

from hub.core import clock
from hub.core.clock import Times

_DAY = timedelta(days=1)
_FIRST = Times(datetime(2001, 1, 1, tzinfo=UTC), datetime(2011, 1, 1, tzinfo=UTC))
_SECOND = Times(_FIRST.record + _DAY, _FIRST.system + 3 * _DAY)


class _Moment(NamedTuple):
    """A parameter that is a time."""

    clock: str
    """``record`` or ``system``."""
    distance: timedelta


class Compiled:
    """One query; `build` returns its text and parameters, and reads the time only from `hub.core.clock`."""

    def __init__(self, build: Callable[[], tuple[str, Sequence[Any]]]) -> None:
        """Raises ValueError if the query depends on the time in another way than by parameters."""
        with clock.standing(_FIRST):
            self.sql, first = build()
        with clock.standing(_SECOND):
            again, second = build()
        if self.sql != again or len(first) != len(second):
            raise ValueError("The query itself depends on the time.")
        self.parameters = [_moment(one, other) for one, other in zip(first, second, strict=True)]

    def rows(self) -> list[tuple[Any, ...]]:
        """Run the query now."""
        at = clock.times()
        filled = [
            connection.ops.adapt_datetimefield_value(getattr(at, each.clock) + each.distance)
            if isinstance(each, _Moment)
            else each
            for each in self.parameters
        ]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, filled)
            return list(cursor.fetchall())


def run(build: Callable[[], QuerySet[Any, Any]]) -> list[tuple[Any, ...]]:
    """The rows of a query that gives tuples, as the database has them; compiled once for each function."""
    return _compiled(build, connection.vendor).rows()


@lru_cache(maxsize=64)
def _compiled(build: Callable[[], QuerySet[Any, Any]], _vendor: str) -> Compiled:
    def text() -> tuple[str, Sequence[Any]]:
        rows = build()
        sql, values = rows.query.get_compiler(rows.db).as_sql()
        return sql, values

    return Compiled(text)


def _moment(one: Any, other: Any) -> Any:
    """The parameter itself, or the time that it is. Raises ValueError if it changes and is no such time."""
    if one == other:
        return one
    first, second = _time(one), _time(other)
    for name in Times._fields:
        distance = first - getattr(_FIRST, name)
        if second - getattr(_SECOND, name) == distance:
            return _Moment(name, distance)
    raise ValueError(f"The parameter {one!r} becomes {other!r}.")


def _time(value: Any) -> datetime:
    """A parameter as a time; SQLite gets times as text in UTC."""
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
