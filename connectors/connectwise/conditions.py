"""Conditions, ConnectWise's query language: texts in double quotes, times in square brackets.

https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
"""

from __future__ import annotations

from datetime import UTC, datetime


def quoted(text: str) -> str:
    """A text in a condition, without characters that could end the condition.

    >>> quoted('a "b"')
    '"a b"'
    """
    return '"' + text.replace('"', "").replace("\\", "") + '"'


def instant(at: datetime, *, is_naive: bool = False) -> str:
    """An instant in a condition: ``[2026-01-05T09:30:00Z]``, or without the Z if `is_naive`."""
    return f"[{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}{'' if is_naive else 'Z'}]"
