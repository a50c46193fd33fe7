"""Reads one message: its kind, the ticket it belongs to, its text, and what to do with it.

Message format: RFC 5322, https://www.rfc-editor.org/rfc/rfc5322. `automatic` recognises messages that no person sent.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.message import Message
from enum import StrEnum

from connectors.email import automatic, bounces, bounds, headers, mime, replies, threads
from connectors.email.bounces import Fate, Report
from connectors.email.bounds import TooComplex
from connectors.email.mime import Attached
from connectors.email.threads import Evidence, Keys
from connectors.kit import markup
from hub.core.sentences import sentence

LARGEST = 40 * 1024 * 1024
"""A larger message is not read: it waits for a person."""
TOO_LARGE = b"X-Ticket-Hub-Too-Large: %d\r\n"
"""Put in front of the beginning of a larger message, whose rest was not fetched."""
MARK = "X-Ticket-Hub"
"""The header of each of our messages: the hubs it passed through."""
MOST_HOPS = 60


class Kind(StrEnum):
    TICKET = "ticket"
    REPLY = "reply"
    BOUNCE = "bounce"
    DELAY = "delay"
    RECEIPT = "receipt"
    AUTO_REPLY = "auto_reply"
    GENERATED = "generated"
    CHALLENGE = "challenge"
    LIST = "list"
    COMPLAINT = "complaint"
    """A mail provider reports that a recipient marked one of our messages as unwanted (ARF, RFC 5965)."""
    LOOP = "loop"
    UNREADABLE = "unreadable"


class Action(StrEnum):
    OPEN_TICKET = "open_ticket"
    ADD_MESSAGE = "add_message"
    DELIVERY_FAILED = "delivery_failed"
    IGNORE = "ignore"
    HOLD = "hold"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A message after reading: `text` is what its author wrote, `quoted` what was quoted above or below it."""

    kind: Kind
    action: Action
    why: str
    message_id: str = ""
    subject: str = ""
    sender: str = ""
    """The address in From, lower case."""
    sender_name: str = ""
    reply_to: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    sent_at: datetime | None = None
    text: str = ""
    quoted: str = ""
    html: str = ""
    """The cleaned HTML body; empty if there is none."""
    attachments: tuple[Attached, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    referred: tuple[str, ...] = ()
    """The Message-IDs it refers to."""
    failing: tuple[str, ...] = ()
    report: Report | None = None
    authentication: tuple[str, ...] = ()
    """The Authentication-Results headers as written, newest first; a sender can have added some of them."""
    marks: tuple[str, ...] = ()
    digest: str = ""

    @property
    def leg(self) -> str:
        """The engagement it belongs to by signed evidence; empty if there is none."""
        return next((one.leg for one in self.evidence if one.is_signed), "")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How mail is read here: the keys that tags are signed with, our addresses and our hub's mark."""

    keys: Keys
    own_addresses: Collection[str] = field(default_factory=frozenset)
    hub: str = ""

    def read(self, raw: bytes) -> Mail:
        """The message; one that cannot be read is held with the reason. Never fails."""
        digest = hashlib.sha256(raw).hexdigest()
        if len(raw) > LARGEST or raw.startswith(TOO_LARGE.partition(b"%")[0]):
            return held(sentence("This e-mail is larger than %(size)s MB.", size=LARGEST // 2**20), digest)
        try:
            message = mime.parsed(raw)
            return self._understood(message, mime.bodies(message), digest)
        except TooComplex as error:
            return held(str(error), digest)
        except RecursionError:
            return held(bounds.TOO_DEEP, digest)
        except Exception as error:  # arbitrary mail can fail in any way, and must not stop the other messages
            return held(sentence("This e-mail cannot be read (%(error)s).", error=type(error).__name__), digest)

    def _understood(self, message: Message, bodies: mime.Bodies, digest: str) -> Mail:
        mail = _envelope(message, digest)
        subject = headers.header(message, "subject")
        report = bounces.report(message, bodies)
        referred = _ids(message, "references", "in-reply-to") if report is None else list(report.original_ids)
        evidence = threads.evidence(self.keys, referred=referred, addresses=list(mail.recipients), subject=subject)
        is_ours = any(one.is_signed for one in evidence)
        is_answer = bool(referred) or is_ours or _RE.match(subject) is not None
        html, whole = _best(bodies)
        # If the Message-ID is missing, the references may have been removed on the way as well.
        text, quoted = _said(whole, subject, may_quote=is_answer or "message-id" not in message)
        if any(each.kind == mime.TNEF for each in bodies.attachments):
            text = f"{text}\n\n{mime.PACKED}".strip()
        kind, why = self._kind(message, report, mail.sender, mail.marks, text, is_answer=is_answer, is_ours=is_ours)
        if kind in (Kind.TICKET, Kind.REPLY):
            kind, why = _readable(message, bodies, text, subject, kind)
        action, because = _action(kind, report, is_ours=is_ours)
        if action in (Action.ADD_MESSAGE, Action.OPEN_TICKET) and (missed := _missed(bodies, text, quoted)):
            action, why = Action.HOLD, missed
        return replace(
            mail,
            kind=kind,
            action=action,
            why=why or because,
            text=text,
            quoted=quoted,
            html=html,
            attachments=bodies.attachments,
            evidence=tuple(evidence),
            referred=tuple(referred),
            failing=report.addresses if report and report.fate != Fate.DELIVERED else (),
            report=report,
        )

    def _kind(
        self,
        message: Message,
        report: Report | None,
        sender: str,
        marks: tuple[str, ...],
        text: str,
        *,
        is_answer: bool,
        is_ours: bool,
    ) -> tuple[Kind, str]:
        """The kind and the reason. `is_ours`: our signature proves that it is a reply, whatever its headers say."""
        own_id = threads.evidence(self.keys, referred=_ids(message, "message-id"), addresses=(), subject="")
        if (self.hub and self.hub in marks) or sender in self.own_addresses or any(one.is_signed for one in own_id):
            return Kind.LOOP, sentence("This is one of our own messages that came back.")
        if len(headers.headers(message, "received")) > MOST_HOPS:
            return Kind.LOOP, sentence("This e-mail passed through more than %(count)s servers.", count=MOST_HOPS)
        if told := automatic.complaint(message):
            return Kind.COMPLAINT, told
        if report is not None:
            return {
                Fate.FAILED: (Kind.BOUNCE, sentence("A mail server could not deliver a message.")),
                Fate.DELAYED: (Kind.DELAY, sentence("A mail server is still trying to deliver a message.")),
                Fate.DELIVERED: (Kind.RECEIPT, sentence("This is a receipt: a message was delivered or read.")),
            }[report.fate]
        subject = headers.header(message, "subject")
        if automatic.is_challenge(message, subject, text):
            return Kind.CHALLENGE, sentence(
                "This is a challenge: a mail system asks for confirmation that a person sent a message."
            )
        if why := automatic.automatic(message, subject, is_ours=is_ours):
            return Kind.AUTO_REPLY, why
        if not is_ours and automatic.is_list(message):
            return Kind.LIST, sentence("This e-mail came through a mailing list.")
        submitted = headers.header(message, "auto-submitted").lower()
        if submitted and not submitted.startswith("no"):
            return Kind.GENERATED, sentence(
                "A program sent this e-mail, not in reply to anything (RFC 3834, auto-generated)."
            )
        return (Kind.REPLY if is_answer else Kind.TICKET), ""


_RECIPIENTS = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "resent-to")
_RE = re.compile(r"\s*(re|aw|sv|antw|ref|res|r|odp|vá|ynt|回复|答复|回覆|отв)\s*(\[\d+\])?\s*[:：]", re.IGNORECASE)


def _envelope(message: Message, digest: str) -> Mail:
    """What the headers of a message say; the rest is filled in later."""
    senders = headers.addresses(message, "from")
    name, sender = senders[0] if senders else ("", "")
    return Mail(
        kind=Kind.UNREADABLE,
        action=Action.HOLD,
        why="",
        message_id="".join(_ids(message, "message-id")[:1]),
        subject=threads.without_tag(headers.header(message, "subject")),
        sender=sender.lower(),
        sender_name=name,
        reply_to=tuple(address.lower() for _name, address in headers.addresses(message, "reply-to")),
        recipients=tuple(address for _name, address in headers.addresses(message, *_RECIPIENTS)),
        sent_at=headers.sent_at(message),
        authentication=tuple(headers.headers(message, "authentication-results")),
        marks=tuple(headers.header(message, MARK.lower()).split()),
        digest=digest,
    )


def _readable(message: Message, bodies: mime.Bodies, text: str, subject: str, kind: Kind) -> tuple[Kind, str]:
    """The kind of a person's message if it can be used; otherwise why somebody has to look at it."""
    senders = {address.lower() for _name, address in headers.addresses(message, "from")}
    if not senders:
        return Kind.UNREADABLE, sentence("This e-mail has no sender address.")
    if len(headers.headers(message, "from")) > 1 or len(senders) > 1:
        return Kind.UNREADABLE, sentence("This e-mail has more than one sender address.")
    if bodies.is_sealed:
        return Kind.UNREADABLE, sentence(
            "This e-mail is encrypted. Ask the sender to send it unencrypted, or open it where the key is."
        )
    if not text and not subject and not bodies.attachments:
        return Kind.UNREADABLE, sentence("This e-mail is empty.")
    return kind, ""


def _action(kind: Kind, report: Report | None, *, is_ours: bool) -> tuple[Action, str]:
    if kind in (Kind.TICKET, Kind.REPLY):
        if is_ours:
            return Action.ADD_MESSAGE, sentence("This e-mail belongs to one of our tickets.")
        return Action.OPEN_TICKET, sentence("This e-mail contains none of our reference tags, so it is a new request.")
    if kind == Kind.BOUNCE:
        has_address = bool(report and report.addresses)
        return (Action.DELIVERY_FAILED, "") if has_address or is_ours else (Action.IGNORE, "")
    if kind == Kind.COMPLAINT:
        return Action.HOLD, ""
    if kind == Kind.GENERATED:
        return (Action.ADD_MESSAGE, "") if is_ours else (Action.HOLD, "")
    return (Action.HOLD, "") if kind == Kind.UNREADABLE else (Action.IGNORE, "")


def held(why: str, digest: str) -> Mail:
    """A message from which nothing is used until a person has seen it."""
    return Mail(kind=Kind.UNREADABLE, action=Action.HOLD, why=why, digest=digest)


def _best(bodies: mime.Bodies) -> tuple[str, str]:
    """The cleaned HTML, and the whole text: the parts in order, each in its best form."""
    html = markup.cleaned(bodies.html) if bodies.html else ""
    is_one = sum(said.is_html for said in bodies.said) == 1 and bodies.html_parts == 1
    texts = [
        said.text if not said.is_html else markup.text_of(html if is_one else markup.cleaned(said.text))
        for said in bodies.said
    ]
    return html, texts[0] if len(texts) == 1 else mime.joined(texts)


def _said(text: str, subject: str, *, may_quote: bool) -> tuple[str, str]:
    """What the author wrote, and the rest.

    A message that is not a reply contains no quotation, and a forward counts as a whole. The text below our own line
    never counts as the author's.
    """
    if not may_quote or replies.is_forward(subject):
        return replies.apart_from_ours(text)
    return replies.separated(text)


def _missed(bodies: mime.Bodies, text: str, quoted: str) -> str:
    """Why a person has to read a message without text above our own line; empty if it has text or attachments."""
    if text or not quoted:
        return ""
    if any(replies.below_ours(quoted)):
        return sentence(
            "The sender wrote below our line, where their text cannot be reliably separated from ours. Read the "
            "e-mail, add its content to the ticket, then skip it."
        )
    if bodies.attachments:
        return ""
    return sentence(
        "There is nothing above our line, and no attachment. Read the e-mail, add any content to the ticket, then skip "
        "it."
    )


def _ids(message: Message, *names: str) -> list[str]:
    found = [one for name in names for value in headers.headers(message, name) for one in _MESSAGE_ID.findall(value)]
    return list(dict.fromkeys(found))[:100]


_MESSAGE_ID = re.compile(r"<[^<>\s]{3,300}>")
