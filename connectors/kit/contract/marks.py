"""The correlation mark that a hub writes on its notes and files in a vendor's system."""

from __future__ import annotations

import re

MARK = re.compile(r"\[TH:([0-9A-HJKMNP-TV-Z]{26}:[0-9a-f]{12}(?:@[0-9A-HJKMNP-TV-Z]{8}){0,9})\]")
"""A hub's mark on a note or file: the operation's ID, its signature, and the hubs it passed through."""


def mark_in(text: str) -> str:
    """The first mark in a text; empty if there is none.

    >>> mark_in("Update [TH:01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab]")
    '01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab'
    """
    found = MARK.search(text)
    return found[1] if found else ""
