"""The progress of a poll: one sweep over everything that changed, in pages of bounded size.

Records are read in the order of their IDs, so pages do not shift. A record that changes after the sweep has passed it
is read by the next sweep, which begins no later than this one began.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The state between two pages, written into the cursor as text."""

    since: datetime
    """Changes from this time on are requested, minus the overlap."""
    began: datetime
    """When the sweep began, by our clock."""
    newest: datetime
    """The newest change so far, by the vendor's clock."""
    stage: str = ""
    after: int = 0
    """The last ID read in this stage."""

    def on(self, *, after: int, newest: datetime | None = None) -> Sweep:
        """The same stage, advanced."""
        return replace(self, after=after, newest=max(self.newest, newest or self.newest))

    def next_stage(self, stage: str) -> Sweep:
        return replace(self, stage=stage, after=0)

    def from_(self, overlap: timedelta) -> datetime:
        return self.since - overlap

    @property
    def end(self) -> str:
        """The cursor after the last page: never later than the start of the sweep, so that no change is missed."""
        return _written(max(self.since, min(self.newest, self.began)))

    def __str__(self) -> str:
        times = (_written(at) for at in (self.since, self.began, self.newest))
        return "~".join((*times, self.stage, str(self.after)))


def begin(cursor: str, *, now: datetime) -> Sweep:
    """The sweep that a cursor belongs to, or a new one from the cursor's time on.

    >>> at = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    >>> sweep = begin("2026-01-05T09:00:00Z", now=at).on(after=7)
    >>> begin(str(sweep), now=at + timedelta(minutes=5)) == sweep
    True
    >>> sweep.end
    '2026-01-05T09:00:00Z'
    """
    parts = cursor.split("~")
    if len(parts) != 5:
        since = _read(cursor)
        return Sweep(since=since, began=max(now, since), newest=since)
    since, began, newest = (_read(part) for part in parts[:3])
    return Sweep(since=since, began=began, newest=newest, stage=parts[3], after=int(parts[4]))


def start(now: datetime) -> str:
    """A cursor that begins now."""
    return _written(now)


def _read(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
