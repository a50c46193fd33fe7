"""Form fields for working hours and goals, as admins write them.

Hours are local wall-clock times in the calendar's time zone; goals are whole business seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from hub.sla.calendars import WEEKDAYS, BadCalendar, seconds_of_day
from hub.translation import localized

Windows = list[list[str]]

DAYS = (
    _lazy("Monday"),
    _lazy("Tuesday"),
    _lazy("Wednesday"),
    _lazy("Thursday"),
    _lazy("Friday"),
    _lazy("Saturday"),
    _lazy("Sunday"),
)
_TIME = r"(\d{1,2})(?:[:.](\d\d))?(?::(\d\d))?"
_WINDOW = re.compile(rf"\s*{_TIME}\s*(?:-|–|to)\s*{_TIME}\s*")
_AMOUNT = re.compile(
    r"\s*(\d+(?:[.,]\d{1,2})?)(?!\d)\s*(hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z])\s*,?", re.IGNORECASE
)
_SECONDS = {"h": 3600, "m": 60, "s": 1}
LONGEST = 10 * 366 * 86_400
CLOSED = ("", "closed", "–", "-")
ALWAYS = ("24 h", "24h", "all day", "always", "00:00-24:00")


def read_windows(text: str) -> Windows:
    """``09:00-12:00, 13-17:30`` as ``[["09:00", "12:00"], ["13:00", "17:30"]]``; ValidationError for other texts."""
    told = text.strip().lower()
    if told in CLOSED:
        return []
    if told in ALWAYS:
        return [["00:00", "24:00"]]
    found = []
    for part in re.split(r"[,;]", told):
        match = _WINDOW.fullmatch(part)
        if match is None:
            raise ValidationError(
                _("“%s” is not valid. Enter hours such as 09:00-12:00, 13:00-17:00, or “closed”, or “24 h”.") % part
            )
        pair = [_clock(*match.groups()[:3]), _clock(*match.groups()[3:])]
        try:
            if seconds_of_day(pair[0]) == seconds_of_day(pair[1]):
                raise ValidationError(
                    _("“%s” starts and ends at the same time. Enter “24 h” for the whole day.") % part.strip()
                )
        except BadCalendar as error:
            raise ValidationError(localized(str(error))) from error
        if pair[1] < pair[0] and match[2] is None and match[5] is None:
            raise ValidationError(
                _("“%s” would run overnight. Enter minutes, such as 21:00-05:00 for a night or 09:00-17:00 for a day.")
                % part.strip()
            )
        found.append(pair)
    same_day = sorted((seconds_of_day(begins), seconds_of_day(ends)) for begins, ends in found if begins < ends)
    if any(earlier[1] > later[0] for earlier, later in pairwise(same_day)):
        raise ValidationError(_("“%s” contains overlapping hours. Enter each hour only once.") % text.strip())
    return found


def _clock(hours: str, minutes: str | None, seconds: str | None) -> str:
    return ":".join((hours.zfill(2), minutes or "00", *([seconds] if seconds and seconds != "00" else [])))


def told_windows(windows: Sequence[Sequence[str]]) -> str:
    """The inverse of `read_windows`; empty for a closed day."""
    told = ", ".join("-".join(pair) for pair in windows)
    return "24 h" if told == "00:00-24:00" else told


def read_goal(text: str) -> int | None:
    """``1 h 30 min`` as 5400 business seconds; None for an empty text. Raises ValidationError for anything else."""
    if not text.strip():
        return None
    total, at = 0.0, 0
    while match := _AMOUNT.match(text, at):
        total += float(match[1].replace(",", ".")) * _SECONDS[match[2][0].lower()]
        at = match.end()
    if text[at:].strip() or not at:
        raise ValidationError(
            _("“%s” is not a duration. Enter working time such as 15 min, 4 h or 1 h 30 min.") % text.strip()
        )
    if not 1 <= total <= LONGEST:
        raise ValidationError(_("A goal must be between one second and ten years."))
    return round(total)


def told_goal(seconds: int | None) -> str:
    """The inverse of `read_goal`: ``1 h 30 min``; empty for None."""
    if seconds is None:
        return ""
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount) or "0 s"


class GoalField(forms.CharField):
    """A goal such as ``1 h 30 min``; its value is in seconds."""

    def to_python(self, value: Any) -> Any:
        return read_goal(super().to_python(value) or "")

    def prepare_value(self, value: Any) -> Any:
        return told_goal(value) if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(read_goal(data or "") != initial)
        except ValidationError:
            return True


class WeekWidget(forms.MultiWidget):
    template_name = "admin/hub/hours.html"

    def __init__(self) -> None:
        super().__init__({day: forms.TextInput(attrs={"size": 40}) for day in WEEKDAYS})

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        for day, shown in zip(DAYS, context["widget"]["subwidgets"], strict=True):
            shown["day"] = day
        return context

    def decompress(self, value: Any) -> list[str]:
        kept = value if isinstance(value, Mapping) else {}
        return [told_windows(kept.get(day, ())) for day in WEEKDAYS]


class WeekField(forms.MultiValueField):
    """Seven lines of hours; the value is the calendar's JSON."""

    widget = WeekWidget

    def __init__(self, **kwargs: Any) -> None:
        fields = [forms.CharField(required=False, max_length=200) for _day in WEEKDAYS]
        super().__init__(fields, require_all_fields=False, required=False, **kwargs)

    def compress(self, data_list: Sequence[str]) -> dict[str, Windows]:
        found, wrong = {}, []
        for slug, name, text in zip(WEEKDAYS, DAYS, data_list, strict=False):
            try:
                found[slug] = read_windows(text)
            except ValidationError as error:
                wrong.append(_("%(day)s: %(reason)s") % {"day": name, "reason": error.messages[0]})
        if wrong:
            raise ValidationError(wrong)
        return {day: windows for day, windows in found.items() if windows}

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(super().has_changed(WeekWidget().decompress(initial), data))


class DatesField(forms.CharField):
    """One date per line; the value is a list of ISO dates."""

    widget = forms.Textarea(attrs={"rows": 6, "cols": 30})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in re.split(r"[\n,;]", super().to_python(value) or "") if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != list(initial or []))


class ExceptionsField(forms.CharField):
    """One ``2026-12-24 09:00-12:00`` per line; the value is the calendar's JSON."""

    widget = forms.Textarea(attrs={"rows": 6, "cols": 50})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return "\n".join(f"{day} {told_windows(windows) or 'closed'}" for day, windows in value.items())

    def to_python(self, value: Any) -> Any:
        found: dict[str, Windows] = {}
        for line in (super().to_python(value) or "").splitlines():
            day, _space, hours = line.strip().partition(" ")
            if day:
                try:
                    day = date.fromisoformat(day).isoformat()
                except ValueError as error:
                    raise ValidationError(_("“%s” is not a date. Enter dates as 2026-12-24.") % day) from error
            if day in found:
                raise ValidationError(_("%s appears twice. Enter all its hours on one line.") % day)
            if day:
                if not hours.strip():
                    raise ValidationError(_("Enter the hours of %s, or “closed”.") % day)
                found[day] = read_windows(hours)
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != dict(initial or {}))
        except ValidationError:
            return True
