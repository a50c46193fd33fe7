"""Public ids: ULIDs, as URLs, payloads and vendors see them."""

from __future__ import annotations

from ulid import ULID


def new_ulid() -> str:
    """A new public id: 26 characters that sort by the time they were made."""
    return str(ULID())
