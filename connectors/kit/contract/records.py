"""Records of a vendor's system: tickets with their notes and files, and a page of those that changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MERGED_SOMEWHERE = "?"
"""In `RemoteTicket.merged_into`: the ticket was merged, and the vendor's system does not say into which one."""


@dataclass(frozen=True, kw_only=True)
class RemoteNote:
    """One note in the vendor's system."""

    key: str
    text: str
    visibility: str
    author: str
    is_ours: bool
    """Whether our own API user wrote it."""
    created_at: datetime
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One attachment in the vendor's system, without its content."""

    key: str
    name: str
    size: int
    visibility: str
    author: str
    is_ours: bool
    """Whether our own API user uploaded it."""
    created_at: datetime
    mark: str = ""


@dataclass(slots=True, kw_only=True)
class RemoteTicket:
    """A ticket in the vendor's system: `fields` with the vendor's values, and the notes and files that were read.

    Notes or files that are None were not read; an empty tuple means that none changed. Treat it as immutable and use
    `replace`. It is not frozen because one is made for every record of a poll, and freezing would take a tenth of
    the time of a poll.
    """

    key: str
    number: str
    url: str
    fields: Mapping[str, str]
    created_at: datetime | None
    """None if the vendor's system does not say."""
    changed_at: datetime
    """The time of reading if the vendor's system does not say: see `TicketConnector.dates_changes`."""
    author: str = ""
    assignee: str = ""
    queue: str = ""
    """The queue or board, as in the picklist "queue"."""
    status_label: str = ""
    """The status as the vendor's people read it, if the record contains it."""
    merged_into: str = ""
    """The key of the ticket it was merged into; `MERGED_SOMEWHERE` if the vendor's system does not say which one."""
    resolution: str = ""
    """The resolution in the vendor's words, if it has a field of its own."""
    requester: str = ""
    """The requester's e-mail address, for a ticket created in the vendor's system."""
    is_ours: bool = False
    """Whether our own API user created it."""
    is_foreign: bool = False
    """Whether it belongs to another customer of the vendor: such a ticket is never imported."""
    reference: str = ""
    """The content of the field that carries our reference."""
    notes: tuple[RemoteNote, ...] | None = None
    files: tuple[RemoteFile, ...] | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    unread: tuple[Unread, ...] = ()
    """Notes and files that could not be read. They exist, so they do not count as deleted."""


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A ticket, note or file that could not be read. The others are read, and this one is shown to a person."""

    key: str
    why: str
    raw: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """Tickets that changed, and the cursor of the next page. The same cursor can be read again."""

    tickets: tuple[RemoteTicket, ...]
    cursor: str
    more: bool = False
    gone: tuple[str, ...] = ()
    """Keys of tickets that were deleted, if the vendor's system says so."""
    unread: tuple[Unread, ...] = ()
    """Records of this page that could not be read."""
    left_out: str = ""
    """A text about records that the vendor's list does not return: how many, if known, and what to do about it."""
    before: tuple[RemoteTicket, ...] = ()
    """Tickets from before the first poll, where changes are found only by comparison: stored, not imported."""
