"""Sessions that a worker keeps from one piece of work to the next, so that a host is not dialled anew each time.

Setting up TLS takes two round trips and more processor time than the request itself. A kept session is used by one
thread at a time, for the same connection under the same policy, and holds no credentials or cookies.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import requests

LONGEST_SECONDS = 60.0
"""How long a session is used at all: then the host's address is looked up, and checked, again."""
IDLE_SECONDS = 4.0
"""How long an idle session is kept. Servers close idle connections after 5 seconds or more (Node.js, Apache)."""


class Kept:
    """The sessions that nobody uses at the moment, by what they may be used for."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.is_on = False
        self.sessions: dict[Hashable, list[tuple[requests.Session, float]]] = {}
        """With the time of the last response, in monotonic seconds."""

    def take(self, key: Hashable) -> requests.Session | None:
        """A session that was used lately, or None."""
        since = time.monotonic() - IDLE_SECONDS
        with self.lock:
            sessions = self.sessions.get(key, [])
            while sessions:
                session, used_at = sessions.pop()
                if used_at >= since:
                    return session
                session.close()
        return None

    def put(self, key: Hashable, session: requests.Session, *, opened_at: float, used_at: float) -> None:
        """Keep the session for the next piece of work, or close it. `used_at` is the time of the last response."""
        session.cookies.clear()
        with self.lock:
            if self.is_on and time.monotonic() - opened_at < LONGEST_SECONDS:
                session.opened_at = opened_at  # type: ignore[attr-defined]
                self.sessions.setdefault(key, []).append((session, used_at))
                return
        session.close()

    def close_idle(self, *, seconds: float = IDLE_SECONDS) -> None:
        """Close the sessions that nobody has used for this long."""
        since = time.monotonic() - seconds
        with self.lock:
            idle = [session for sessions in self.sessions.values() for session, at in sessions if at <= since]
            left = {key: [each for each in sessions if each[1] > since] for key, sessions in self.sessions.items()}
            self.sessions = {key: sessions for key, sessions in left.items() if sessions}
        for session in idle:
            session.close()

    @contextmanager
    def on(self) -> Iterator[None]:
        """Keep sessions meanwhile; whoever does so calls `close_idle` about once a second."""
        self.is_on = True
        try:
            yield
        finally:
            self.is_on = False
            self.close_idle(seconds=0)


kept = Kept()
os.register_at_fork(after_in_child=lambda: kept.sessions.clear())  # connections are the parent's
