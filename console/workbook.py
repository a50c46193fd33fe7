"""A list of tickets as a workbook for spreadsheets (XLSX)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from tempfile import TemporaryDirectory
from typing import IO, Any

from django.utils.timezone import get_current_timezone_name, localtime
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from console.rows.columns import Column
from console.rows.tickets import TicketRow

DAY = 86_400
MOST_ROWS = 1_048_575
"""A sheet holds no more below its head, and XlsxWriter leaves out the others without a word."""
LONGEST_TEXT = 32_767
"""A cell holds no more characters."""
WIDTHS = {"title": 60, "reason": 60, "span": 12, "number": 10, "time": 18}
FORMATS = {"span": "[h]:mm:ss", "time": "yyyy-mm-dd hh:mm:ss", "number": "0", "head": "@"}


def write(file: IO[bytes], columns: Sequence[Column], pages: Iterable[Sequence[TicketRow]], *, at: datetime) -> None:
    """Write the workbook to an open file, row by row, so that memory does not grow with the list.

    Durations are numbers with a format, and times are in the active time zone, which the heads of their columns name.
    Everything else is text, also what looks like a formula, and ticket numbers.
    """
    with TemporaryDirectory() as folder:  # what a failure leaves behind goes with it
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "tmpdir": folder}
        book = Workbook(file, options)
        sheet = book.add_worksheet()
        try:
            _fill(book, sheet, columns, pages, at=at)
        except BaseException:
            sheet.row_data_fh.close()
            raise
        book.close()


def _fill(
    book: Workbook, sheet: Worksheet, columns: Sequence[Column], pages: Iterable[Sequence[TicketRow]], *, at: datetime
) -> None:
    book.set_properties({"created": localtime(at).replace(tzinfo=None)})
    formats = {name: book.add_format({"num_format": text, "bold": name == "head"}) for name, text in FORMATS.items()}
    sheet.freeze_panes(1, 0)
    for number, column in enumerate(columns):
        sheet.set_column(number, number, WIDTHS.get(column.kind, 20))
        sheet.write_string(0, number, _head(column), formats["head"])
    line = 0
    for page in pages:
        for row in page:
            line += 1
            for number, column in enumerate(columns):
                _write(sheet, line, number, column.kind, column.value(row), formats)
    sheet.autofilter(0, 0, max(line, 1), len(columns) - 1)


def _head(column: Column) -> str:
    zone = f" ({get_current_timezone_name()})" if column.kind == "time" else ""
    return f"{column.label}{zone}"


def _write(sheet: Worksheet, line: int, number: int, kind: str, value: Any, formats: dict[str, Any]) -> None:
    if value is None or value == "":
        return
    if isinstance(value, datetime):
        sheet.write_datetime(line, number, localtime(value).replace(tzinfo=None), formats["time"])
    elif isinstance(value, int) and kind == "span":
        sheet.write_number(line, number, value / DAY, formats["span"])
    elif isinstance(value, int):
        sheet.write_number(line, number, value, formats["number"])
    else:
        sheet.write_string(line, number, str(value)[:LONGEST_TEXT])
