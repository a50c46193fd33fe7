"""Public ids: ULIDs, used in URLs, payloads and towards vendors."""

from __future__ import annotations

from ulid import ULID


def new_ulid() -> str:
    """A new public id: 26 characters that sort by creation time."""
    return str(ULID())
