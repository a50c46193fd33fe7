"""Business calendars: how many seconds of a period are working time.

A calendar is an IANA zone, local wall-clock windows per weekday, holidays (local dates) and
exceptions (a local date with windows of its own). An instant is open iff the local wall-clock
time is inside a window: the hour skipped in spring counts zero, the hour repeated in autumn counts
twice, and 24x7 equals real time. An overnight window belongs to the day it starts on; a holiday
removes the windows that start on it and every minute of its own date.

Instants are whole Unix seconds (UTC); amounts are whole seconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from hub.core.sentences import sentence

DAY = 86_400
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EARLIEST = int(datetime(1901, 1, 1, tzinfo=UTC).timestamp())
LATEST = int(datetime(2400, 1, 1, tzinfo=UTC).timestamp())
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

Window = tuple[int, int]
"""Seconds of the local day, start inclusive, end exclusive; ``end <= start`` runs past midnight."""


class BadCalendar(ValueError):
    """The description of a calendar is not valid; the message names the faulty part."""


@dataclass(frozen=True, kw_only=True)
class CalendarSpec:
    """A calendar as an admin defines it: a zone, seven tuples of windows, holidays and exceptions."""

    zone: str
    weekly: tuple[tuple[Window, ...], ...]
    holidays: frozenset[date] = frozenset()
    exceptions: Mapping[date, tuple[Window, ...]] = field(default_factory=dict)

    @classmethod
    def parse(
        cls,
        *,
        zone: str,
        weekly: Mapping[str, Sequence[Sequence[str]]],
        holidays: Iterable[str] = (),
        exceptions: Mapping[str, Sequence[Sequence[str]]] | None = None,
    ) -> CalendarSpec:
        """Read the JSON form: ``{"mon": [["09:00", "17:00"]]}``, dates as ``2026-12-24``. Raises BadCalendar.

        >>> spec = CalendarSpec.parse(zone="Europe/Berlin", weekly={"fri": [["22:00", "06:00"]]})
        >>> spec.weekly[4]
        ((79200, 21600),)
        """
        load_zone(zone)
        unknown = set(weekly) - set(WEEKDAYS)
        if unknown:
            raise BadCalendar(
                sentence("Unknown weekday %(day)s: use %(days)s.", day=repr(min(unknown)), days=", ".join(WEEKDAYS))
            )
        return cls(
            zone=zone,
            weekly=tuple(_windows(weekly.get(day, ()), where=day) for day in WEEKDAYS),
            holidays=frozenset(_date(text) for text in holidays),
            exceptions={_date(day): _windows(windows, where=day) for day, windows in (exceptions or {}).items()},
        )


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    """The IANA zone of this name. Raises BadCalendar for any other text, including a path."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise BadCalendar(
            sentence("Unknown time zone %(zone)s: use an IANA name such as Europe/Berlin.", zone=repr(name))
        ) from error


def seconds_of_day(text: str) -> int:
    """``"09:30"`` as seconds since midnight; ``"24:00"`` is the end of the day. Raises BadCalendar.

    >>> seconds_of_day("09:30"), seconds_of_day("24:00")
    (34200, 86400)
    """
    parts = text.split(":")
    if len(parts) not in (2, 3) or not all(part.isdecimal() for part in parts):
        raise BadCalendar(sentence("%(text)s is not a time of day: use HH:MM.", text=repr(text)))
    hours, minutes, seconds = (int(part) for part in (*parts, "0")[:3])
    total = hours * 3600 + minutes * 60 + seconds
    if minutes > 59 or seconds > 59 or total > DAY:
        raise BadCalendar(sentence("%(text)s is not a time of day: use 00:00 to 24:00.", text=repr(text)))
    return total


