"""Reads the rows of CSV files, plain or gzipped, one file or a folder. Unreadable rows are reported, never dropped."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .profile import BadTime, Profile

csv.field_size_limit(10 * 1024 * 1024)
LONGEST_KEY = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a log with its original values; times in UTC."""

    file: str
    line: int
    ticket: str
    changed_at: datetime
    opened_at: datetime | None
    closed_at: datetime | None
    status: str
    team: str
    party: str
    priority: str
    title: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Reject:
    """A row, or a whole file (line 0), that could not be read, and the reason."""

    file: str
    line: int
    reason: str


Rejects = Callable[[Reject], None]


def files(source: Path) -> list[Path]:
    """The CSV files of a source, sorted by name."""
    if source.is_dir():
        return sorted(path for path in source.rglob("*") if path.name.endswith((".csv", ".csv.gz")))
    return [source]


def read(source: Path, profile: Profile, reject: Rejects) -> Iterator[Row]:
    """All readable rows in the order of the files; the others are passed to `reject`."""
    found = files(source)
    if not found:
        reject(Reject(str(source), 0, "this folder contains no .csv or .csv.gz file"))
    for path in found:
        yield from _read_file(path, profile, reject)


def _read_file(path: Path, profile: Profile, reject: Rejects) -> Iterator[Row]:
    lines = _lines(path, reject)
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, None)
    except csv.Error as error:
        reject(Reject(path.name, 1, f"not a CSV file: {error}"))
        return
    if not header:
        reject(Reject(path.name, 0, "the file is empty or cannot be read"))
        return
    header = [name.lstrip("\ufeff").strip() for name in header]
    missing = [name for name in profile.columns if name not in header]
    if missing:
        reject(Reject(path.name, 1, f"not a {profile.label}: the column {missing[0]!r} is missing"))
        return
    places = {name: header.index(name) for name in profile.columns}
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reject(Reject(path.name, line, f"not a CSV row: {error}"))
            continue
        if not values:
            continue
        try:
            yield _row(path.name, line, values, len(header), places, profile)
        except ValueError as error:
            reject(Reject(path.name, line, str(error)))


def _lines(path: Path, reject: Rejects) -> Iterator[str]:
    # Bytes that are not UTF-8 become surrogates, so that only the affected row is rejected.
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as file:
            for line in file:
                yield line.decode("utf-8", "surrogateescape")
    except (OSError, EOFError, zlib.error) as error:
        reject(Reject(path.name, 0, f"the file could not be read to the end: {error}"))


def _row(file: str, line: int, values: list[str], width: int, places: dict[str, int], profile: Profile) -> Row:
    if len(values) != width:
        raise ValueError(f"{len(values)} values for {width} columns")

    def value(column: str) -> str:
        return values[places[column]].strip() if column else ""

    for column in profile.columns:
        if any("\udc80" <= c <= "\udcff" for c in value(column)):
            raise ValueError(f"{column} is not UTF-8")
        if "\x00" in value(column):
            raise ValueError(f"{column} contains a NUL character")
    ticket = value(profile.ticket)
    if not ticket or ticket in profile.unknown:
        raise ValueError(f"{profile.ticket} is missing")
    if len(ticket) > LONGEST_KEY:
        raise ValueError(f"{profile.ticket} is longer than {LONGEST_KEY} characters")
    return Row(
        file=file,
        line=line,
        ticket=ticket,
        changed_at=_time(value(profile.changed_at), profile.changed_at, profile),
        opened_at=_optional_time(value(profile.opened_at), profile.opened_at, profile),
        closed_at=_optional_time(value(profile.closed_at), profile.closed_at, profile),
        status="/".join(value(name) for name in profile.status)[:100],
        team=value(profile.team)[:150],
        party=value(profile.party)[:150],
        priority=value(profile.priority)[:64],
        title=", ".join(value(name) for name in profile.title if value(name) not in profile.unknown)[:255],
        version=_version(value(profile.version), profile),
    )


def _time(text: str, column: str, profile: Profile) -> datetime:
    try:
        return profile.read_time(text)
    except BadTime as error:
        raise ValueError(f"{column}: {error}") from error


def _optional_time(text: str, column: str, profile: Profile) -> datetime | None:
    return None if text in profile.unknown else _time(text, column, profile)


def _version(text: str, profile: Profile) -> int | None:
    if not profile.version or text in profile.unknown:
        return None
    if not text.isdecimal() or len(text) > 9:
        raise ValueError(f"{profile.version}: {text!r} is not a number")
    return int(text)
