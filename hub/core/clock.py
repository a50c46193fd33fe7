"""The clock used for everything written to the record.

Outside the demo this is the system time. A time lapse (a small file named by TICKETHUB_TIME_LAPSE)
plays several hours within a minute: its clock starts in the past, runs fast, and equals the system
time once it has caught up, so it is never ahead of the system time and never goes back. Leases,
retries and rate limits always use the system time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone


@dataclass(frozen=True, kw_only=True)
class TimeLapse:
    """A clock that runs from `story_start` to the present between `real_start` and `real_end` (Unix seconds)."""

    real_start: float
    real_end: float
    story_start: float
    stands_at: float | None = None
    """The demo time at which the clock stops until it may go on; None if it runs on to the system time."""

    @classmethod
    def from_moment(cls, story: float, *, real: float, speed: float, stands_at: float | None) -> TimeLapse:
        """A lapse that shows `story` at `real` and runs at `speed`; it reaches the system time at `real_end`.

        >>> TimeLapse.from_moment(0.0, real=1000.0, speed=11.0, stands_at=None).real_end
        1100.0
        """
        return cls(
            real_start=real,
            real_end=(speed * real - story) / (speed - 1),
            story_start=story,
            stands_at=stands_at,
        )

    @property
    def speed(self) -> float:
        return (self.real_end - self.story_start) / (self.real_end - self.real_start)

    def at(self, real: float) -> float:
        """The demo time shown at the system time `real`; both in Unix seconds.

        >>> lapse = TimeLapse(real_start=1000, real_end=1010, story_start=0)
        >>> [round(lapse.at(real)) for real in (1000, 1005, 1010, 2000)]
        [0, 505, 1010, 2000]
        >>> stands = TimeLapse(real_start=1000, real_end=1010, story_start=0, stands_at=707)
        >>> [round(stands.at(real)) for real in (1000, 1005, 1010, 2000)]
        [0, 505, 707, 707]
        """
        runs = real if real >= self.real_end else self.story_start + max(0.0, real - self.real_start) * self.speed
        return runs if self.stands_at is None else min(runs, self.stands_at)

    def real(self, story: float) -> float:
        """The system time at which the demo time reaches `story`, if it is not stopped before."""
        if story >= self.real_end:
            return story
        return self.real_start + (story - self.story_start) / self.speed

    def write(self, path: Path) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(path)

    @classmethod
    def read(cls, path: Path) -> TimeLapse:
        return cls(**json.loads(path.read_text()))


_read: dict[str, tuple[int, TimeLapse]] = {}


def _lapse(path: str) -> TimeLapse:
    """The time lapse in the file; the file is read again when it has changed."""
    changed = os.stat(path).st_mtime_ns
    known = _read.get(path)
    if known is None or known[0] != changed:
        known = _read[path] = (changed, TimeLapse.read(Path(path)))
    return known[1]


class Times(NamedTuple):
    """The two times by which work is due."""

    record: datetime
    system: datetime


_standing: ContextVar[Times | None] = ContextVar("standing", default=None)


@contextmanager
def standing(times: Times) -> Iterator[None]:
    """Let both clocks stand at these times, for a query that is compiled and not run (`hub.core.compiled`)."""
    token = _standing.set(times)
    try:
        yield
    finally:
        _standing.reset(token)


def system() -> datetime:
    """The system time, by which leases, retries and limits are counted: aware, UTC."""
    stands = _standing.get()
    return timezone.now() if stands is None else stands.system


def times() -> Times:
    """Both times now."""
    return Times(now(), system())


def now() -> datetime:
    """The current time of the record: aware, UTC, whole seconds."""
    stands = _standing.get()
    if stands is not None:
        return stands.record
    real = timezone.now()
    if settings.TIME_LAPSE:
        real = datetime.fromtimestamp(_lapse(settings.TIME_LAPSE).at(real.timestamp()), UTC)
    return real.replace(microsecond=0)
