"""Calendars against a minute-by-minute reading of the wall clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.sla.calendars import DAY, WEEKDAYS, BadCalendar, Calendar, CalendarSpec

MINUTE = 60


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def calendar(zone: str = "Europe/Berlin", **weekly: list[list[str]]) -> Calendar:
    return Calendar(CalendarSpec.parse(zone=zone, weekly=weekly))


def is_open_by_the_wall_clock(spec: CalendarSpec, at: int) -> bool:
    """The rule itself, word by word, sharing nothing with the table."""
    local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(spec.zone))
    second = local.hour * 3600 + local.minute * 60 + local.second

    def windows(day: date) -> tuple[tuple[int, int], ...]:
        if day in spec.holidays:
            return ()
        return spec.exceptions.get(day, spec.weekly[day.weekday()])

    today, yesterday = local.date(), local.date() - timedelta(days=1)
    if today in spec.holidays:
        return False
    if any(a <= second < b if a < b else second >= a for a, b in windows(today)):
        return True
    return today not in spec.exceptions and any(b <= a and second < b for a, b in windows(yesterday))


times = st.integers(0, 96).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
windows = st.lists(st.tuples(times, times.filter(lambda t: t != "00:00")).map(list), max_size=2)
dates = st.dates(date(2026, 3, 20), date(2026, 4, 10)).map(date.isoformat)
specs = st.builds(
    CalendarSpec.parse,
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"]),
    weekly=st.fixed_dictionaries(dict.fromkeys(WEEKDAYS, windows)),
    holidays=st.lists(dates, max_size=3),
    exceptions=st.dictionaries(dates, windows, max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(spec=specs, start=st.integers(0, 20 * 24 * 4), length=st.integers(0, 3 * 24 * 4))
def test_elapsed_counts_the_minutes_in_which_the_wall_clock_reads_a_window(
    spec: CalendarSpec, start: int, length: int
) -> None:
    begin = unix("2026-03-20T00:00+00:00") + start * 15 * MINUTE
    end = begin + length * 15 * MINUTE

    counted = sum(MINUTE for at in range(begin, end, MINUTE) if is_open_by_the_wall_clock(spec, at))

    assert Calendar(spec).elapsed(begin, end) == counted


@settings(max_examples=60, deadline=None)
@given(spec=specs, start=st.integers(0, 10**6), amount=st.integers(1, 3 * DAY))
def test_add_is_the_first_instant_at_which_so_much_has_elapsed(spec: CalendarSpec, start: int, amount: int) -> None:
    begin = unix("2026-03-20T00:00+00:00") + start
    table = Calendar(spec)

    found = table.add(begin, amount)

    if found is None:
        assert table.elapsed(begin, begin + 400 * DAY) < amount
    else:
        assert table.elapsed(begin, found) == amount
        assert table.elapsed(begin, found - 1) == amount - 1


def test_a_day_of_25_hours_is_measured_in_real_hours() -> None:
    table = calendar(sun=[["00:00", "24:00"]])

    assert table.elapsed(unix("2026-10-25T00:00+02:00"), unix("2026-10-26T00:00+01:00")) == 25 * 3600


def test_a_window_in_the_spring_gap_is_never_open() -> None:
    table = calendar(sun=[["02:00", "03:00"]])

    assert table.elapsed(unix("2026-03-29T00:00+01:00"), unix("2026-03-30T00:00+02:00")) == 0


def test_a_holiday_removes_the_shift_that_starts_on_it_and_the_tail_of_the_one_before() -> None:
    spec = CalendarSpec.parse(
        zone="UTC", weekly={day: [["22:00", "06:00"]] for day in WEEKDAYS}, holidays=["2026-05-01"]
    )

    table = Calendar(spec)

    assert table.openings(unix("2026-04-30T00:00Z"), unix("2026-05-03T00:00Z")) == [
        (unix("2026-04-30T00:00Z"), unix("2026-04-30T06:00Z")),
        (unix("2026-04-30T22:00Z"), unix("2026-05-01T00:00Z")),
        (unix("2026-05-02T22:00Z"), unix("2026-05-03T00:00Z")),
    ]


def test_a_calendar_without_open_time_never_ends_anything() -> None:
    table = calendar()

    assert table.add(unix("2026-01-01T00:00Z"), 60) is None
    assert table.next_open(unix("2026-01-01T00:00Z")) is None
    assert table.elapsed(unix("2026-01-01T00:00Z"), unix("2027-01-01T00:00Z")) == 0


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"zone": "Europe/Atlantis", "weekly": {}}, "Unknown time zone 'Europe/Atlantis'"),
        ({"zone": "../../etc/passwd", "weekly": {}}, "Unknown time zone"),
        ({"zone": "UTC", "weekly": {"noday": []}}, "Unknown weekday 'noday'"),
        ({"zone": "UTC", "weekly": {"mon": [["9", "17:00"]]}}, "'9' is not a time of day"),
        ({"zone": "UTC", "weekly": {"mon": [["09:00", "24:01"]]}}, "'24:01' is not a time of day"),
        ({"zone": "UTC", "weekly": {"mon": [["09:00"]]}}, "mon: expected a start and an end time"),
        ({"zone": "UTC", "weekly": {}, "holidays": ["2026-02-30"]}, "'2026-02-30' is not a date"),
    ],
)
def test_what_cannot_be_understood_is_named(described: dict[str, object], said: str) -> None:
    with pytest.raises(BadCalendar) as refused:
        CalendarSpec.parse(**described)  # type: ignore[arg-type]

    assert said in str(refused.value)
