"""The names that texts and expressions of a profile may use."""

from __future__ import annotations

LONGEST = 100_000
REQUEST = ("settings", "secrets", "memory", "me", "steps", "heads", "now")
"""The names available in every request."""
ANSWER = ("settings", "me", "answer", "status", "headers", "steps")
RECORD = ("settings", "me", "item", "answer")
CHANGE = ("change", "fields")
REQUESTED = (
    *REQUEST,
    *CHANGE,
    "key",
    "item",
    "file",
    "hook",
    "since",
    "page",
    "offset",
    "limit",
    "cursor",
    "after",
    "reference",
    "prefix",
    "note",
)
"""All names that any request may use; `given` says which of them are set in which operation."""
