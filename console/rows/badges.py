"""The badges of clocks, as text and as HTML.

They are written here and not in a template because a list has a hundred of them (docs/decisions/0059).
"""

from __future__ import annotations

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext

from console.durations import span
from hub.models import Target
from hub.queries.tickets import Badge

CLASSES = {
    "breached": "bg-red-lt",
    "soon": "bg-orange-lt",
    "running": "bg-green-lt",
    "met": "bg-azure-lt",
}
OTHER = "bg-secondary-lt"
"""The class of all other states."""
_TARGETS = dict(Target.Kind.choices)


def words(badge: Badge) -> str:
    """What a clock says: the target, and how much time it has left or is late by."""
    target, state = str(_TARGETS[badge.clock.target]), badge.state
    if state == "breached":
        return gettext("%(target)s late by %(time)s") % {"target": target, "time": span(badge.over)}
    if state == "cancelled":
        return gettext("%(target)s ended without a result") % {"target": target}
    if state == "met":
        return _met(badge, target)
    if state in ("paused", "idle"):
        return _halted(badge, target)
    if badge.goal is None:
        return gettext("%(target)s running for %(time)s, no goal") % {"target": target, "time": span(badge.used)}
    return gettext("%(target)s %(time)s left") % {"target": target, "time": span(badge.remaining)}


def _met(badge: Badge, target: str) -> str:
    if badge.goal is None:
        return gettext("%(target)s took %(time)s") % {"target": target, "time": span(badge.used)}
    return gettext("%(target)s met") % {"target": target}


def _halted(badge: Badge, target: str) -> str:
    """Of a clock that is paused, or has not started."""
    is_paused = badge.state == "paused"
    if badge.remaining is None:
        text = gettext("%(target)s paused") if is_paused else gettext("%(target)s not started")
        return text % {"target": target}
    text = (
        gettext("%(target)s paused, %(time)s left") if is_paused else gettext("%(target)s not started, %(time)s left")
    )
    return text % {"target": target, "time": span(badge.remaining)}


def as_html(badge: Badge, *, hides_due: bool = False) -> SafeString:
    """The badge; with when a running clock is due, unless that stands beside it."""
    contract, due, title = badge.clock.contract.name, "", badge.clock.contract.name
    mark = format_html('<span aria-hidden="true">{}</span> ', "●") if badge.state == "breached" else ""
    if badge.due_at is not None:
        at = localtime(badge.due_at)
        shown = date_format(at, "WEEKDAY_MOMENT_FORMAT")
        title = gettext("%(contract)s, due %(due)s") % {"contract": contract, "due": shown}
        if badge.goal is not None and not hides_due and badge.state in ("running", "soon"):
            due = format_html(' <time datetime="{}">· {}</time>', at.isoformat(timespec="seconds"), shown)
    return format_html(
        '<span class="badge {}" title="{}">{}{}{}</span>',
        CLASSES.get(badge.state, OTHER), title, mark, words(badge), due,
    )  # fmt: skip
