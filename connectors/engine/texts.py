"""Makes texts from outside storable in a database."""

from __future__ import annotations

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The text with a replacement character for what no database can store: NUL, and half of a surrogate pair.

    A text without either is returned unchanged, so a sentence stays one.

    >>> storable("a\\x00b\\ud800c")
    'a\ufffdb\ufffdc'
    """
    return _UNSTORABLE.sub("\ufffd", text) if _UNSTORABLE.search(text) else text
