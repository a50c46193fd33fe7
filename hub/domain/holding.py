"""What an action sends is held while the action can be undone (docs/decisions/0057).

Whoever queues something to be sent asks here until when it waits, and marks it with the window, so that undoing the
action can drop it. Without an open window everything is due at once. Nothing here reads the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Held:
    """The action that is being carried out, as long as its effects can be undone."""

    window: str
    """The public id of the undo window."""
    ticket: int
    """The primary key of the ticket that the action is about."""
    until: datetime
    """When what it sends is due; system time."""
    touched: set[int] = field(default_factory=set)
    """The primary keys of the tickets on which it recorded events."""
    sends: bool = False
    """Whether it has anything to send."""


_held: ContextVar[Held | None] = ContextVar("held", default=None)


@contextmanager
def holding(held: Held) -> Iterator[Held]:
    """Hold what is queued within the block."""
    token = _held.set(held)
    try:
        yield held
    finally:
        _held.reset(token)


def not_before(due: datetime) -> datetime:
    """When something that is sent is due: at `due`, but not before the action can no longer be undone."""
    held = _held.get()
    if held is None:
        return due
    held.sends = True
    return max(due, held.until)


def mark() -> Mapping[str, str]:
    """The field that marks a row as queued by the action; nothing if no action is being carried out."""
    held = _held.get()
    return {} if held is None else {"undo_window": held.window}


def holds_back(ticket: int) -> bool:
    """Whether an engagement of this ticket (primary key) gets to know only when the action can no longer be undone.

    If so, the action counts as one that sends something, even if no row waits to be sent.
    """
    held = _held.get()
    if held is None or held.ticket != ticket:
        return False
    held.sends = True
    return True


def touched(ticket: int) -> None:
    """Note that the action recorded an event on this ticket (primary key)."""
    held = _held.get()
    if held is not None:
        held.touched.add(ticket)
