"""A vendor that works by e-mail: offers, notes and changes are sent as mail, and replies become notes and stages.

What was sent cannot be read back from a mailbox, so the hub relies on its own record of it. A message that is sent
again has the same Message-ID.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import ClassVar

from connectors.email import parser_process, replies, threads, wording
from connectors.email.mailbox import Mailbox, Place, settings_of
from connectors.email.numbers import numbers_in
from connectors.email.parser import MARK, Kind, Mail, Reader
from connectors.email.replies import MARKER
from connectors.email.settings import SETTINGS
from connectors.email.smtp import Office, Postman
from connectors.email.threads import Keys
from connectors.email.tokens import access_token
from connectors.email.verifying import verified
from connectors.email.wording import ACCEPTED, CLOSED, DECLINED, OFFERED, QUESTION, RECALLED, RESOLVED
from connectors.kit.contract import (
    Change,
    Checked,
    Choice,
    ListeningConnector,
    MailConnector,
    MailMessage,
    MailPage,
    ParsedMail,
    Pushed,
    RemoteTicket,
    Setting,
)
from connectors.kit.errors import Refused, Unsupported
from hub.core.sentences import sentence

VISIBLE = "mail"


class Email(MailConnector, ListeningConnector):
    """One vendor's address, and our mailbox for it."""

    slug: ClassVar[str] = "email"
    label: ClassVar[str] = "E-mail"
    insert_only: ClassVar[frozenset[str]] = frozenset({"description"})
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS

    # -- settings

    @property
    def keys(self) -> Keys:
        return Keys(self.ports.keys or (b"",))

    def _token(self) -> str:
        return access_token(self.values, self.ports)

    def _mailbox(self) -> Mailbox:
        host, port, security = settings_of(self.values, "imap")
        folders = tuple(name.strip() for name in (self.values.get("folders") or "INBOX").split(",") if name.strip())
        token = None if self.values.get("auth", "password") == "password" else self._token
        place = Place(
            host=host,
            port=port,
            security=security,
            user=self.values["user"],
            token=token,
            password=self.values.get("password", ""),
            folders=folders,
        )
        return Mailbox(place, self.ports.connect)

    def _postman(self) -> Postman:
        host, port, security = settings_of(self.values, "smtp")
        token = None if self.values.get("auth", "password") == "password" else self._token
        user = "" if self.values.get("password", "") == "" and token is None else self.values["user"]
        office = Office(
            host=host, port=port, security=security, user=user, token=token, password=self.values.get("password", "")
        )
        return Postman(office, self.ports.connect)

    def check(self) -> Checked:
        """Log in to both servers, and check the folders and addresses."""
        for name in ("to", "mailbox"):
            if "@" not in parseaddr(self.values[name])[1]:
                raise Refused(sentence("This is not an e-mail address."), field=name)
        if not self._senders():
            raise Refused(sentence("Enter at least one address or @domain of the vendor."), field="senders")
        if self.values.get("trust", "results") == "results" and not self.values.get("authserv"):
            raise Refused(
                sentence("Enter the name of our mail server as in its Authentication-Results headers."),
                field="authserv",
            )
        facts = self._mailbox().check()
        self._postman().check()
        return Checked(own_user=parseaddr(self.values["mailbox"])[1].lower(), facts=facts)

    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        self._mailbox().check()
        names = (
            (OFFERED, sentence("Offered (new)")),
            (ACCEPTED, sentence("Accepted, in progress")),
            (QUESTION, sentence("Waiting for information")),
            (RESOLVED, sentence("Resolved")),
            (DECLINED, sentence("Declined")),
            (RECALLED, sentence("Recalled (cancelled)")),
            (CLOSED, sentence("Closed")),
        )
        return {
            "status": tuple(Choice(value=value, label=label, is_closed=value == CLOSED) for value, label in names),
            "priority": tuple(Choice(value=p, label=p) for p in ("P1", "P2", "P3", "P4")),
            "visibility": (Choice(value=VISIBLE, label=sentence("E-mail (visible to the customer and the vendor)")),),
        }

    def _senders(self) -> list[str]:
        return [part.strip().lower() for part in self.values.get("senders", "").split(",") if "@" in part]

    # -- receiving

    def letters(self, cursor: str) -> MailPage:
        if not cursor:
            return MailPage(letters=(), cursor=self._mailbox().start())
        return self._mailbox().read(cursor)

    def listen(self, cursor: str, seconds: float) -> bool:
        return self._mailbox().wait(cursor, seconds)

    def taken(self, letters: Sequence[MailMessage]) -> None:
        if letters:
            self._mailbox().taken(letters)

    def parse_mail(self, raw: bytes) -> ParsedMail:
        own = parseaddr(self.values["mailbox"])[1].lower()
        mail = parser_process.read(Reader(keys=self.keys, own_addresses={own}, hub=self.ports.hub), raw)
        is_theirs, doubt = self._judged(mail)
        is_heard = mail.kind in (Kind.REPLY, Kind.TICKET, Kind.GENERATED)
        status, text = wording.status_of(mail) if is_heard else ("", mail.text)
        signed = next((one for one in mail.evidence if one.is_signed), None)
        return ParsedMail(
            action=mail.action,
            why=mail.why,
            kind=mail.kind,
            key=_same(mail),
            leg=mail.leg,
            operation=signed.operation if signed else "",
            subject=mail.subject,
            sender=mail.sender,
            author=mail.sender_name or mail.sender,
            is_theirs=is_theirs,
            doubt=doubt,
            status=status,
            text=text,
            quoted=mail.quoted,
            message_id=mail.message_id,
            answers=mail.referred,
            numbers=numbers_in(mail.subject),
            is_answered_inline=bool(replies.below_ours(mail.quoted)[0]),
            sent_at=mail.sent_at,
            files=tuple((each.name, each.content) for each in mail.attachments),
            failing=mail.failing,
            evidence={
                "authentication_results": list(mail.authentication)[:10],
                "thread": [f"{one.kind}{'' if one.is_signed else ' (not ours)'}" for one in mail.evidence][:10],
                "from": mail.sender,
                "message_id": mail.message_id,
                "diagnosis": f"{mail.report.status} {mail.report.diagnosis}".strip() if mail.report else "",
            },
        )

    def _judged(self, mail: Mail) -> tuple[bool, str]:
        """Whether the vendor sent it, from one of its addresses and verified by our own server; if not, why not."""
        _name, _at, domain = mail.sender.rpartition("@")
        if not mail.sender:
            return False, sentence("This e-mail has no sender address.")
        if mail.sender not in self._senders() and f"@{domain}" not in self._senders():
            return False, sentence(
                "%(sender)s is not one of the addresses that may reply for this vendor.", sender=mail.sender
            )
        if self.values.get("trust", "results") == "address":
            return True, ""
        if verified(mail.authentication, self.values.get("authserv", ""), domain):
            return True, ""
        return False, sentence("Our mail server did not verify that %(sender)s sent this e-mail.", sender=mail.sender)

    # -- sending

    def push(self, change: Change) -> Pushed:
        at = self.ports.now()
        if change.kind == "create":
            self._send(change, wording.offer(change, self.ports.guest_link(change.leg)))
            return Pushed(key=f"mail-{change.leg.lower()}", ticket=self._ticket(change, at))
        if change.kind == "fields":
            if set(change.fields) - {"title"}:
                self._send(change, wording.update(change))
            return Pushed(key=change.key, ticket=self._ticket(change, at))
        text = f"{change.name} wrote:\n\n{change.text}" if change.kind == "note" else f"Attached: {change.name}"
        self._send(change, text)
        return Pushed(key=change.id)

    def _ticket(self, change: Change, at: datetime) -> RemoteTicket:
        return RemoteTicket(
            key=change.key or f"mail-{change.leg.lower()}",
            number="",
            url="",
            fields=dict(change.fields),
            created_at=at,
            changed_at=at,
            is_ours=True,
            reference=change.reference,
        )

    def _send(self, change: Change, text: str) -> None:
        if not change.leg:
            raise Unsupported(sentence("This change belongs to no engagement."))
        own = parseaddr(self.values["mailbox"])[1]
        host = own.partition("@")[2]
        root = threads.message_id(self.keys, leg=change.leg, operation=change.leg, host=host)
        message = EmailMessage()
        if change.kind == "create":
            message["Message-ID"] = root
        else:
            message["Message-ID"] = threads.message_id(self.keys, leg=change.leg, operation=change.id, host=host)
            message["In-Reply-To"] = change.thread[-1] if change.thread else root
            message["References"] = " ".join([root, *change.thread])
        told = change.fields.get("title") or change.title or "Your ticket"
        number = f" {change.number}" if change.number and change.number not in told[:200] else ""
        start = "" if change.kind == "create" else "Re: "
        title = f"{start}{told[:200]}{number} {threads.subject_tag(self.keys, leg=change.leg)}"
        message["Subject"] = " ".join(title.split())
        message["From"] = _address(self.values.get("from_name", ""), own)
        message["To"] = parseaddr(self.values["to"])[1]
        message["Reply-To"] = threads.reply_address(self.keys, leg=change.leg, mailbox=own)
        message["Date"] = format_datetime(self.ports.now())
        if change.is_by_program:
            # Mail that a person initiated carries neither (https://www.rfc-editor.org/rfc/rfc3834#section-5): help
            # desks and groups silently drop mail with these headers.
            message["Auto-Submitted"] = "auto-generated"
            message["X-Auto-Response-Suppress"] = "All"
        message[MARK] = self.ports.hub or "hub"
        message.set_content(f"{MARKER}\n\n{text}\n")
        if change.kind == "file":
            message.add_attachment(
                change.content, maintype="application", subtype="octet-stream", filename=change.name or "file"
            )
        self._postman().send(message, sender=own, receivers=[parseaddr(self.values["to"])[1]])


def _address(name: str, address: str) -> Address:
    user, _, domain = address.partition("@")
    plain = " ".join(re.sub(r"[\x00-\x1f]", " ", name).split())
    return Address(display_name=plain, username=user, domain=domain)


def _same(mail: Mail) -> str:
    """A digest that is the same for each copy of one message, such as one received directly and one through a list.

    The Message-ID is not enough: some programs use one twice, and both messages are kept (FreeScout issue 5591).
    """
    if not mail.message_id:
        return mail.digest
    files = [hashlib.sha256(each.content).hexdigest() for each in mail.attachments]
    said = "\n".join([mail.message_id, mail.sender, mail.subject, mail.text.strip(), *files])
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
