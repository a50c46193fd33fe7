"""Answers in the event loop to open pages that ask whether anything has changed; called by `hub.front`.

Thousands of pages ask every two seconds, and the answer is almost always the same. So all that ask within a tenth of a
second share one read of the database, and neither a thread nor a session is needed for each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from django.conf import settings
from django.db import DatabaseError, close_old_connections

KEPT_SECONDS = 0.1
Threaded = Callable[[Callable[[], str]], Awaitable[str]]
"""Calls a function in a thread."""


class Polled(Protocol):
    """A module that knows whether anything has changed."""

    def cursor_of(self, query: bytes, /) -> str | None:
        """The cursor in a query string with a valid pass; None without one. Called in the event loop."""

    def newest(self) -> str:
        """The cursor of a page made now. Reads the database, so it is called in a thread."""


class Polls:
    """Whether a page is still current, by one read for everybody who asks at about the same time."""

    def __init__(self, in_thread: Threaded) -> None:
        self._in_thread = in_thread
        self._read: asyncio.Future[str] | None = None
        self._began = 0.0

    async def is_current(self, path: str, query: bytes) -> bool:
        """Whether this is a poll with a valid pass and nothing has changed since its cursor.

        False means only that the usual way has to answer.
        """
        if path != settings.POLLED_PATH:
            return False
        polled = _polled()
        cursor = polled.cursor_of(query)
        try:
            return cursor is not None and cursor == await self._newest(polled)
        except DatabaseError:
            return False

    async def _newest(self, polled: Polled) -> str:
        """The newest cursor, read at most `KEPT_SECONDS` ago."""
        at = asyncio.get_running_loop().time()
        if self._read is None or (self._read.done() and at - self._began >= KEPT_SECONDS):
            self._began = at
            self._read = asyncio.ensure_future(self._in_thread(lambda: _read(polled)))
        return await asyncio.shield(self._read)


def _read(polled: Polled) -> str:
    try:
        return polled.newest()
    finally:
        close_old_connections()


@cache
def _polled() -> Polled:
    return cast(Polled, import_module(settings.POLLED_BY))
