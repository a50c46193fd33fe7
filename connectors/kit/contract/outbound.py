"""Changes of ours, as they are sent to a vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from connectors.kit.errors import Unsupported

from .connector import Connector
from .records import RemoteTicket


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing to send. Sending it again with the same `id` changes nothing."""

    id: str
    kind: str
    """``create``, ``fields``, ``note`` or ``file``."""
    key: str = ""
    leg: str = ""
    """The public id of the engagement it is about."""
    label: str = ""
    """Our ticket number, such as TH-1042: for people there who talk to our people."""
    title: str = ""
    """The ticket's title, for systems in which every message needs one."""
    reference: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    visibility: str = ""
    mark: str = ""
    name: str = ""
    """Of a note: its author. Of a file: its name."""
    content: bytes = b""
    number: str = ""
    """Of mail: the vendor's ticket number, as their help desk writes it into subjects."""
    thread: tuple[str, ...] = ()
    """Of mail: the Message-IDs of the vendor's last messages, the newest last."""
    is_by_program: bool = False
    """Whether a rule or a timer wrote it, and no person."""


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What the vendor has now: the key of what was created, and the ticket where it was read back."""

    key: str
    ticket: RemoteTicket | None = None


class OutboundConnector(Connector):
    """A connector that takes our changes."""

    fields: ClassVar[tuple[str, ...]] = ("title", "description", "status", "priority")
    """The fields of a ticket that can be mapped."""
    insert_only: ClassVar[frozenset[str]] = frozenset()
    """Fields that can be set only when a ticket is created."""
    lengths: ClassVar[Mapping[str, int]] = {}
    """The most characters a field takes; longer text is cut before it is written, never refused."""
    calls: ClassVar[Mapping[str, bool]] = {"push": True}

    @property
    def home_queue(self) -> str:
        """The queue for new tickets of ours, by the settings; empty where none is chosen."""
        chosen = (self.values.get(each.name) for each in self.settings if each.picklist == "queue" and not each.is_many)
        return next((str(value) for value in chosen if value), "")

    def push(self, change: Change) -> Pushed:
        """Send one change; returns what the vendor has now."""
        raise Unsupported(f"{self.label} takes no changes.")
