"""What a vendor has: tickets with their notes and files, and a page of those that changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MERGED_SOMEWHERE = "?"
"""In `RemoteTicket.merged_into`: the ticket was merged, and the vendor does not say into which one."""


@dataclass(frozen=True, kw_only=True)
class RemoteNote:
    """One note as the vendor has it."""

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
    """One attachment as the vendor has it, without its content."""

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
    """A ticket as the vendor has it: `fields` in the vendor's values, and the notes and files that were read.

    Notes or files that are None were not read; an empty tuple means that none changed. Treat it as immutable and use
    `replace`. It is not frozen because one is made for every record of a poll, and freezing would take a tenth of
    the whole time of a poll.
    """

    key: str
    number: str
    url: str
    fields: Mapping[str, str]
    created_at: datetime | None
    """None where the vendor does not say."""
    changed_at: datetime
    """The time of reading where the vendor does not say: see `TicketConnector.dates_changes`."""
    author: str = ""
    assignee: str = ""
    queue: str = ""
    """Its queue or board, as in the picklist "queue"."""
    status_label: str = ""
    """The status as the vendor's people read it, where the record itself says so."""
    merged_into: str = ""
    """The key of the ticket it was merged into; `MERGED_SOMEWHERE` where the vendor does not say which one."""
    resolution: str = ""
    """The resolution in the vendor's words, where a field of its own holds it."""
    requester: str = ""
    """The requester's e-mail address, for a ticket created in the vendor's system."""
    is_ours: bool = False
    """Whether our own API user created it."""
    is_foreign: bool = False
    """Whether it belongs to another customer of the vendor: such a ticket is never taken in."""
    reference: str = ""
    """The content of the field that carries our reference."""
    notes: tuple[RemoteNote, ...] | None = None
    files: tuple[RemoteFile, ...] | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    unread: tuple[Unread, ...] = ()
    """Notes and files that could not be understood. They exist, so they do not count as deleted."""


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A ticket, note or file that could not be understood. The others are read, and this one is shown to a person."""

    key: str
    why: str
    raw: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """Tickets that changed, and the cursor of the next page. Reading the same cursor again does no harm."""

    tickets: tuple[RemoteTicket, ...]
    cursor: str
    more: bool = False
    gone: tuple[str, ...] = ()
    """Keys of tickets that were deleted, as far as the vendor says."""
    unread: tuple[Unread, ...] = ()
    """Records of this page that could not be understood."""
    left_out: str = ""
    """A text about records that the vendor's list refuses to show: how many, if known, and what to do about it."""
    before: tuple[RemoteTicket, ...] = ()
    """Tickets that existed when reading began, where changes are found only by comparing: stored, not taken in."""
