"""A list of tickets as a file: CSV of any length, and workbooks, of long lists in the background."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from tempfile import TemporaryFile

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from console import list_exports, workbook
from console.access import person, reader_of
from console.exporting import Exported, exported
from console.rows import columns
from hub.core import sessions
from hub.csv_escaping import plain
from hub.models import ListExport

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
AT_ONCE = 5000
"""A workbook is sent when it is complete; longer lists would keep the browser waiting and go to the background."""


@require_safe
@login_required
def export(request: HttpRequest) -> StreamingHttpResponse:
    """The tickets of the list with these filters as CSV, whatever their number: memory stays flat."""
    what = _asked(request)
    chunks = _chunks(what)
    # Under ASGI, Django would read a synchronous iterator to its end before it sends the first byte.
    content = _one_by_one(chunks) if isinstance(request, ASGIRequest) else chunks
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_name(what)}.csv"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def export_workbook(request: HttpRequest) -> HttpResponseBase:
    """The same as a workbook; of a long list, a page from which it is begun in the background."""
    what, query = _asked(request), request.GET.urlencode()
    if request.method == "POST":
        queued = list_exports.queue(person(request), query)
        if queued is not None:
            return redirect("console:list_export", queued.public_id)
        messages.error(
            request,
            _("You already have %(most)s workbooks in progress. Try again when one is finished.")
            % {"most": list_exports.MOST_AT_ONCE},
        )
        return redirect(f"{reverse('console:tickets')}?{query}")
    if what.tickets.order_by()[: AT_ONCE + 1].count() > AT_ONCE:
        return render(request, "console/list_export.html", {"most": AT_ONCE, "query": query, "page": "tickets"})
    file = TemporaryFile()  # noqa: SIM115 - the response closes it
    workbook.write(file, what.shown_as.columns, what.pages(), at=what.shown_as.reader.at)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"{_name(what)}.xlsx", content_type=XLSX)


@require_safe
@login_required
def list_export(request: HttpRequest, public_id: str) -> HttpResponse:
    """How far a workbook in the background is; when it is done, the link to it."""
    found = list_exports.of(person(request), public_id)
    if found is None:
        raise Http404("There is no such workbook, or it was deleted.")
    shown = {"export": found, "is_waiting": found.state == ListExport.State.WAITING, "page": "tickets"}
    response = render(request, "console/list_export.html", shown)
    if request.headers.get("HX-Request") and not shown["is_waiting"]:
        response["HX-Refresh"] = "true"  # the page stops asking
    return response


@require_safe
@login_required
def list_export_file(request: HttpRequest, public_id: str) -> FileResponse:
    """The workbook."""
    found = list_exports.of(person(request), public_id)
    if found is None or found.state != ListExport.State.DONE or not default_storage.exists(found.path):
        raise Http404("There is no such workbook, or it was deleted.")
    name = f"tickets-{found.made_at:%Y-%m-%d}.xlsx"
    return FileResponse(default_storage.open(found.path), as_attachment=True, filename=name, content_type=XLSX)


def _asked(request: HttpRequest) -> Exported:
    return exported(request.GET, person(request), reader_of(request))


def _name(what: Exported) -> str:
    return f"tickets-{what.shown_as.reader.at:%Y-%m-%d}"


def _chunks(what: Exported) -> Iterator[bytes]:
    """The file in parts, each with some rows. Each part is made in the time zone and language of the request."""
    zone, language = get_current_timezone(), translation.get_language()
    pages = what.pages()
    lines: list[list[str | int]] = [[str(column.exported_as or column.label) for column in what.shown_as.columns]]
    is_first = True
    while True:
        with timezone.override(zone), translation.override(language):
            rows = next(pages, None)
            for row in rows or ():
                lines.append([plain(_text(columns.exported(column, row))) for column in what.shown_as.columns])
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
