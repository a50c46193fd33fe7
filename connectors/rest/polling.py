"""The progress of a poll, as its cursor stores it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from connectors.kit import sweeps

Json = dict[str, Any]
MOST_SEEN = 50
"""How many page tokens are remembered, to notice a list that repeats its pages."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The progress of a poll, as its cursor stores it."""

    since: datetime
    began: datetime
    newest: datetime
    token: str = ""
    seen: tuple[str, ...] = ()
    at: datetime | None = None
    """For a list sorted by change: the time from which the next page is requested."""
    total: int | None = None
    """The number of records in the list, if its first page contains it."""
    is_first: bool = False
    """Whether it is the first sweep, whose records are only stored for later comparison."""

    @staticmethod
    def start(now: datetime, *, is_first: bool = False) -> str:
        """A cursor that begins now."""
        return json.dumps({"since": sweeps.start(now)} | ({"first": True} if is_first else {}))

    @classmethod
    def read(cls, cursor: str, now: datetime) -> Sweep:
        raw: Json = json.loads(cursor) if cursor.startswith("{") else {"since": cursor}
        since = _time(raw["since"])
        return cls(
            since=since,
            began=_time(raw["began"]) if "began" in raw else max(now, since),
            newest=_time(raw["newest"]) if "newest" in raw else since,
            token=raw.get("token", ""),
            seen=tuple(raw.get("seen", ())),
            at=_time(raw["at"]) if "at" in raw else None,
            total=raw["total"] if isinstance(raw.get("total"), int) else None,
            is_first=bool(raw.get("first")),
        )

    @staticmethod
    def restarted(cursor: str) -> str:
        """The cursor of the same sweep before its first page.

        >>> Sweep.restarted('{"since": "2026-01-05T09:00:00Z", "token": "p7", "seen": ["p7"]}')
        '{"since": "2026-01-05T09:00:00Z"}'
        """
        kept = ("since", "first")
        raw = json.loads(cursor) if cursor.startswith("{") else {}
        return json.dumps({name: raw[name] for name in kept if name in raw}) if raw else cursor

    def on(self, *, token: str = "", newest: datetime | None = None) -> Sweep:
        seen = (*self.seen, _short(token))[-MOST_SEEN:] if token else ()
        return replace(self, token=token, newest=max(self.newest, newest or self.newest), seen=seen)

    def has_seen(self, token: str) -> bool:
        """Whether this page was already requested in this sweep, so that the list repeats its pages."""
        return _short(token) in self.seen

    @property
    def text(self) -> str:
        """The cursor within a sweep."""
        told: Json = {"since": _told(self.since), "began": _told(self.began), "newest": _told(self.newest)}
        if self.at is not None:
            told["at"] = _told(self.at)
        if self.is_first:
            told["first"] = True
        if self.total is not None:
            told["total"] = self.total
        if self.token:
            told |= {"token": self.token, "seen": list(self.seen)}
        return json.dumps(told)

    def end(self, lag: timedelta) -> str:
        """The cursor after the last page: never later than the start of the sweep, so that no change is missed."""
        return json.dumps({"since": _told(max(self.since, min(self.newest, self.began - lag)))})


def _short(token: str) -> str:
    return token if len(token) <= 32 else hashlib.sha256(token.encode()).hexdigest()[:32]


def _time(told: str) -> datetime:
    return sweeps.begin(told, now=datetime.fromisoformat(told)).since


def _told(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
