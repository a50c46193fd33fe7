"""Reading for pages on which every query is another one: planned for its own values, and given up after a while."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
from django.db import OperationalError, connection, transaction

STEPS = 20_000
"""After so many steps, SQLite asks whether it should go on: a few milliseconds."""


class TooSlow(Exception):
    """The database was given up on, since people do not wait that long."""


@contextmanager
def planned(*, seconds: float | None = None) -> Iterator[None]:
    """Plan each query in here for its own values; on PostgreSQL, this is one transaction.

    A session that keeps its statements prepared may run one that it knows with a plan that must do for all values. Such
    a plan cannot use an index of open tickets only, and knows nothing of how many tickets match: it takes seconds where
    one for the values takes milliseconds (docs/decisions/0060). After `seconds`, a statement is given up: TooSlow.
    """
    reading = _on_postgresql(seconds) if connection.vendor == "postgresql" else _on_sqlite(seconds)
    with reading:
        yield


@contextmanager
def _on_postgresql(seconds: float | None) -> Iterator[None]:
    wanted = {"plan_cache_mode": "force_custom_plan"}
    if seconds is not None:
        wanted["statement_timeout"] = str(int(1000 * seconds))
    try:
        with nullcontext() if connection.in_atomic_block else transaction.atomic():
            _set(wanted)
            try:
                yield
            finally:  # within another transaction, it would last as long as that one
                _set(dict.fromkeys(wanted, "DEFAULT"))
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise TooSlow from error
        raise


def _set(values: dict[str, str]) -> None:
    """Settings of this transaction, which PgBouncer leaves to it. None of them is counted as a query of the page.

    They end with a transaction that has failed, and with its session, anyway.
    """
    session: Any = connection.connection
    if session is None or session.closed or session.info.transaction_status == psycopg.pq.TransactionStatus.INERROR:
        return
    session.execute(";".join(f"SET LOCAL {name} TO {value}" for name, value in values.items()), prepare=False)


@contextmanager
def _on_sqlite(seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return
    connection.ensure_connection()
    session, until = connection.connection, time.monotonic() + seconds
    session.set_progress_handler(lambda: time.monotonic() > until, STEPS)
    try:
        yield
    except OperationalError as error:
        if str(error) == "interrupted":
            raise TooSlow from error
        raise
    finally:
        session.set_progress_handler(None, 0)
