"""One message, understood: what kind it is, where it belongs, what was said, and what to do with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.message import Message
from enum import StrEnum

from connectors.email import bounces, bounds, mime, replies, threads
from connectors.email.bounces import Fate, Report
from connectors.email.bounds import TooComplex
from connectors.email.mime import Attached
from connectors.email.threads import Evidence, Keys
from connectors.kit import markup

LARGEST = 40 * 1024 * 1024
TOO_LARGE = b"X-Ticket-Hub-Too-Large: %d\r\n"
"""What is put in front of the beginning of a message that is longer: the rest of it was never fetched."""
"""Longer messages are kept, and a person is told; nothing in them is read."""
MARK = "X-Ticket-Hub"
"""The header on each of our messages: the hubs it came through."""
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
    """A mail provider reports that somebody called a mail of ours unwanted (ARF, RFC 5965)."""
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
    """A message as read. `text` is what its author wrote, `quoted` what was quoted below or above it."""

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
    """The HTML body, cleaned; empty where there is none."""
    attachments: tuple[Attached, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    referred: tuple[str, ...] = ()
    """The Message-IDs it refers to."""
    failing: tuple[str, ...] = ()
    report: Report | None = None
    authentication: tuple[str, ...] = ()
    """Authentication-Results headers, the newest first, as they stand there; who wrote them is not said by them."""
    marks: tuple[str, ...] = ()
    digest: str = ""

    @property
    def leg(self) -> str:
        """The leg it belongs to by signed evidence; empty where nothing signed is there."""
        return next((one.leg for one in self.evidence if one.is_signed), "")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How mail is read here: with which keys tags are signed, which addresses and which hub are ours."""

    keys: Keys
    own_addresses: Collection[str] = field(default_factory=frozenset)
    hub: str = ""

    def read(self, raw: bytes) -> Mail:
        """Never fails: what cannot be understood is a message to hold, with a reason."""
        digest = hashlib.sha256(raw).hexdigest()
        if len(raw) > LARGEST or raw.startswith(TOO_LARGE.partition(b"%")[0]):
            return held(f"It is longer than {LARGEST // 2**20} MB.", digest)
        try:
            message = mime.parsed(raw)
            return self._understood(message, mime.bodies(message), digest)
        except TooComplex as error:
            return held(str(error), digest)
        except RecursionError:
            return held("Its parts lie too deep in each other.", digest)
        except Exception as error:  # what strangers write has no end of ways to be wrong; none of them stops the rest
            return held(f"It cannot be read ({type(error).__name__}).", digest)

    def _understood(self, message: Message, bodies: mime.Bodies, digest: str) -> Mail:
        mail = _envelope(message, digest)
        subject = mime.header(message, "subject")
        report = bounces.report(message, bodies)
        referred = _ids(message, "references", "in-reply-to") if report is None else list(report.original_ids)
        evidence = threads.evidence(self.keys, referred=referred, addresses=list(mail.recipients), subject=subject)
        is_ours = any(one.is_signed for one in evidence)
        is_answer = bool(referred) or is_ours or _RE.match(subject) is not None
        html, whole = _best(bodies)
        # Without a Message-ID nobody knows what else was removed on the way, such as what it refers to.
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
        """What it is. `is_ours`: what we signed proves that it answers us, whatever its headers say of lists."""
        own_id = threads.evidence(self.keys, referred=_ids(message, "message-id"), addresses=(), subject="")
        if (self.hub and self.hub in marks) or sender in self.own_addresses or any(one.is_signed for one in own_id):
            return Kind.LOOP, "It is a message of ours that came back."
        if len(mime.headers(message, "received")) > MOST_HOPS:
            return Kind.LOOP, f"It passed more than {MOST_HOPS} servers."
        if told := _complaint(message):
            return Kind.COMPLAINT, told
        if report is not None:
            return {
                Fate.FAILED: (Kind.BOUNCE, "A mail system could not deliver a message."),
                Fate.DELAYED: (Kind.DELAY, "A mail system still tries to deliver a message."),
                Fate.DELIVERED: (Kind.RECEIPT, "A receipt: a message was delivered or read."),
            }[report.fate]
        subject = mime.header(message, "subject")
        if _is_challenge(message, subject, text):
            return Kind.CHALLENGE, "A challenge: their system wants to be told that the sender is a person."
        if why := _automatic(message, subject, is_ours=is_ours):
            return Kind.AUTO_REPLY, why
        if not is_ours and _is_list(message):
            return Kind.LIST, "It came from a mailing list."
        submitted = mime.header(message, "auto-submitted").lower()
        if submitted and not submitted.startswith("no"):
            return Kind.GENERATED, "A program wrote it, not in answer to anything (RFC 3834 auto-generated)."
        return (Kind.REPLY if is_answer else Kind.TICKET), ""


