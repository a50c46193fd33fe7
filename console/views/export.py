"""A list of tickets as a CSV file: all its pages, with the columns and in the order that are shown."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone, translation
from django.utils.timezone import get_current_timezone
from django.views.decorators.http import require_safe

from console.access import person, reader_of
from console.rows import columns
from console.rows.tickets import ticket_rows
from console.views.ticket_list import ShownAs, filters_of
from hub.core import sessions
from hub.csv_escaping import plain
from hub.models import Ticket
from hub.queries import permissions, sorting
from hub.queries import tickets as questions

CHUNK = 500
"""How many tickets are read at once."""


@require_safe
@login_required
def export(request: HttpRequest) -> StreamingHttpResponse:
    """The tickets of the list with these filters, whatever their number: memory stays flat.

    It is read page by page and no snapshot: a ticket that changes meanwhile may move out of what is still to come.
    """
    reader, asked = reader_of(request), request.GET
    shown_as = ShownAs(
        user=person(request), reader=reader, columns=columns.chosen(",".join(asked.getlist("columns")), reader)
    )
    found = questions.narrowed(permissions.visible_tickets(shown_as.user), filters_of(asked), reader)
    order = sorting.order(asked.get("sort", ""), reader)
    chunks = _chunks(questions.with_relations(found, *shown_as.relations), order, shown_as)
    # Under ASGI, Django would read a synchronous iterator to its end before it sends the first byte.
    content = _one_by_one(chunks) if isinstance(request, ASGIRequest) else chunks
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="tickets-{reader.at:%Y-%m-%d}.csv"'
    return response


def _chunks(tickets: QuerySet[Ticket], order: sorting.Order, shown_as: ShownAs) -> Iterator[bytes]:
    """The file in parts, each with some rows. Each part is made in the time zone and language of the request."""
    zone, language = get_current_timezone(), translation.get_language()
    place = ""
    lines: list[list[str | int]] = [[str(column.exported_as or column.label) for column in shown_as.columns]]
    while True:
        with timezone.override(zone), translation.override(language):
            page = sorting.page(tickets, order, shown_as.reader, size=CHUNK, after=place)
            for row in ticket_rows(page.rows, shown_as.reader, user=shown_as.user, needs=shown_as.needs):
                lines.append([plain(_text(columns.exported(column, row))) for column in shown_as.columns])
        sessions.release()  # while the browser takes the part
        yield _written(lines, is_first=not place)
        place, lines = page.after, []
        if not place:
            return


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
