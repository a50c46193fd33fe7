"""Wakes the workers as soon as there may be work for them, so that nothing waits for the next sweep.

A wake-up names no row and may be lost: the rows are the queue, and the sweep finds them all the same. Whoever commits
work calls `wake`. A worker in the same process is woken by an event. Workers in other processes are woken

* on PostgreSQL by NOTIFY, if TICKETHUB_LISTEN_URL names a direct session (PgBouncer in transaction mode cannot LISTEN);
  one thread of each process sends it, after the commit and at most every few milliseconds, because a NOTIFY inside a
  transaction would make all commits wait for each other;
* on SQLite by the write-ahead log: every commit changes the file.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection, transaction

log = logging.getLogger(__name__)

CHANNEL = "tickethub_work"
COALESCE_SECONDS = 0.01
"""Wake-ups within this time become one."""
LOG_SECONDS = 0.02
"""How often the write-ahead log of SQLite is looked at; this takes no query."""
RECONNECT_SECONDS = 5.0
"""How long a session that was lost is left alone. Meanwhile the sweep finds the work."""

woken = threading.Event()
"""Set when there may be work. The worker of this process clears it before it looks."""


def wake() -> None:
    """Wake the workers once the current transaction has been committed; at once if there is none."""
    transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    woken.set()
    if settings.LISTEN_URL:
        _notifier.tell()


class _Notifier:
    """Tells the workers of other processes, from a thread with a session of its own."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.name = secrets.token_hex(8)
        """By which this process knows its own notifications."""

    def tell(self) -> None:
        self.asked.set()
        if self.thread is None or not self.thread.is_alive():
            with self.lock:
                if self.thread is None or not self.thread.is_alive():
                    self.thread = threading.Thread(target=self._run, name="notifier", daemon=True)
                    self.thread.start()

    def forget(self) -> None:
        """Start anew in a forked process, which has none of its parent's threads."""
        self.__init__()  # type: ignore[misc]

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                with _session() as session:
                    while True:
                        self.asked.wait()
                        pause.wait(COALESCE_SECONDS)
                        self.asked.clear()
                        session.execute("SELECT pg_notify(%s, %s)", [CHANNEL, self.name])
            except psycopg.Error as error:
                log.warning("Workers are not woken for now, the sweep finds the work: %s", type(error).__name__)
                pause.wait(RECONNECT_SECONDS)


_notifier = _Notifier()
os.register_at_fork(after_in_child=_notifier.forget)


def _session() -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(settings.LISTEN_URL, autocommit=True, connect_timeout=10, keepalives_idle=30)


@contextmanager
def listening() -> Iterator[None]:
    """Set `woken` whenever another process has committed work, until the end of the block."""
    stopped = threading.Event()
    listen = _listen if settings.LISTEN_URL else _watch_log if _log_file() else None
    thread = threading.Thread(target=listen, args=(stopped,), name="listener", daemon=True) if listen else None
    if thread is not None:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        if thread is not None:
            thread.join(2)


def _listen(stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            with _session() as session:
                session.execute(f"LISTEN {CHANNEL}")
                woken.set()  # what was committed before the session stood
                while not stopped.is_set():
                    for notice in session.notifies(timeout=1):
                        if notice.payload != _notifier.name:  # our own: `woken` was set before it was sent
                            woken.set()
        except psycopg.Error as error:
            log.warning("No wake-ups for now, the sweep finds the work: %s", type(error).__name__)
            stopped.wait(RECONNECT_SECONDS)


def _log_file() -> Path | None:
    """SQLite's write-ahead log; None for another database and for one in memory."""
    if connection.vendor != "sqlite" or "memory" in str(connection.settings_dict["NAME"]):
        return None
    return Path(f"{connection.settings_dict['NAME']}-wal")


def _watch_log(stopped: threading.Event) -> None:
    path, seen = _log_file(), 0
    assert path is not None
    while not stopped.wait(LOG_SECONDS):
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            changed = 0
        if changed != seen:
            seen = changed
            woken.set()