_RECIPIENTS = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "resent-to")
_RE = re.compile(r"\s*(re|aw|sv|antw|ref|res|r|odp|vá|ynt|回复|答复|回覆|отв)\s*(\[\d+\])?\s*[:：]", re.IGNORECASE)
_AUTO_SUBJECT = re.compile(
    r"^\s*(re:\s*|aw:\s*)?\[?(auto(matic|mated|mat)?[ -_]?(reply|response|responder|antwort|svar)|autoreply|auto:|"
    r"out[ -]of[ -](the[ -])?office|ooo\b|i am (out|away)|away from (my|the)|on vacation|"
    r"vacation (reply|response|notice)|"
    r"automatische (antwort|abwesenheit)|abwesenheits|abwesend|nicht im (büro|haus)|réponse automatique|"
    r"absence du bureau|absent du bureau|respuesta automática|fuera de (la )?oficina|risposta automatica|"
    r"fuori (sede|ufficio)|resposta automática|automatisch antwoord|afwezig|automatiskt svar|frånvaro|autosvar|fravær|"
    r"automatyczna odpowiedź|poza biurem|автоответ|автоматический ответ|automaattinen vastaus|otomatik yanıt|"
    r"自动回复|自動回覆|自動返信|자동 회신)",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"(please )?(confirm|verify) (your|that you|the) (message|e-?mail|sender|identity|are)|sender (verification|"
    r"confirmation|address verification)|boxtrapper|spam ?arrest|challenge[/-]response|your email (requires|needs) "
    r"verification|confirm(ation)? (required|needed) to deliver|prove you are (a )?human|bestätigen sie.{0,30}absender",
    re.IGNORECASE,
)
_CHALLENGE_HEADERS = (
    "x-boxtrapper",
    "x-boxtrapper-version",
    "x-spamarrest",
    "x-tmda-fingerprint",
    "x-asgk",
    "x-qconfirm",
    "x-verify-sender",
    "x-uol-confirm",
)


def _envelope(message: Message, digest: str) -> Mail:
    """What the headers of a message say, before anything else of it is understood."""
    senders = mime.addresses(message, "from")
    name, sender = senders[0] if senders else ("", "")
    return Mail(
        kind=Kind.UNREADABLE,
        action=Action.HOLD,
        why="",
        message_id="".join(_ids(message, "message-id")[:1]),
        subject=threads.without_tag(mime.header(message, "subject")),
        sender=sender.lower(),
        sender_name=name,
        reply_to=tuple(address.lower() for _name, address in mime.addresses(message, "reply-to")),
        recipients=tuple(address for _name, address in mime.addresses(message, *_RECIPIENTS)),
        sent_at=mime.sent_at(message),
        authentication=tuple(mime.headers(message, "authentication-results")),
        marks=tuple(mime.header(message, MARK.lower()).split()),
        digest=digest,
    )


def _is_challenge(message: Message, subject: str, text: str) -> bool:
    if any(name in message for name in _CHALLENGE_HEADERS):
        return True
    if _CHALLENGE.search(subject) is None:
        return False
    # A person may write of such things; a challenge asks for an answer or a click.
    asked = re.search(r"https?://|reply to this|respond to this|click|antworten", text[:4000], re.IGNORECASE)
    return asked is not None


def _complaint(message: Message) -> str:
    """What a feedback report tells, for an admin; empty where this is none."""
    parts_of_it = inside if isinstance(inside := mime.inside_of(message), list) else []
    told = next((part for part in parts_of_it if part.get_content_type() == "message/feedback-report"), None)
    if told is None:
        return ""
    fields = bounds.from_string(mime.content(told).decode("utf-8", "replace"))
    what, who = mime.header(fields, "feedback-type") or "abuse", mime.header(fields, "original-rcpt-to")
    return (
        f"A mail provider reports a complaint ({what[:40]}) about a mail of ours{f' to {who[:200]}' if who else ''}. "
        "It opens nothing. Ask them to take our address off their list of unwanted senders, then leave this out."
    )


def _automatic(message: Message, subject: str, *, is_ours: bool) -> str:
    """Why this is an answer that nobody wrote; empty where it is not.

    For what answers a mail of ours by our signature only what an autoresponder says of itself counts. The other
    signs stand on people's answers, too: Exchange's rules that redirect, gateways and desks (Redmine, GitLab, SES).
    """
    submitted = mime.header(message, "auto-submitted").lower()
    if submitted.startswith(("auto-replied", "auto-notified")):
        return "It answers by itself (Auto-Submitted)."
    precedence = mime.header(message, "precedence").lower().replace("-", "_")
    if precedence == "auto_reply" or (precedence == "junk" and not is_ours):
        return "It answers by itself (Precedence)."
    for name in _AUTO_HEADERS if is_ours else (*_AUTO_HEADERS, *_AUTO_HEADERS_OF_OTHERS):
        if name in message and mime.header(message, name).lower() not in ("no", "false", "0"):
            return f"It answers by itself ({name})."
    if _AUTO_SUBJECT.match(subject):
        return "It answers by itself, as its subject says."
    if mime.header(message, "return-path") == "<>" and not is_ours:
        return "It answers by itself: nobody can answer it (empty Return-Path, RFC 3834)."
    return ""


