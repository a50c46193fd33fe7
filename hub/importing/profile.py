"""Profiles: how to read the columns, times, statuses and parties of one kind of log."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub.sla.calendars import BadCalendar, CalendarSpec, load_zone

SHIPPED = Path(__file__).parent / "profiles"

CLASSES = (
    "new",
    "active",
    "waiting_requester",
    "waiting_vendor",
    "waiting_evidence",
    "waiting_other",
    "resolved",
    "closed",
)
UNKNOWN_CLASS = "active"
"""The class of a status that the profile does not map: the raw value is kept, and the clocks run."""


class BadProfile(ValueError):
    """The profile cannot be used; the message names the faulty part."""


class BadTime(ValueError):
    """A time in a row is not valid."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A contract by which the imported tickets are measured."""

    name: str
    kind: str
    calendar: Mapping[str, Any]
    pauses: tuple[str, ...]
    goals: Mapping[str, int]
    rules: Mapping[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One kind of log. `raw` is the whole document, which is stored with every import that used it."""

    format: str
    label: str
    ticket: str
    changed_at: str
    opened_at: str
    closed_at: str
    status: tuple[str, ...]
    team: str
    party: str
    priority: str
    title: tuple[str, ...]
    version: str
    time_format: str
    zone: str
    unknown: frozenset[str]
    us: frozenset[str]
    statuses: Mapping[str, str]
    prefixes: Mapping[str, str]
    priorities: Mapping[str, str]
    accepted: frozenset[str]
    policies: tuple[Policy, ...]
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a file must have."""
        wanted = (self.ticket, self.changed_at, *self.status, self.team, self.party, self.priority)
        optional = (self.opened_at, self.closed_at, self.version, *self.title)
        return tuple(dict.fromkeys(name for name in (*wanted, *optional) if name))

    def class_of(self, status: str) -> str | None:
        """The class of a status; None if the profile does not map it."""
        found = self.statuses.get(status)
        if found is None:
            found = next((kind for prefix, kind in self.prefixes.items() if status.startswith(prefix)), None)
        return found

    def read_time(self, text: str) -> datetime:
        """A time of a row as an instant in UTC, in whole seconds. Raises BadTime."""
        try:
            at = self._parsed(text)
        except ValueError as error:
            raise BadTime(f"{text!r} is not a time in the format {self.time_format}") from error
        if at.tzinfo is None:
            if not self.zone:
                raise BadTime(f"{text!r} has no UTC offset")
            at = at.replace(tzinfo=load_zone(self.zone))
        if not 1970 <= at.year <= 2100:
            raise BadTime(f"{text!r} is not between the years 1970 and 2100")
        return at.astimezone(UTC).replace(microsecond=0)

    def _parsed(self, text: str) -> datetime:
        if self.time_format == "iso":
            return datetime.fromisoformat(text)
        # For a log without offsets, the caller adds the zone that the profile names.
        return datetime.strptime(text, self.time_format)  # noqa: DTZ007


def shipped() -> list[str]:
    """The formats that the hub supports without a profile of your own."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load(path: Path) -> Profile:
    """Read and check a profile. Raises BadProfile that names the file and the fault."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return parse(raw)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadProfile(f"{path}: {error}") from error
    except BadProfile as error:
        raise BadProfile(f"{path}: {error}") from error


def parse(raw: Mapping[str, Any]) -> Profile:
    """Check a profile that was read from TOML. Raises BadProfile."""
    columns = _table(raw, "columns")
    for name in ("ticket", "changed_at", "status", "team", "party"):
        if not columns.get(name):
            raise BadProfile(f"[columns]: {name} is missing")
    time = _table(raw, "time")
    statuses, prefixes = _classes(raw, "statuses"), _classes(raw, "statuses_by_prefix")
    if time.get("zone"):
        try:
            load_zone(time["zone"])
        except BadCalendar as error:
            raise BadProfile(f"[time]: {error}") from error
    return Profile(
        format=_text(raw, "format"),
        label=_text(raw, "label"),
        ticket=columns["ticket"],
        changed_at=columns["changed_at"],
        opened_at=columns.get("opened_at", ""),
        closed_at=columns.get("closed_at", ""),
        status=tuple(columns["status"]),
        team=columns["team"],
        party=columns["party"],
        priority=columns.get("priority", ""),
        title=tuple(columns.get("title", ())),
        version=columns.get("version", ""),
        time_format=time.get("format", "iso"),
        zone=time.get("zone", ""),
        unknown=frozenset(_table(raw, "unknown").get("values", [""])),
        us=frozenset(_table(raw, "parties").get("us", [])),
        statuses=statuses,
        prefixes=prefixes,
        priorities=_table(raw, "priorities"),
        accepted=frozenset(_table(raw, "accepted").get("statuses", [])),
        policies=_policies(raw),
        raw=raw,
    )


def _table(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = raw.get(name, {})
    if not isinstance(table, Mapping):
        raise BadProfile(f"[{name}]: expected a table")
    return table


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise BadProfile(f"{name} is missing")
    return value


def _classes(raw: Mapping[str, Any], name: str) -> Mapping[str, str]:
    table = _table(raw, name)
    for status, kind in table.items():
        if kind not in CLASSES:
            raise BadProfile(f"[{name}]: the class of {status!r} is {kind!r}; use one of {', '.join(CLASSES)}")
    return table


def _policies(raw: Mapping[str, Any]) -> tuple[Policy, ...]:
    found: dict[str, Policy] = {}
    for item in raw.get("policies", []):
        name = _text(item, "name")
        calendar = _table(item, "calendar")
        if "same_as" in calendar:
            other = found.get(calendar["same_as"])
            if other is None:
                raise BadProfile(f"policy {name}: there is no policy {calendar['same_as']!r} before it")
            calendar = other.calendar
        try:
            CalendarSpec.parse(**calendar)
        except (BadCalendar, TypeError) as error:
            raise BadProfile(f"policy {name}: {error}") from error
        found[name] = Policy(
            name=name,
            kind=item.get("kind", "sla"),
            calendar=calendar,
            pauses=tuple(item.get("pauses", ())),
            goals=item.get("goals", {}),
            rules=item.get("rules", {}),
        )
    return tuple(found.values())