def _windows(pairs: Sequence[Sequence[str]], *, where: str) -> tuple[Window, ...]:
    for pair in pairs:
        if len(pair) != 2:
            raise BadCalendar(
                sentence("%(day)s: expected a start and an end time, not %(found)s.", day=where, found=repr(list(pair)))
            )
    return tuple((seconds_of_day(start), seconds_of_day(end)) for start, end in pairs)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadCalendar(sentence("%(text)s is not a date: use YYYY-MM-DD.", text=repr(text))) from error


class Calendar:
    """A calendar for calculations: merged UTC intervals with prefix sums, extended when other years are needed.

    >>> office = Calendar(CalendarSpec.parse(
    ...     zone="Europe/Berlin", weekly={d: [["09:00", "17:00"]] for d in ("mon", "tue", "wed", "thu", "fri")}))
    >>> friday_16h = int(datetime(2026, 3, 13, 15, 0, tzinfo=UTC).timestamp())
    >>> office.elapsed(friday_16h, friday_16h + 3 * DAY)
    28800
    >>> str(datetime.fromtimestamp(office.add(friday_16h, 2 * 3600), UTC))
    '2026-03-16 09:00:00+00:00'
    """

    __slots__ = ("_closed", "_ends", "_from", "_open_days", "_starts", "_sums", "_until", "spec")

    def __init__(self, spec: CalendarSpec) -> None:
        self.spec = spec
        self._closed = {day.toordinal() - EPOCH_ORDINAL for day in spec.holidays}
        self._open_days = {day.toordinal() - EPOCH_ORDINAL: windows for day, windows in spec.exceptions.items()}
        self._from = self._until = 0
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._sums: list[int] = []

    def elapsed(self, start: int, end: int) -> int:
        """Open seconds in ``[start, end)``; negative if ``end`` is before ``start``."""
        if start < self._from or end < self._from or start > self._until or end > self._until:
            self._cover(start, end)
        return self._sum(end) - self._sum(start)

    def is_open(self, at: int) -> bool:
        """Whether the local time at this instant is inside a window."""
        self._cover(at, at)
        index = bisect_right(self._starts, at) - 1
        return index >= 0 and at < self._ends[index]

    def next_open(self, at: int, *, limit: int | None = None) -> int | None:
        """The first open instant from ``at`` on; None if there is none up to ``limit`` (default: 400 days later)."""
        limit = at + 400 * DAY if limit is None else limit
        self._cover(at, min(limit, LATEST))
        index = bisect_right(self._ends, at)
        if index == len(self._starts):
            return None
        found = max(at, self._starts[index])
        return found if found <= limit else None

    def add(self, at: int, seconds: int, *, limit: int | None = None) -> int | None:
        """The first instant at which ``seconds`` have been open since ``at``.

        If the amount ends exactly at closing time, the result is the closing time; zero gives the first open instant.
        None if the result is after ``limit`` (default: 400 days, or five times the amount if that is longer).
        """
        if seconds <= 0:
            return self.next_open(at, limit=limit)
        limit = at + max(400 * DAY, 5 * seconds) if limit is None else limit
        self._cover(at, min(at + 2 * seconds + 14 * DAY, limit))
        goal = self._sum(at) + seconds
        if goal > self._total():
            self._cover(at, limit)
            if goal > self._total():
                return None
        index = bisect_left(self._sums, goal) - 1
        found = self._starts[index] + goal - self._sums[index]
        return found if found <= limit else None

    def subtract(self, at: int, seconds: int, *, limit: int | None = None) -> int | None:
        """The last instant from which ``seconds`` were open until ``at``; zero gives the last open instant."""
        limit = at - max(400 * DAY, 5 * seconds) if limit is None else limit
        self._cover(limit, at)
        goal = self._sum(at) - seconds
        if goal < 0 or not self._starts:
            return None
        index = bisect_right(self._sums, goal) - 1
        if index >= len(self._starts) or (goal == self._sums[index] and seconds == 0):
            # Exactly at an opening: the last open instant is the closing before it.
            return self._ends[index - 1] if index else None
        return self._starts[index] + goal - self._sums[index]

    def openings(self, start: int, end: int) -> list[tuple[int, int]]:
        """The open intervals inside ``[start, end)``, in order."""
        self._cover(start, end)
        first = bisect_right(self._ends, start)
        found = []
        for opens, closes in zip(self._starts[first:], self._ends[first:], strict=True):
            if opens >= end:
                break
            found.append((max(opens, start), min(closes, end)))
        return found

    def _sum(self, at: int) -> int:
        index = bisect_right(self._starts, at) - 1
        if index < 0:
            return 0
        end = self._ends[index]
        return self._sums[index] + (at if at < end else end) - self._starts[index]

    def _total(self) -> int:
        return self._sums[-1] if self._sums else 0

    def _cover(self, start: int, end: int) -> None:
        """Extend the table to contain both instants, with at least a year to spare on each side."""
        low, high = (start, end) if start <= end else (end, start)
        if self._from <= low and high <= self._until and self._until:
            return
        if low < EARLIEST or high > LATEST:
            raise BadCalendar(sentence("Times before 1901 or after 2400 are not supported."))
        if self._until:
            low, high = min(low, self._from), max(high, self._until)
        self._from = max(low - 366 * DAY, EARLIEST)
        self._until = min(high + 731 * DAY, LATEST)
        self._starts, self._ends, self._sums = [], [], [0]
        for opens, closes in _merged(self._intervals()):
            self._starts.append(opens)
            self._ends.append(closes)
            self._sums.append(self._sums[-1] + closes - opens)

    def _intervals(self) -> Iterator[tuple[int, int]]:
        # Within a piece the UTC offset is constant, so local time is shifted UTC. Skipped and repeated hours
        # need no further rule: they result from the change of pieces.
        for begin, finish, offset in _pieces(load_zone(self.spec.zone), self._from, self._until):
            local_begin, local_finish = begin + offset, finish + offset
            for day in range(local_begin // DAY, (local_finish - 1) // DAY + 1):
                midnight = day * DAY
                for opens, closes in self._of_day(day):
                    low = max(midnight + opens, local_begin)
                    high = min(midnight + closes, local_finish)
                    if low < high:
                        yield low - offset, high - offset

    def _of_day(self, day: int) -> list[Window]:
        """The windows of a local date (days since 1970), cut at midnight, in order."""
        if day in self._closed:
            return []
        found = [(opens, closes if opens < closes else DAY) for opens, closes in self._starting_on(day)]
        if day not in self._open_days:
            found += [(0, closes) for opens, closes in self._starting_on(day - 1) if closes <= opens]
        return sorted(found)

    def _starting_on(self, day: int) -> tuple[Window, ...]:
        if day in self._closed:
            return ()
        # 1970-01-01 was a Thursday.
        return self._open_days.get(day, self.spec.weekly[(day + 3) % 7])


def _pieces(zone: ZoneInfo, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Periods of constant UTC offset: (start, end, offset in seconds)."""
    begin, offset = start, _offset(zone, start)
    at = start
    while at < end:
        following = min(at + DAY, end)
        if _offset(zone, following) != offset:
            turn = _change(zone, at, following, offset)
            yield begin, turn, offset
            begin, offset = turn, _offset(zone, turn)
            at = turn
        else:
            at = following
    if begin < end:
        yield begin, end, offset


def _change(zone: ZoneInfo, low: int, high: int, offset: int) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: ZoneInfo, at: int) -> int:
    shift = datetime.fromtimestamp(at, zone).utcoffset()
    return 0 if shift is None else shift.days * DAY + shift.seconds


def _merged(intervals: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    opens = closes = None
    for start, end in intervals:
        if opens is None or closes is None:
            opens, closes = start, end
        elif start <= closes:
            closes = max(closes, end)
        else:
            yield opens, closes
            opens, closes = start, end
    if opens is not None and closes is not None:
        yield opens, closes
