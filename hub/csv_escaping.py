"""Cells of exported tables: text that a spreadsheet would run as a formula is escaped (OWASP, CSV injection)."""

from __future__ import annotations

from typing import TypeVar

Cell = TypeVar("Cell")
BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


def plain(value: Cell) -> Cell | str:
    """The value, with an apostrophe before text that begins like a formula. Numbers are unchanged.

    >>> plain("=1+1"), plain("@SUM(A1)"), plain("-"), plain(-5), plain("a=b")
    ("'=1+1", "'@SUM(A1)", "'-", -5, 'a=b')
    """
    return f"'{value}" if isinstance(value, str) and value[:1] in BEGINNINGS else value
