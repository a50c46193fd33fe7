"""Times in the formats of REST systems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.core.sentences import sentence

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_FROM = 100_000_000_000
"""Numbers from here on count milliseconds: as seconds they would be three thousand years in the future."""


def zone(name: str) -> tzinfo:
    """The time zone with this name; ValueError if there is none."""
    if name in ("", "UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            sentence("There is no time zone “%(name)s”. Enter a name such as Europe/Berlin.", name=name[:60])
        ) from error


def reader(formats: Sequence[str], zone: tzinfo) -> Callable[[Any], datetime]:
    """A function that reads a value as an aware time in UTC; it raises ValueError if no format matches.

    >>> reader(["iso"], UTC)("2026-03-02 10:11:12").isoformat()
    '2026-03-02T10:11:12+00:00'
    >>> read = reader([], UTC)
    >>> read(1772446272) == read("1772446272000")
    True
    >>> reader(["iso", "%d/%m/%Y %H:%M"], ZoneInfo("Europe/Berlin"))("02/03/2026 10:11").isoformat()
    '2026-03-02T09:11:00+00:00'
    """
    wanted = tuple(formats)

    @lru_cache(maxsize=512)
    def of_text(value: str) -> datetime:
        # The same texts occur again and again, as times of creation and change.
        return _of(value, wanted, zone)

    return lambda value: of_text(value) if type(value) is str else _of(value, wanted, zone)


def _of(value: Any, formats: tuple[str, ...], zone: tzinfo) -> datetime:
    if isinstance(value, bool) or value is None or value == "":
        raise ValueError(sentence("A time is missing."))
    if isinstance(value, int | float) or (isinstance(value, str) and value.replace(".", "", 1).isdecimal()):
        seconds = float(value)
        seconds = seconds / 1000 if abs(seconds) >= MILLISECONDS_FROM else seconds
        return EPOCH + timedelta(seconds=seconds)
    text = str(value).strip()
    for form in formats or ("iso",):
        try:
            found = _read(text, form)
        except ValueError:
            continue
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    raise ValueError(
        sentence(
            "%(value)s is not a time in any of these formats: %(formats)s.",
            value=repr(text[:40]),
            formats=", ".join(formats),
        )
    )


def _read(text: str, form: str) -> datetime:
    if form == "iso":
        return datetime.fromisoformat(text)
    if form in ("http", "rfc2822"):
        return parsedate_to_datetime(text)
    return datetime.strptime(text, form)  # noqa: DTZ007 (the zone comes after it)


def written(at: datetime, *, form: str, zone: tzinfo) -> str:
    """A time in the format of a query.

    >>> written(datetime(2026, 1, 1, tzinfo=UTC), form="epoch", zone=UTC)
    '1767225600'
    """
    if form == "epoch":
        return str(int(at.timestamp()))
    if form == "epoch_ms":
        return str(int(at.timestamp() * 1000))
    return at.astimezone(zone).strftime(form)
