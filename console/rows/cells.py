"""The cells of lists of tickets, as HTML.

They are written here and not in templates because a list has hundreds of them (docs/decisions/0059). Each function
takes the row and the value of the column, and gives a whole `td`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import gettext

from console.durations import span as in_words
from console.rows import badges, labels
from console.rows.tickets import TicketRow
from hub.search.snippets import Piece

Cell = Callable[[TicketRow, Any], SafeString]
_EMPTY = SafeString("")


def text(_row: TicketRow, value: Any) -> SafeString:
    return format_html("<td>{}</td>", "" if value is None else value)


def number(_row: TicketRow, value: Any) -> SafeString:
    return format_html('<td class="text-end hub-figure">{}</td>', "" if value is None else value)


def span(_row: TicketRow, value: int | None) -> SafeString:
    """A duration in seconds."""
    return format_html('<td class="text-end hub-figure">{}</td>', in_words(value))


def reason(_row: TicketRow, value: str | None) -> SafeString:
    return format_html('<td class="hub-reason small">{}</td>', value or "")


def time(_row: TicketRow, value: datetime | None) -> SafeString:
    if value is None:
        return mark_safe('<td class="text-nowrap text-secondary"></td>')
    at = localtime(value)
    return format_html(
        '<td class="text-nowrap text-secondary"><time datetime="{}" title="{}">{}</time></td>',
        at.isoformat(timespec="seconds"),
        date_format(at, "FULL_MOMENT_SECONDS_FORMAT"),
        date_format(at, "MOMENT_FORMAT"),
    )


def ticket(row: TicketRow, value: str) -> SafeString:
    return format_html('<td class="hub-number-cell"><a href="{}">{}</a></td>', row.ticket.get_absolute_url(), value)


def title(row: TicketRow, value: str) -> SafeString:
    """The title, with what a search found in it marked, where else it was found, and the service."""
    hit, service = row.hit, row.ticket.service
    found = where = _EMPTY
    if hit is not None and hit.pieces:
        found = format_html(
            '<div class="small hub-hit"><span class="text-secondary">{}</span> {}</div>',
            labels.where_found(hit), _pieces(hit.pieces),
        )  # fmt: skip
    if service is not None:
        where = format_html('<div class="text-secondary small">{}</div>', service)
    return format_html(
        '<td class="hub-title" title="{}"><a class="text-reset" href="{}">{}</a>{}{}</td>',
        value, row.ticket.get_absolute_url(), _pieces(row.title) if row.title else value, found, where,
    )  # fmt: skip


def priority(_row: TicketRow, value: str) -> SafeString:
    return format_html('<td><span class="hub-priority hub-{}">{}</span></td>', value.lower(), value)


def status(row: TicketRow, value: str) -> SafeString:
    return format_html('<td><span class="badge {}">{}</span></td>', labels.phase_class(row.ticket.phase), value)


def holder(row: TicketRow, value: str | None) -> SafeString:
    if value is None:
        unnamed = gettext("another organisation")
        return format_html('<td class="text-nowrap"><span class="text-secondary">{}</span></td>', unnamed)
    why = labels.reason(row.ticket.hold_reason)
    return format_html('<td class="text-nowrap">{}<div class="text-secondary small">{}</div></td>', value, why)


def clocks(row: TicketRow, _value: datetime | None) -> SafeString:
    """The badges; or that an open ticket has no clock."""
    if row.badges:
        shown = format_html_join(" ", "{}", ((badges.as_html(badge),) for badge in row.badges))
        return format_html("<td>{}</td>", shown)
    missing = gettext("no service level") if row.ticket.is_open else ""
    return format_html('<td><span class="text-secondary">{}</span></td>', missing)


def _pieces(pieces: Sequence[Piece]) -> SafeString:
    marked = (format_html("<mark>{}</mark>", piece.text) if piece.is_match else piece.text for piece in pieces)
    return format_html_join("", "{}", ((each,) for each in marked))
