"""What the engine gives a connector: HTTP, time, memory, secrets. A test gives other ones."""

from __future__ import annotations

import socket
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from connectors.kit.http import Http


class Clock(Protocol):
    def __call__(self) -> datetime: ...


def _nowhere() -> socket.socket:
    raise OSError("no connection was given")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a vendor allows one integration; the engine keeps all workers together within it."""

    requests: int
    seconds: int
    """At most `requests` requests within so many seconds, from all workers together."""
    share: float = 1.0
    """The part of the limit that we use by default: others use the same system."""
    threads: int | None = None
    """The most simultaneous calls per endpoint."""
    endpoint: Callable[[str], str] = lambda path: ""
    """Which endpoint a path belongs to."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What the engine gives a connector: the outside world, so that tests can replace it."""

    open_http: Callable[..., Http]
    now: Clock
    memory: MutableMapping[str, str]
    """Small facts kept between calls, such as a time zone or a name; the engine stores them. Never a secret."""
    secret: Callable[[str], str] = lambda name: ""
    """The present value of a secret setting: another worker may have renewed it."""
    keep_secret: Callable[[str, str], None] = lambda name, value: None
    """Store a secret setting that the vendor changed, such as a refresh token."""
    hide: Callable[[str], None] = lambda secret: None
    """Mask this secret in logs from now on, such as a token the vendor issued."""
    may_ask_for_key: Callable[[], bool] = lambda: True
    """Whether a key for checking the vendor's calls may be requested now: at most once a minute."""
    connect: Callable[[str, int, float], socket.socket] = lambda host, port, seconds: _nowhere()
    """A connection to a host and port that the egress policy allows, for protocols other than HTTP."""
    keys: tuple[bytes, ...] = ()
    """The keys this hub signs with, the newest first; derive from them, never send them."""
    hub: str = ""
    """This hub's own mark."""
    guest_link: Callable[[str], str] = lambda leg: ""
    """The address of the guest page of an engagement; empty where there is none."""
