"""A system that keeps a record of each ticket, which can be read back and compared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from connectors.kit.errors import Unsupported
from hub.core.sentences import sentence

from .outbound import OutboundConnector
from .records import Page, RemoteFile, RemoteNote, RemoteTicket


class TicketConnector(OutboundConnector):
    """A connector to a ticket system. Override what the vendor's system can do; the rest raises Unsupported."""

    dates_changes: ClassVar[bool] = True
    """Whether a record says when it changed; if not, it has changed if it differs from the last reading."""
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
        """Tickets that changed since the cursor; an empty cursor returns only a cursor that begins now."""
        raise Unsupported(sentence("%(connector)s cannot list changes.", connector=self.label))

    def fetch(self, key: str) -> RemoteTicket:
        """One ticket with all its notes and files."""
        raise Unsupported(sentence("%(connector)s cannot read a ticket.", connector=self.label))

    def glance(self, key: str) -> RemoteTicket:
        """One ticket, without its notes and files if that is cheaper."""
        return self.fetch(key)

    def find(self, reference: str) -> tuple[str, ...]:
        """The keys of the tickets with our reference, oldest first. There should be one."""
        raise Unsupported(sentence("%(connector)s cannot search.", connector=self.label))

    def carrying(self, prefix: str, since: datetime) -> Mapping[str, tuple[str, ...]]:
        """Keys by reference, oldest first, of tickets that changed since then and whose reference has this prefix."""
        raise Unsupported(
            sentence("%(connector)s cannot search by the beginning of a reference.", connector=self.label)
        )

    def notes(self, key: str) -> tuple[RemoteNote, ...]:
        """All notes of one ticket."""
        raise Unsupported(sentence("%(connector)s has no notes.", connector=self.label))

    def content(self, key: str, file: RemoteFile) -> bytes:
        """The content of one attachment."""
        raise Unsupported(sentence("%(connector)s has no attachments.", connector=self.label))
