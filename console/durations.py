"""Durations in words."""

from __future__ import annotations

from django.utils.translation import gettext, gettext_noop

_DAYS, _HOURS, _MINUTES = gettext_noop("%(n)s d"), gettext_noop("%(n)s h"), gettext_noop("%(n)s m")
NO_BREAK = "\u00a0"


def span(seconds: int | None) -> str:
    """Seconds in the two largest units, rounded down, in the active language, with no-break spaces.

    >>> [span(seconds).replace(NO_BREAK, " ") for seconds in (45, 11_520, 90_000, -60)]
    ['45 s', '3 h 12 m', '1 d 1 h', '−1 m']
    """
    if seconds is None:
        return ""
    sign, rest = ("−" if seconds < 0 else ""), abs(int(seconds))
    if rest < 60:
        seconds_only = gettext("%(n)s s") % {"n": rest}
        return f"{sign}{seconds_only}".replace(" ", NO_BREAK)
    days, rest = divmod(rest, 86_400)
    hours, rest = divmod(rest, 3600)
    units = [(number, unit) for number, unit in ((days, _DAYS), (hours, _HOURS), (rest // 60, _MINUTES)) if number]
    parts = [gettext(unit) % {"n": number} for number, unit in units[:2]]
    return f"{sign}{' '.join(parts)}".replace(" ", NO_BREAK)
