"""Durations in words."""

from __future__ import annotations

from django.utils.translation import gettext

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
    units = ((days, gettext("%(n)s d")), (hours, gettext("%(n)s h")), (rest // 60, gettext("%(n)s m")))
    parts = [unit % {"n": number} for number, unit in units if number][:2]
    return f"{sign}{' '.join(parts)}".replace(" ", NO_BREAK)
