"""A mailbox: messages arrive in it, and nothing can be read back from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.kit.errors import Unsupported

from .outbound import OutboundConnector


@dataclass(frozen=True, kw_only=True)
class MailMessage:
    """One message as it was in the mailbox, not parsed yet."""

    raw: bytes = field(repr=False)
    place: str
    """Where it was: folder, UIDVALIDITY and UID."""
    sender: str = ""
    """The apparent sender in lower case: it limits how many messages of one sender are read at once. No proof."""


@dataclass(frozen=True, kw_only=True)
class MailPage:
    """New messages and the next cursor. They are marked as read only after they were stored: see `taken`."""

    letters: tuple[MailMessage, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True, kw_only=True)
class ParsedMail:
    """What a message says and asks for."""

    action: str
    """``open_ticket``, ``add_message``, ``delivery_failed``, ``ignore`` or ``hold``."""
    why: str
    kind: str = ""
    key: str = ""
    """A digest of the content that identifies the message."""
    leg: str = ""
    operation: str = ""
    """Of a bounce: which message of ours was not delivered."""
    subject: str = ""
    sender: str = ""
    author: str = ""
    is_theirs: bool = False
    """Whether the vendor's own people sent it, as far as that is known; if not, `doubt` says why not."""
    doubt: str = ""
    status: str = ""
    """What it says about the status of the work, as a value of the status picklist; empty where it says nothing."""
    text: str = ""
    quoted: str = ""
    message_id: str = ""
    answers: tuple[str, ...] = ()
    """The Message-IDs it refers to, as written; those of the vendor's own messages also show where it belongs."""
    numbers: tuple[str, ...] = ()
    """Parts of the subject that may be the vendor's ticket number, the likeliest first."""
    is_answered_inline: bool = False
    """Whether the vendor also wrote between quoted lines of ours, which is not taken over."""
    sent_at: datetime | None = None
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    failing: tuple[str, ...] = ()
    """Of a bounce: the addresses that could not be reached."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What is stored beside it: thread evidence, and the receiving server's authentication results."""


class MailConnector(OutboundConnector):
    """A connector to a mailbox."""

    def letters(self, cursor: str) -> MailPage:
        """New messages of the mailbox; reading them does not mark them as read."""
        raise Unsupported(f"{self.label} has no mailbox.")

    def taken(self, letters: Sequence[MailMessage]) -> None:
        """These messages are stored here now: mark them as read there."""

    def parse_mail(self, raw: bytes) -> ParsedMail:
        """What one message says; never fails because of its content."""
        raise Unsupported(f"{self.label} has no mailbox.")
