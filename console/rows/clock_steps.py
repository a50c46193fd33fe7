"""The lines that explain a clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.domain.clock_explanation import Explanation, Step
from hub.models import Calendar
from hub.queries.timeline import Line
from hub.sla.calendars import WEEKDAYS
from hub.sla.clock_states import State


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """A period of the clock, with what began it."""

    step: Step
    what: str
    because: list[str]
    """What happened at its start."""
    has_other_calendar: bool
    """Whether its calendar differs from that of the period before."""


def step_rows(explanation: Explanation, lines: Iterable[Line]) -> list[StepRow]:
    """The periods in order."""
    happened: dict[datetime, list[str]] = {}
    for line in lines:
        words = f"{line.leg}: {line.label}" if line.leg else line.label
        if line.message is not None:
            words = _("message to the requester") if line.message.is_for_requester else ""
        if words:
            happened.setdefault(line.at.replace(microsecond=0), []).insert(0, words)
    rows, before = [], None
    for step in explanation.steps:
        key = step.calendar.pk if step.calendar is not None else None
        rows.append(
            StepRow(
                step=step,
                what=_what(step),
                because=happened.get(step.from_at, []),
                has_other_calendar=before is not None and key != before,
            )
        )
        before = key
    return rows


def _what(step: Step) -> str:
    if step.state is State.ACTIVE:
        return _("counted")
    if step.state is State.STOPPED:
        return (
            _("counted afterwards: the contract continues the clock after a reopening")
            if step.counted
            else _("stopped")
        )
    return _("paused") if step.state is State.PAUSED else _("not counted: the organisation does not have the ticket")


@dataclass(frozen=True, kw_only=True)
class CalendarWords:
    """A calendar in words."""

    name: str
    time_zone: str
    days: list[tuple[str, str]]
    """Weekdays with working time and their hours; days that follow each other with the same hours are one entry."""


_DAYS = {
    "mon": gettext_lazy("Monday"),
    "tue": gettext_lazy("Tuesday"),
    "wed": gettext_lazy("Wednesday"),
    "thu": gettext_lazy("Thursday"),
    "fri": gettext_lazy("Friday"),
    "sat": gettext_lazy("Saturday"),
    "sun": gettext_lazy("Sunday"),
}


def calendars_of(explanation: Explanation) -> list[CalendarWords]:
    """The calendars in which the clock has counted."""
    used = {step.calendar.pk: step.calendar for step in explanation.steps if step.calendar is not None}
    return [_in_words(calendar) for calendar in used.values()]


def _in_words(calendar: Calendar) -> CalendarWords:
    hours = [", ".join(f"{start}–{end}" for start, end in calendar.weekly.get(day, ())) for day in WEEKDAYS]
    days = []
    for same, group in groupby(zip(WEEKDAYS, hours, strict=True), key=itemgetter(1)):
        first, *others = (str(_DAYS[day]) for day, _hours in group)
        if same:
            days.append((f"{first}–{others[-1]}" if others else first, same))
    return CalendarWords(name=str(calendar), time_zone=calendar.time_zone, days=days)
