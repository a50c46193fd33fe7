"""A response that is sent while it is still being made: one thread writes, the event loop reads.

The thread never waits for the client: what was not sent yet is kept, beyond `IN_MEMORY` bytes in a temporary file.
"""

from __future__ import annotations

import asyncio
import threading
from tempfile import SpooledTemporaryFile

IN_MEMORY = 64 * 1024
"""Bytes of a body or response that are kept in memory; more go to a temporary file."""


class Dropped(Exception):
    """The client reads no further: making the rest is pointless."""


class Unfinished(Exception):
    """The response could not be made to its end. The connection has to be aborted, so that the client notices."""


class Streamed:
    """What has been made of a response."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._more, self._lock = loop, asyncio.Event(), threading.Lock()
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by close()
        self._written = self._taken = 0
        self._is_over = self._has_failed = False

    # -- in the thread

    def write(self, part: bytes) -> None:
        """Add a part. Raises Dropped if the client has gone."""
        with self._lock:
            if self._file.closed:
                raise Dropped
            self._file.seek(self._written)
            self._file.write(part)
            self._written += len(part)
        self._wake()

    def end(self, *, has_failed: bool = False) -> None:
        """No part follows; `has_failed` if some are missing."""
        with self._lock:
            self._is_over, self._has_failed = True, has_failed
        self._wake()

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._more.set)

    # -- in the event loop

    async def read(self, most: int) -> bytes:
        """The next part of at most so many bytes, as soon as there is one; empty at the end. Raises Unfinished."""
        while True:
            with self._lock:
                if self._taken < self._written:
                    self._file.seek(self._taken)
                    part = self._file.read(min(most, self._written - self._taken))
                    self._taken += len(part)
                    return part
                if self._has_failed:
                    raise Unfinished
                if self._is_over:
                    return b""
                self._more.clear()  # whoever writes sets it after this, in this loop
            await self._more.wait()

    def close(self) -> None:
        """Drop what was not read."""
        with self._lock:
            self._file.close()
