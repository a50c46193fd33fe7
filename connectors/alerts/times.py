"""Times as monitoring tools write them: often without a time zone, and with day, month and year in three orders.

A time without a zone is used only if the connection names one. A time that cannot be used is kept as written and shown
on the ticket, and no clock counts from it.

Nagios: `date_format` in https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/configmain.html
Zabbix: {EVENT.DATE} in https://www.zabbix.com/documentation/6.0/en/manual/appendix/macros/supported_by_location
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

TIME = r"[ T](\d{1,2}):(\d\d)(?::(\d\d))?$"
_YEAR_FIRST = re.compile(rf"(\d{{4}})[./-](\d{{1,2}})[./-](\d{{1,2}}){TIME}")
_YEAR_LAST = re.compile(rf"(\d{{1,2}})[./-](\d{{1,2}})[./-](\d{{4}}){TIME}")
_IN_WORDS = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d)(?: ([A-Z]{2,5}))? (\d{4})$")
_OFFSET = re.compile(r"\s+([+-]\d\d:?\d\d)$")


class Told(NamedTuple):
    """A time in a call."""

    at: datetime | None = None
    """In UTC; None if it cannot be determined."""
    or_at: datetime | None = None
    """The later of two readings, in the hour that occurs twice when clocks are set back."""
    written: str = ""
    """The time as written, if it cannot be determined."""


def told(value: str, *, zone: ZoneInfo | None = None, is_day_first: bool | None = None) -> Told:
    """Read a time: ISO 8601, or a Unix timestamp in seconds or milliseconds, or one of the tools' own formats.

    ``2026.11.28 15:08:06`` (Zabbix); ``11-28-2026 15:07:11`` (Nagios, whose `date_format` decides the order; without
    `is_day_first` only unambiguous dates are read); ``Sat Nov 28 15:07:11 UTC 2026``.

    >>> told("2026-11-25T13:15:40.826643398Z").at
    datetime.datetime(2026, 11, 25, 13, 15, 40, 826643, tzinfo=datetime.timezone.utc)
    >>> told("1760000000").at, told("2026-11-28 15:11:46 +0100").at
    (datetime.datetime(2025, 10, 9, 8, 53, 20, tzinfo=datetime.timezone.utc), datetime.datetime(2026, 11, 28, 14, 11, 46, tzinfo=datetime.timezone.utc))
    >>> told("2026.11.28 15:08:06", zone=ZoneInfo("Europe/Berlin")).at
    datetime.datetime(2026, 11, 28, 14, 8, 6, tzinfo=datetime.timezone.utc)
    >>> told("2026.11.28 15:08:06"), told("soon"), told("0001-01-01T00:00:00Z"), told("")
    (Told(at=None, or_at=None, written='2026.11.28 15:08:06'), Told(at=None, or_at=None, written='soon'), Told(at=None, or_at=None, written=''), Told(at=None, or_at=None, written=''))
    """  # noqa: E501
    plain = value.strip()
    if not plain or plain.startswith("0001-01-01"):
        return Told()  # Go's zero time: unknown
    try:
        found = _read(plain, is_day_first)
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None or (found.tzinfo is None and zone is None) or not 2000 <= found.year <= 9000:
        return Told(written=plain[:60])
    if found.tzinfo is not None:
        return Told(found.astimezone(UTC))
    early, late = (found.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return Told(early, late if late > early else None)


def _read(plain: str, is_day_first: bool | None) -> datetime | None:
    """The time, without a zone if none is written; None if day and month are ambiguous."""
    if plain.replace(".", "", 1).isdecimal():
        seconds = float(plain)
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    if parts := _YEAR_FIRST.match(plain):
        year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups())
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  no zone is written
    if parts := _YEAR_LAST.match(plain):
        one, two, year, hour, minute, second = (int(part or 0) for part in parts.groups())
        if is_day_first is None and one != two:
            is_day_first = True if one > 12 else False if two > 12 else None
        if is_day_first is None and one != two:
            return None
        month, day = (two, one) if is_day_first else (one, two)
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    if parts := _IN_WORDS.match(plain):
        found = datetime.strptime(f"{parts[1]} {parts[2]} {parts[5]} {parts[3]}", "%b %d %Y %H:%M:%S")  # noqa: DTZ007
        return found.replace(tzinfo=UTC) if parts[4] in ("UTC", "GMT") else found
    return _iso(_OFFSET.sub(r"\1", plain))


def _iso(plain: str) -> datetime:
    """ISO 8601, with at most six decimals of a second (Go writes nine)."""
    written = plain[:10] + plain[10:].replace("Z", "+00:00")
    head, dot, rest = written.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return datetime.fromisoformat(f"{head}{dot}{rest[: min(digits, 6)]}{rest[digits:]}")