_AUTO_HEADERS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-auto-reply",
    "x-mail-autoreply",
    "x-vacation",
    "x-autoreply-from",
    "delivered-to-autoresponder",
)
_AUTO_HEADERS_OF_OTHERS = (
    "x-autogenerated",
    "x-fc-machinegenerated",
    "x-ms-exchange-inbox-rules-loop",
    "x-post-messageclass",
)


def _is_list(message: Message) -> bool:
    if any(
        name in message
        for name in (
            "list-id",
            "list-post",
            "list-help",
            "mailing-list",
            "x-mailman-version",
            "x-beenthere",
            "x-mailing-list",
        )
    ):
        return True
    precedence = mime.header(message, "precedence").lower()
    if precedence == "list" or ("feedback-id" in message and "list-unsubscribe" in message):
        return True
    # "bulk" alone says little: some servers write it on what people send.
    sender = mime.header(message, "sender").lower()
    by_list = sender.startswith("owner-") or "-owner@" in sender or "-request@" in sender or "-bounces@" in sender
    return precedence == "bulk" and (by_list or "list-unsubscribe" in message or "x-loop" in message)


def _readable(message: Message, bodies: mime.Bodies, text: str, subject: str, kind: Kind) -> tuple[Kind, str]:
    """Whether a person's message can be used; else why somebody has to look at it."""
    senders = {address.lower() for _name, address in mime.addresses(message, "from")}
    if not senders:
        return Kind.UNREADABLE, "It does not say who sent it."
    if len(mime.headers(message, "from")) > 1 or len(senders) > 1:
        return Kind.UNREADABLE, "It names more than one sender."
    if bodies.is_sealed:
        return Kind.UNREADABLE, "It is encrypted; ask the sender to send it in the clear, or open it where the key is."
    if not text and not subject and not bodies.attachments:
        return Kind.UNREADABLE, "There is nothing in it."
    return kind, ""


def _action(kind: Kind, report: Report | None, *, is_ours: bool) -> tuple[Action, str]:
    if kind in (Kind.TICKET, Kind.REPLY):
        if is_ours:
            return Action.ADD_MESSAGE, "It belongs to a ticket of ours."
        return Action.OPEN_TICKET, "Nothing signed by us is in it: it is something new."
    if kind == Kind.BOUNCE:
        has_address = bool(report and report.addresses)
        return (Action.DELIVERY_FAILED, "") if has_address or is_ours else (Action.IGNORE, "")
    if kind == Kind.COMPLAINT:
        return Action.HOLD, ""
    if kind == Kind.GENERATED:
        return (Action.ADD_MESSAGE, "") if is_ours else (Action.HOLD, "")
    return (Action.HOLD, "") if kind == Kind.UNREADABLE else (Action.IGNORE, "")


def held(why: str, digest: str) -> Mail:
    """A message that nothing is taken from until a person has seen it."""
    return Mail(kind=Kind.UNREADABLE, action=Action.HOLD, why=why, digest=digest)


def _best(bodies: mime.Bodies) -> tuple[str, str]:
    """The HTML, cleaned, and all that is said as text: each part in its order, in its best form."""
    html = markup.cleaned(bodies.html) if bodies.html else ""
    is_one = sum(said.is_html for said in bodies.said) == 1 and bodies.html_parts == 1
    texts = [
        said.text if not said.is_html else markup.text_of(html if is_one else markup.cleaned(said.text))
        for said in bodies.said
    ]
    return html, texts[0] if len(texts) == 1 else mime.joined(texts)


def _said(text: str, subject: str, *, may_quote: bool) -> tuple[str, str]:
    """What the author wrote, and the rest.

    In what answers nothing, nothing is a quotation; a forward is all theirs. What stands below our own line never is.
    """
    if not may_quote or replies.is_forward(subject):
        return replies.apart_from_ours(text)
    return replies.separated(text)


def _missed(bodies: mime.Bodies, text: str, quoted: str) -> str:
    """Why a person has to read a mail that says nothing above our own line; empty where it does, or brings files."""
    if text or not quoted:
        return ""
    if any(replies.below_ours(quoted)):
        return (
            "They wrote below our line, where their words cannot be told from ours for certain. "
            "Read the mail, write on the ticket what they say, then leave the mail out."
        )
    if bodies.attachments:
        return ""
    return (
        "There is nothing above our line, and no file. Read the mail, write on the ticket what they say, if anything, "
        "then leave the mail out."
    )


def _ids(message: Message, *names: str) -> list[str]:
    found = [one for name in names for value in mime.headers(message, name) for one in _MESSAGE_ID.findall(value)]
    return list(dict.fromkeys(found))[:100]


_MESSAGE_ID = re.compile(r"<[^<>\s]{3,300}>")
