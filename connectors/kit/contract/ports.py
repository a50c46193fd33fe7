"""What the engine passes to a connector: HTTP, time, memory and secrets. Tests replace them."""

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
    """The vendor's rate limit for one integration; the engine enforces it over all workers."""

    requests: int
    seconds: int
    """At most `requests` requests within this many seconds, from all workers together."""
    share: float = 1.0
    """The share of the limit that we use by default, because others use the same system."""
    threads: int | None = None
    """The most simultaneous requests per endpoint."""
    endpoint: Callable[[str], str] = lambda path: ""
    """The endpoint that a path belongs to."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """A connector's access to the outside world, which tests can replace."""

    open_http: Callable[..., Http]
    now: Clock
    memory: MutableMapping[str, str]
    """Small facts kept between requests, such as a time zone or a name; the engine stores them. Never a secret."""
    secret: Callable[[str], str] = lambda name: ""
    """The current value of a secret setting, which another worker may have renewed."""
    keep_secret: Callable[[str, str], None] = lambda name, value: None
    """Store a secret setting that the vendor changed, such as a refresh token."""
    hide: Callable[[str], None] = lambda secret: None
    """Mask this secret in logs from now on, such as a token the vendor issued."""
    may_ask_for_key: Callable[[], bool] = lambda: True
    """Whether a key for verifying the vendor's calls may be requested now: at most once a minute."""
    connect: Callable[[str, int, float], socket.socket] = lambda host, port, seconds: _nowhere()
    """A connection to a host and port that the egress policy allows, for protocols other than HTTP."""
    keys: tuple[bytes, ...] = ()
    """The keys this hub signs with, newest first; derive keys from them, never send them."""
    hub: str = ""
    """This hub's own mark."""
    guest_link: Callable[[str], str] = lambda leg: ""
    """The URL of the guest page of an engagement; empty if there is none."""
