"""Faults of the installation itself: detected, shown, and repaired where possible.

When a clock that was fast is corrected, times in the future remain, and polls, attempts and leases would wait for
them. Therefore nothing may wait longer than its own longest interval from now.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.db import connection as database
from django.db.models import Model
from django.utils import timezone

from connectors.engine import backoff, leases
from connectors.kit.http import LONGEST_WAIT
from connectors.models import AwaitedFile, CallSlot, Connection, Inbound, Link, Outbound, Trouble
from hub.core.sentences import sentence
from hub.models import FailedReceiver
from workflows.models import Notice, Pending

log = logging.getLogger(__name__)

LONGEST = timedelta(seconds=LONGEST_WAIT)
A_LEASE = timedelta(minutes=5)
SLACK = timedelta(minutes=1)
WAITS: tuple[tuple[type[Model], str, timedelta], ...] = (
    (Connection, "resting_until", LONGEST),
    (Connection, "reading_until", A_LEASE),
    (Connection, "key_asked_at", timedelta(0)),
    (Link, "next_look_at", backoff.LONGEST_REST),
    (Link, "lease_until", A_LEASE),
    (Inbound, "next_attempt_at", LONGEST),
    (Inbound, "lease_until", A_LEASE),
    (Outbound, "next_attempt_at", LONGEST),
    (AwaitedFile, "next_attempt_at", backoff.LONGEST_REST),
    (FailedReceiver, "next_attempt_at", timedelta(hours=5)),
    (Pending, "lease_until", A_LEASE),
    (Notice, "lease_until", A_LEASE),
)
"""Columns of system time that something waits for, each with the longest time by which it is set ahead."""


def begin(kind: Trouble.Kind, why: str) -> None:
    """Record a fault; does nothing if it is recorded and has not ended."""
    row, is_new = Trouble.objects.get_or_create(
        kind=kind, ended_at=None, defaults={"why": why, "began_at": timezone.now()}
    )
    if is_new:
        log.warning("%s: %s", row.get_kind_display(), why)


def end(kind: Trouble.Kind) -> None:
    """Record the end of a fault."""
    if Trouble.objects.filter(kind=kind, ended_at=None).update(ended_at=timezone.now()):
        log.warning("%s: resolved.", kind.label)


class Clock:
    """Watches this machine's clock: whether it jumps, and whether it differs from the database's."""

    TOLERATED = 30.0
    """Seconds of difference that count as normal."""

    def __init__(self) -> None:
        self.seen: tuple[float, float] | None = None
        """The time of day and the monotonic time when they were last compared."""

    def look(self) -> None:
        """Check the clock, about once a minute: record a wrong clock, and let nothing wait for times that it set."""
        day, since_start = time.time(), time.monotonic()
        jumped = 0.0 if self.seen is None else (day - self.seen[0]) - (since_start - self.seen[1])
        self.seen = (day, since_start)
        apart = _apart_from_database()
        wrong = next((each for each in (jumped, apart) if abs(each) > self.TOLERATED), 0.0)
        if wrong:
            begin(Trouble.Kind.CLOCK, _clock_wrong(wrong, has_jumped=wrong == jumped))
        freed = calm(at=timezone.now())
        if freed and not wrong:
            why = sentence(
                "%(count)s entries were scheduled too far in the future by a clock that was fast. They continue now.",
                count=freed,
            )
            begin(Trouble.Kind.CLOCK, why)
        if not wrong and not freed:
            end(Trouble.Kind.CLOCK)


def _clock_wrong(seconds: float, *, has_jumped: bool) -> str:
    said = f"{seconds:+.0f}"
    if has_jumped:
        return sentence(
            "The clock of one of our machines jumped by %(seconds)s seconds. Synchronise it with NTP.", seconds=said
        )
    return sentence(
        "The clock of one of our machines differs from the database server's by %(seconds)s seconds. Synchronise both "
        "with NTP.",
        seconds=said,
    )


def calm(*, at: datetime) -> int:
    """Make due whatever waits longer than its own longest interval; returns the number of rows."""
    freed = 0
    for model, column, longest in WAITS:
        rows = model._default_manager.filter(**{f"{column}__gt": at + longest + SLACK})
        freed += rows.update(**{column: at})
    for seconds in set(Connection.objects.values_list("poll_seconds", flat=True)):
        longest = max(leases.LEASE, timedelta(seconds=seconds))
        rows = Connection.objects.filter(poll_seconds=seconds, next_poll_at__gt=at + longest + SLACK)
        freed += rows.update(next_poll_at=at)
    freed += CallSlot.objects.filter(until__gt=(at + A_LEASE).timestamp()).update(until=0)
    freed += Connection.objects.filter(healed_at__gt=at + SLACK).update(healed_at=at)
    return freed


def _apart_from_database() -> float:
    """Seconds by which our clock is ahead of the database server's; 0 for a database on this machine."""
    if database.vendor != "postgresql":
        return 0.0
    with database.cursor() as cursor:
        before = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        theirs = float(cursor.fetchone()[0])
        return (before + time.time()) / 2 - theirs
