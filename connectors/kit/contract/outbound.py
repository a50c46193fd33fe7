"""Our changes, as they are sent to a vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from connectors.kit.errors import Unsupported
from hub.core.sentences import sentence

from .connector import Connector
from .records import RemoteTicket


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change to send. Sending it again with the same `id` has no further effect."""

    id: str
    kind: str
    """``create``, ``fields``, ``note`` or ``file``."""
    key: str = ""
    leg: str = ""
    """The public ID of the engagement it is about."""
    label: str = ""
    """Our ticket number, such as TH-1042, for the vendor's people to quote."""
    title: str = ""
    """The ticket's title, for systems in which every message needs a subject."""
    reference: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    visibility: str = ""
    mark: str = ""
    name: str = ""
    """For a note: its author. For a file: its name."""
    content: bytes = b""
    number: str = ""
    """For mail: the vendor's ticket number, as its help desk writes it in subjects."""
    thread: tuple[str, ...] = ()
    """For mail: the Message-IDs of the vendor's last messages, newest last."""
    is_by_program: bool = False
    """Whether a rule or a timer wrote it rather than a person."""


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """The result of a change: the key of what was created, and the ticket if it was read back."""

    key: str
    ticket: RemoteTicket | None = None


class OutboundConnector(Connector):
    """A connector that can send our changes."""

    fields: ClassVar[tuple[str, ...]] = ("title", "description", "status", "priority")
    """The fields of a ticket that can be mapped."""
    insert_only: ClassVar[frozenset[str]] = frozenset()
    """Fields that can be set only when a ticket is created."""
    lengths: ClassVar[Mapping[str, int]] = {}
    """The most characters of a field; longer text is cut before it is written."""
    calls: ClassVar[Mapping[str, bool]] = {"push": True}

    @property
    def home_queue(self) -> str:
        """The queue for our new tickets according to the settings; empty if none is chosen."""
        chosen = (self.values.get(each.name) for each in self.settings if each.picklist == "queue" and not each.is_many)
        return next((str(value) for value in chosen if value), "")

    def push(self, change: Change) -> Pushed:
        """Send one change; returns its result in the vendor's system."""
        raise Unsupported(sentence("%(connector)s accepts no changes.", connector=self.label))
