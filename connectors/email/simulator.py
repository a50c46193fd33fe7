"""A small mail system: mailboxes over IMAP, a server that accepts mail over SMTP, and people who reply.

It behaves like Dovecot and Postfix wherever the hub can notice a difference: UIDs and UIDVALIDITY, literals, PEEK and
IDLE; plus addressing; the Authentication-Results of our own server above all other headers. It refuses what they
refuse, and connections can be cut after any byte.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any

from connectors.kit import simulating
from connectors.kit.simulating import Answer, Fault, Json, Now, Request

from .simulated_imap import Imap
from .simulated_lines import Server, Tenant, crlf, handler, without_tag
from .simulated_smtp import Smtp


class Simulator(simulating.Simulator[Tenant]):
    """The mail system: its state, what people do, and the two servers once `open` was called."""

    kind = Tenant

    def __init__(self, tenants: Any, *, base: str, now: Now, path: Path | None = None) -> None:
        super().__init__(tenants, base=base, now=now, path=path)
        self.news = threading.Condition(self.lock)
        self.cut: int | None = None
        """How many bytes of IMAP responses are sent before the connection breaks; None for a working connection."""
        self.loses_dot = False
        """SMTP: the next message is accepted, and the reply is lost."""
        self.servers: list[socketserver.TCPServer] = []

    def open(self, *, imap: int = 0, smtp: int = 0) -> tuple[int, int]:
        """Listen on the loopback interface; returns the two ports."""
        for port, talk in ((imap, Imap), (smtp, Smtp)):
            server = Server(("127.0.0.1", port), handler(self, talk))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            self.servers.append(server)
        return self.servers[-2].server_address[1], self.servers[-1].server_address[1]

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def respond(self, request: Request) -> Answer:
        raise Fault(404)

    def people(self) -> Mapping[str, Callable[..., Json]]:
        return {"reply": self.reply, "open": self.write, "file": self.send_file, "mailbox": self.mailbox}

    # -- people at the vendor

    def reply(self, tenant: Tenant, *, by: str, ticket: str, text: str) -> Json:
        """Reply to the newest message about an engagement, as an ordinary mail program does."""
        return self._sent(tenant, self._reply_to(tenant, by, ticket, text))

    def send_file(self, tenant: Tenant, *, by: str, ticket: str, name: str, text: str, body: str = "Attached.") -> Json:
        message = self._reply_to(tenant, by, ticket, body)
        message.add_attachment(text.encode(), maintype="text", subtype="plain", filename=name)
        return self._sent(tenant, message)

    def write(self, tenant: Tenant, *, by: str, title: str, description: str) -> Json:
        """Send a message that is not a reply."""
        message = self._message(tenant, by)
        message["To"], message["Subject"] = tenant.hub, title
        message.set_content(description)
        return self._sent(tenant, message)

    def mailbox(self, tenant: Tenant) -> Json:
        """The messages in the help desk's mailbox, oldest first."""
        box = tenant.folder(tenant.desk, "INBOX")
        return {"mails": [each["raw"] for each in (box or {"messages": []})["messages"]]}

    def _reply_to(self, tenant: Tenant, by: str, ticket: str, text: str) -> EmailMessage:
        leg = ticket.removeprefix("mail-").lower()
        box = tenant.folder(tenant.desk, "INBOX") or {"messages": []}
        asked = [each for each in box["messages"] if leg in each["raw"].lower()]
        if not asked:
            raise Fault(404)
        parsed: Any = message_from_bytes(asked[-1]["raw"].encode("latin-1"), policy=policy.default)
        message = self._message(tenant, by)
        message["To"] = str(parsed["Reply-To"])
        message["Subject"] = f"Re: {parsed['Subject']}"
        message["In-Reply-To"] = message["References"] = str(parsed["Message-ID"])
        body = parsed.get_body(("plain",))
        quoted = "\n".join(f"> {line}" for line in (body.get_content() if body else "").splitlines())
        message.set_content(f"{text}\n\nOn {parsed['Date']}, {parsed['From']} wrote:\n{quoted}\n")
        return message

    def _message(self, tenant: Tenant, by: str) -> EmailMessage:
        tenant.last_id += 1
        message = EmailMessage()
        message["From"] = f"{tenant.people.get(by, by)} <{tenant.desk}>"
        message["Message-ID"] = f"<{tenant.last_id}.{int(self.now().timestamp())}@{tenant.domain}>"
        message["Date"] = format_datetime(self.now())
        return message

    def _sent(self, tenant: Tenant, message: EmailMessage) -> Json:
        self.deliver(tenant, message.as_bytes(), [parseaddr(str(message["To"]))[1]])
        return {"id": str(message["Message-ID"])}

    # -- delivery

    def deliver(self, tenant: Tenant, raw: bytes, receivers: list[str]) -> None:
        """Deliver a message to its mailbox, with our server's verification of the sender as the first header."""
        parsed = message_from_bytes(raw)
        sender = parseaddr(str(parsed.get("From", "")))[1].lower()
        for receiver in receivers:
            address = without_tag(receiver)
            told = f"Return-Path: <{sender}>\r\nDelivered-To: {receiver}\r\n".encode()
            if address == tenant.hub:
                verdict = f"{tenant.authserv}; dmarc=pass header.from={sender.partition('@')[2]}"
                told = f"Authentication-Results: {verdict}\r\n".encode() + told
            tenant.put(address, told + crlf(raw))
        self.news.notify_all()

    def houses(self, address: str) -> Tenant | None:
        """The tenant in which this address has a mailbox; None if there is none."""
        plain = without_tag(address)
        return next((each for each in self.tenants.values() if plain in (each.hub, each.desk, *each.colleagues)), None)

    def hub_of(self, user: str) -> Iterator[Tenant]:
        return (each for each in self.tenants.values() if user in (each.hub, each.desk))

    def save(self) -> None:
        """Write the state to its file, if it has one."""
        self._save()
