"""A mailbox: messages arrive in it, and what was sent cannot be read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.kit.errors import Unsupported
from hub.core.sentences import sentence

from .outbound import OutboundConnector


@dataclass(frozen=True, kw_only=True)
class MailMessage:
    """One message as it was in the mailbox, not yet parsed."""

    raw: bytes = field(repr=False)
    place: str
    """Where it was: folder, UIDVALIDITY and UID."""
    sender: str = ""
    """The apparent sender in lower case, unverified: limits how many messages of one sender are read at once."""


@dataclass(frozen=True, kw_only=True)
class MailPage:
    """New messages and the next cursor. Messages are marked as read only after they were stored: see `taken`."""

    letters: tuple[MailMessage, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True, kw_only=True)
class ParsedMail:
    """What a message contains, and what to do with it."""

    action: str
    """``open_ticket``, ``add_message``, ``delivery_failed``, ``ignore`` or ``hold``."""
    why: str
    kind: str = ""
    key: str = ""
    """A digest of the content that identifies the message."""
    leg: str = ""
    operation: str = ""
    """For a bounce: which of our messages was not delivered."""
    subject: str = ""
    sender: str = ""
    author: str = ""
    is_theirs: bool = False
    """Whether the vendor's own people sent it, as far as that is known; if not, `doubt` gives the reason."""
    doubt: str = ""
    status: str = ""
    """The status of the work that it reports, as a value of the status picklist; empty if it reports none."""
    text: str = ""
    quoted: str = ""
    message_id: str = ""
    answers: tuple[str, ...] = ()
    """The Message-IDs it refers to, as written; those of the vendor's own messages identify the ticket too."""
    numbers: tuple[str, ...] = ()
    """Parts of the subject that may be the vendor's ticket number, most likely first."""
    is_answered_inline: bool = False
    """Whether the vendor also wrote between quoted lines of ours; that text is not imported."""
    sent_at: datetime | None = None
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    failing: tuple[str, ...] = ()
    """For a bounce: the addresses that could not be reached."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What is stored with it: evidence of the thread, and the receiving server's authentication results."""


class MailConnector(OutboundConnector):
    """A connector to a mailbox."""

    def letters(self, cursor: str) -> MailPage:
        """New messages in the mailbox; fetching them does not mark them as read."""
        raise Unsupported(sentence("%(connector)s has no mailbox.", connector=self.label))

    def taken(self, letters: Sequence[MailMessage]) -> None:
        """Mark messages as read in the mailbox, after they were stored here."""

    def parse_mail(self, raw: bytes) -> ParsedMail:
        """What one message contains; never fails because of its content."""
        raise Unsupported(sentence("%(connector)s has no mailbox.", connector=self.label))
