"""A system that keeps a record of each ticket, which can be read back and compared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from connectors.kit.errors import Unsupported

from .outbound import OutboundConnector
from .records import Page, RemoteFile, RemoteNote, RemoteTicket


class TicketConnector(OutboundConnector):
    """A connector to a ticket system. Override what the vendor can do; the rest raises Unsupported."""

    dates_changes: ClassVar[bool] = True
    """Whether a record says when it changed; if not, it counts as changed when it differs from the last reading."""
    calls: ClassVar[Mapping[str, bool]] = {
        "changes_since": False,
        "fetch": False,
        "glance": False,
        "find": False,
        "carrying": False,
        "notes": False,
        "content": False,
    }

    def changes_since(self, cursor: str) -> Page:
        """Tickets that changed since the cursor; an empty cursor returns only the cursor that begins now."""
        raise Unsupported(f"{self.label} cannot list changes.")

    def fetch(self, key: str) -> RemoteTicket:
        """One ticket with all its notes and files."""
        raise Unsupported(f"{self.label} cannot read a ticket.")

    def glance(self, key: str) -> RemoteTicket:
        """One ticket without its notes and files, where that is cheaper; otherwise with them."""
        return self.fetch(key)

    def find(self, reference: str) -> tuple[str, ...]:
        """The keys of the tickets that carry our reference, the oldest first. There should be one."""
        raise Unsupported(f"{self.label} cannot search.")

    def carrying(self, prefix: str, since: datetime) -> Mapping[str, tuple[str, ...]]:
        """Keys by reference, the oldest first, of tickets changed since and with a reference that begins so."""
        raise Unsupported(f"{self.label} cannot search by the beginning of a reference.")

    def notes(self, key: str) -> tuple[RemoteNote, ...]:
        """All notes of one ticket."""
        raise Unsupported(f"{self.label} has no notes.")

    def content(self, key: str, file: RemoteFile) -> bytes:
        """The content of one attachment."""
        raise Unsupported(f"{self.label} has no attachments.")
