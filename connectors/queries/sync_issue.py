"""One line of the Synchronisation page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from hub.models import Ticket

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""The time of an issue whose time is unknown, so that it is listed last."""


@dataclass(frozen=True, kw_only=True)
class SyncIssue:
    """Something that waits for a person: title, reason and time, in the active language."""

    kind: str
    """``outbound``, ``inbound``, ``difference``, ``unmapped``, ``connection``, ``left_out``, ``acknowledgement``,
    ``link``, ``notice``, ``rule``, ``action``, ``file``, ``trouble`` or ``receiver``."""
    row_id: int
    title: str
    why: str
    at: datetime
    connection: str = ""
    connection_pk: int | None = None
    ticket: Ticket | None = None
    can_be_a_comment: bool = False
    can_be_vouched_for: bool = False
    """Whether it is a message of which only the sender is not proven, which a person can accept."""
    can_be_forced: bool = False
    """Whether it is a status that the workflow does not allow, which a manager can accept."""
