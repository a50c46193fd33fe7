"""A calendar's coming week as a plain SVG picture in the page's colours."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from hub.models import Calendar
from hub.sla.calendars import BadCalendar, load_zone
from hub.sla.calendars import Calendar as Sums
from hub.translation import localized

STEP = timedelta(minutes=15)
WIDTH, ROW = 480, 18


def coming_week(row: Calendar, *, at: datetime) -> SafeString | str:
    """Seven days from the day of `at` in the calendar's time zone; the error as text if the calendar is not valid."""
    try:
        sums, zone = Sums(row.spec()), load_zone(row.time_zone)
    except (BadCalendar, ValueError) as error:
        return localized(str(error))
    first = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [_day(sums, (first + timedelta(days=number)), number) for number in range(7)]
    return render_to_string(
        "admin/hub/week.html",
        {
            "days": days,
            "hours": [(hour, 70 + hour * WIDTH // 24) for hour in range(0, 25, 6)],
            "zone": row.time_zone,
            "height": 7 * ROW + 20,
            "open_hours": f"{sum(day['seconds'] for day in days) / 3600:.4g}",
        },
    )


def _day(sums: Sums, begins: datetime, number: int) -> dict[str, Any]:
    """The open stretches of one day, drawn on 24 hours of wall clock time."""
    bars: list[list[float]] = []
    for step in range(24 * 4):
        wall = begins + step * STEP  # wall clock arithmetic: the picture shows 24 hours even on a day of 23 or 25
        if not sums.is_open(int(wall.timestamp())):
            continue
        x = 70 + step * WIDTH / 96
        if bars and abs(bars[-1][0] + bars[-1][1] - x) < 0.01:
            bars[-1][1] += WIDTH / 96
        else:
            bars.append([x, WIDTH / 96])
    ends = begins + timedelta(days=1)
    return {
        "name": begins,
        "y": number * ROW + 2,
        "bars": bars,
        "seconds": sums.elapsed(int(begins.timestamp()), int(ends.timestamp())),
    }
