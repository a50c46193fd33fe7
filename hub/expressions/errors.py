"""Errors of expressions."""

from __future__ import annotations


class BadExpression(ValueError):
    """The expression is not valid; the message says why and where."""


class Failed(ValueError):
    """The expression failed for these values; the message says why."""
