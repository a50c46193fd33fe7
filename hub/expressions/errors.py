"""What can be wrong with an expression."""

from __future__ import annotations


class BadExpression(ValueError):
    """The expression is not allowed; the message says why and where."""


class Failed(ValueError):
    """The expression failed for these values; the message says why."""
