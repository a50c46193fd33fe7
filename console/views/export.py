"""A list of tickets as a file: all its pages, with the columns and in the order that are shown."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from console import workbook
from console.access import person, reader_of
from console.rows import columns
from console.rows.tickets import TicketRow, ticket_rows
from console.views.ticket_list import ShownAs, filters_of
from hub.core import sessions
from hub.csv_escaping import plain
from hub.models import Ticket
from hub.queries import permissions, risk_order, sorting
from hub.queries import tickets as questions

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CHUNK = 500
"""How many tickets are read at once."""


MOST_IN_A_WORKBOOK = 5000
"""A workbook is sent when it is complete; longer lists would keep the browser waiting."""


@require_safe
@login_required
def export(request: HttpRequest) -> StreamingHttpResponse:
    """The tickets of the list with these filters as CSV, whatever their number: memory stays flat.

    It is read page by page and no snapshot: a ticket that changes meanwhile may move out of what is still to come.
    """
    tickets, order, shown_as = _asked(request)
    chunks = _chunks(tickets, order, shown_as)
    # Under ASGI, Django would read a synchronous iterator to its end before it sends the first byte.
    content = _one_by_one(chunks) if isinstance(request, ASGIRequest) else chunks
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="tickets-{shown_as.reader.at:%Y-%m-%d}.csv"'
    return response


@require_safe
@login_required
def export_workbook(request: HttpRequest) -> HttpResponseBase:
    """The same as a workbook, for lists that are not too long."""
    tickets, order, shown_as = _asked(request)
    if tickets.order_by()[: MOST_IN_A_WORKBOOK + 1].count() > MOST_IN_A_WORKBOOK:
        messages.error(
            request,
            _("A workbook holds at most %(most)s tickets. Narrow the list, or export CSV, which has no limit.")
            % {"most": MOST_IN_A_WORKBOOK},
        )
        return redirect(f"{reverse('console:tickets')}?{request.GET.urlencode()}")
    at = shown_as.reader.at
    file = workbook.written(shown_as.columns, _pages(tickets, order, shown_as), at=at)
    return FileResponse(file, as_attachment=True, filename=f"tickets-{at:%Y-%m-%d}.xlsx", content_type=XLSX)


def _asked(request: HttpRequest) -> tuple[QuerySet[Ticket], sorting.Order, ShownAs]:
    """The tickets of the list with the filters of the address, their order, and what is shown of them."""
    reader, asked = reader_of(request), request.GET
    shown_as = ShownAs(
        user=person(request), reader=reader, columns=columns.chosen(",".join(asked.getlist("columns")), reader)
    )
    found = questions.narrowed(permissions.visible_tickets(shown_as.user), filters_of(asked), reader)
    order = sorting.order(asked.get("sort", ""), reader)
    return questions.with_relations(found, *shown_as.relations), order, shown_as


def _pages(tickets: QuerySet[Ticket], order: sorting.Order, shown_as: ShownAs) -> Iterator[list[TicketRow]]:
    """The rows of the list, page by page."""
    place = ""
    while True:
        page = risk_order.page(tickets, order, shown_as.reader, size=CHUNK, after=place)
        yield ticket_rows(page.rows, shown_as.reader, user=shown_as.user, needs=shown_as.needs)
        place = page.after
        if not place:
            return


def _chunks(tickets: QuerySet[Ticket], order: sorting.Order, shown_as: ShownAs) -> Iterator[bytes]:
    """The file in parts, each with some rows. Each part is made in the time zone and language of the request."""
    zone, language = get_current_timezone(), translation.get_language()
    pages = _pages(tickets, order, shown_as)
    lines: list[list[str | int]] = [[str(column.exported_as or column.label) for column in shown_as.columns]]
    is_first = True
    while True:
        with timezone.override(zone), translation.override(language):
            rows = next(pages, None)
            for row in rows or ():
                lines.append([plain(_text(columns.exported(column, row))) for column in shown_as.columns])
        sessions.release()  # while the browser takes the part
        if rows is None:
            return
        yield _written(lines, is_first=is_first)
        is_first, lines = False, []


def _text(value: str | int | None) -> str | int:
    return "" if value is None else value


def _written(lines: list[list[str | int]], *, is_first: bool) -> bytes:
    """The lines as UTF-8; the file begins with a byte order mark, by which spreadsheets know the encoding."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(lines)
    return file.getvalue().encode("utf-8-sig" if is_first else "utf-8")


async def _one_by_one(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    following = sync_to_async(lambda: next(chunks, None))
    while (chunk := await following()) is not None:
        yield chunk
