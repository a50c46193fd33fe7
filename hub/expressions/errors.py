"""What can be wrong with an expression."""

from __future__ import annotations


class BadExpression(ValueError):
    """It cannot be an expression here; the text says why, and where in it."""


class Failed(ValueError):
    """It could not be worked out for these values."""
