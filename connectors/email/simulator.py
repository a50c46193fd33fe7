"""A small mail house: mailboxes over IMAP, a server that takes mail over SMTP, and people who answer.

It behaves as Dovecot and Postfix were seen to where the hub can tell the difference: numbers and UIDVALIDITY,
literals, PEEK, IDLE; plus addressing; what our own server found out about a sender stands above everything else.
It refuses what they refuse, and conversations can be cut after any byte.
"""

from __future__ import annotations

import base64
import re
import shlex
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any

from connectors.kit import simulating
from connectors.kit.simulating import Answer, Fault, Json, Now, Request

IDLE_SECONDS = 300.0
_LITERAL = re.compile(rb"\{(\d+)\+?\}\r\n$")


@dataclass
class Tenant:
    """One vendor's house and, in it, our own mailbox."""

    domain: str
    """The vendor's; its desk is ``desk@domain``."""
    name: str = "Mail"
    hub: str = "hub@hub.test"
    password: str = "mail-password"
    token: str = ""
    """An OAuth 2 access token that is let in instead of the password."""
    people: dict[str, str] = field(default_factory=dict)
    colleagues: list[str] = field(default_factory=list)
    """Further mailboxes at our own domain: mail to them is taken, nobody answers."""
    boxes: dict[str, dict[str, Json]] = field(default_factory=dict)
    """Address -> folder -> its UIDVALIDITY, next number and messages."""
    last_id: int = 0
    last_validity: int = 1000

    @property
    def desk(self) -> str:
        return f"desk@{self.domain}"

    @property
    def authserv(self) -> str:
        return f"mx.{self.hub.partition('@')[2]}"

    def folder(self, address: str, name: str) -> Json | None:
        box = self.boxes.setdefault(address, {})
        if name.upper() == "INBOX" and "INBOX" not in box:
            self.make_folder(address, "INBOX")
        return box.get("INBOX" if name.upper() == "INBOX" else name)

    def make_folder(self, address: str, name: str) -> None:
        self.last_validity += 1
        self.boxes.setdefault(address, {})[name] = {"validity": self.last_validity, "next": 1, "messages": []}

    def put(self, address: str, raw: bytes, folder: str = "INBOX") -> int:
        box = self.folder(address, folder)
        if box is None:
            raise LookupError(folder)
        uid = int(box["next"])
        box["next"] = uid + 1
        box["messages"].append({"uid": uid, "raw": raw.decode("latin-1"), "flags": []})
        return uid


class Simulator(simulating.Simulator[Tenant]):
    """The house: its state, what people do, and the two servers once `open` was called."""

    kind = Tenant

    def __init__(self, tenants: Any, *, base: str, now: Now, path: Path | None = None) -> None:
        super().__init__(tenants, base=base, now=now, path=path)
        self.news = threading.Condition(self.lock)
        self.cut: int | None = None
        """How many bytes of IMAP answers are sent before the line goes dead; None for a good line."""
        self.loses_dot = False
        """SMTP: the next message is taken, and its answer lost."""
        self.servers: list[socketserver.TCPServer] = []

    def open(self, *, imap: int = 0, smtp: int = 0) -> tuple[int, int]:
        """Listen on loopback; the two ports."""
        for port, talk in ((imap, Imap), (smtp, Smtp)):
            server = _Server(("127.0.0.1", port), _handler(self, talk))
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
        """Answer the newest mail about a leg, as an ordinary mail program does."""
        return self._sent(tenant, self._reply_to(tenant, by, ticket, text))

    def send_file(self, tenant: Tenant, *, by: str, ticket: str, name: str, text: str, body: str = "Attached.") -> Json:
        message = self._reply_to(tenant, by, ticket, body)
        message.add_attachment(text.encode(), maintype="text", subtype="plain", filename=name)
        return self._sent(tenant, message)

    def write(self, tenant: Tenant, *, by: str, title: str, description: str) -> Json:
        """A mail that answers none."""
        message = self._message(tenant, by)
        message["To"], message["Subject"] = tenant.hub, title
        message.set_content(description)
        return self._sent(tenant, message)

    def mailbox(self, tenant: Tenant) -> Json:
        """What lies at the desk, the oldest first."""
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

    # -- the post

    def deliver(self, tenant: Tenant, raw: bytes, receivers: list[str]) -> None:
        """Put a message where it belongs; what our server found out about its sender stands on top."""
        parsed = message_from_bytes(raw)
        sender = parseaddr(str(parsed.get("From", "")))[1].lower()
        for receiver in receivers:
            address = without_tag(receiver)
            told = f"Return-Path: <{sender}>\r\nDelivered-To: {receiver}\r\n".encode()
            if address == tenant.hub:
                verdict = f"{tenant.authserv}; dmarc=pass header.from={sender.partition('@')[2]}"
                told = f"Authentication-Results: {verdict}\r\n".encode() + told
            tenant.put(address, told + _crlf(raw))
        self.news.notify_all()

    def houses(self, address: str) -> Tenant | None:
        """The tenant in which this address has a mailbox."""
        plain = without_tag(address)
        return next((each for each in self.tenants.values() if plain in (each.hub, each.desk, *each.colleagues)), None)

    def hub_of(self, user: str) -> Iterator[Tenant]:
        return (each for each in self.tenants.values() if user in (each.hub, each.desk))


def without_tag(address: str) -> str:
    """The mailbox of an address with a tag.

    >>> without_tag("Hub+01ab.xyz@Hub.test")
    'hub@hub.test'
    """
    local, _, domain = address.strip().lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _crlf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


class Line:
    """One conversation: lines in, bytes out."""

    def __init__(self, house: Simulator, reader: Any, writer: Any) -> None:
        self.house, self.reader, self.writer = house, reader, writer
        self.user = ""

    def say(self, text: str | bytes) -> None:
        self.send((text.encode() if isinstance(text, str) else text) + b"\r\n")

    def send(self, content: bytes) -> None:
        self.writer.write(content)
        self.writer.flush()

    def talk(self) -> None:
        raise NotImplementedError


def _handler(house: Simulator, talk: type[Line]) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        timeout = IDLE_SECONDS
        disable_nagle_algorithm = True

        def handle(self) -> None:
            with suppress(OSError, ValueError):
                talk(house, self.rfile, self.wfile).talk()

    return Handler


class Imap(Line):
    """IMAP4rev1 with IDLE, as far as a mailbox is read by it (RFC 3501, RFC 2177)."""

    folder: Json | None = None

    def send(self, content: bytes) -> None:
        left = self.house.cut
        if left is None:
            super().send(content)
            return
        super().send(content[: max(left, 0)])
        self.house.cut = left - len(content)
        if self.house.cut <= 0:
            raise OSError("the line is dead")

    def talk(self) -> None:
        self.say("* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN AUTH=XOAUTH2] ready")
        while line := self._command():
            tag, _, rest = line.partition(b" ")
            words = _words(rest)
            verb = words[0].upper() if words else ""
            if verb == "UID":
                words, verb = words[1:], f"UID_{words[1].upper()}" if len(words) > 1 else ""
            act = getattr(self, f"do_{verb.lower()}", None)
            done = act(tag.decode(), words[1:]) if act else "BAD Unknown command"
            if done is None:
                return
            self.say(f"{tag.decode()} {done}")

    def _command(self) -> bytes:
        """One command with its literals."""
        line = bytes(self.reader.readline())
        while found := _LITERAL.search(line):
            self.say("+ go on")
            literal = self.reader.read(int(found[1]))
            line = line[: found.start()] + b'"' + literal.replace(b'"', b'\\"') + b'"' + bytes(self.reader.readline())
        return line.rstrip(b"\r\n")

    def do_capability(self, _tag: str, _words: list[str]) -> str:
        self.say("* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN AUTH=XOAUTH2")
        return "OK done"

    def do_noop(self, _tag: str, _words: list[str]) -> str:
        return "OK done"

    def do_login(self, _tag: str, words: list[str]) -> str:
        user, password = (*words, "", "")[:2]
        return self._let_in(user.lower(), lambda tenant: password == tenant.password)

    def do_authenticate(self, _tag: str, words: list[str]) -> str:
        if words[:1] != ["XOAUTH2"]:
            return "NO no such way in"
        self.say("+ ")
        told = base64.b64decode(self.reader.readline())
        user, _, rest = told.decode().removeprefix("user=").partition("\x01auth=Bearer ")
        given = rest.rstrip("\x01")
        return self._let_in(user.lower(), lambda tenant: bool(tenant.token) and given == tenant.token)

    def _let_in(self, user: str, is_right: Callable[[Tenant], bool]) -> str:
        if not any(is_right(tenant) for tenant in self.house.hub_of(user)):
            return "NO [AUTHENTICATIONFAILED] Authentication failed."
        self.user = user
        return "OK Logged in"

    def _tenant(self) -> Tenant:
        return next(self.house.hub_of(self.user))

    def do_list(self, _tag: str, _words: list[str]) -> str:
        for name in self._tenant().boxes.get(self.user, {}):
            self.say(f'* LIST () "." "{name}"')
        return "OK done"

    def do_create(self, _tag: str, words: list[str]) -> str:
        with self.house.lock:
            self._tenant().make_folder(self.user, words[0])
        return "OK made"

    def do_delete(self, _tag: str, words: list[str]) -> str:
        with self.house.lock:
            return "OK gone" if self._tenant().boxes[self.user].pop(words[0], None) else "NO there is none"

    def do_append(self, _tag: str, words: list[str]) -> str:
        with self.house.lock:
            self._tenant().put(self.user, _crlf(words[-1].encode("latin-1")), words[0])
            self.house.news.notify_all()
        return "OK kept"

    def do_select(self, _tag: str, words: list[str]) -> str:
        self.folder = self._tenant().folder(self.user, words[0]) if self.user else None
        if self.folder is None:
            return "NO Mailbox doesn't exist"
        self.say("* FLAGS (\\Seen \\Deleted)")
        self.say(f"* {len(self.folder['messages'])} EXISTS")
        self.say("* 0 RECENT")
        self.say(f"* OK [UIDVALIDITY {self.folder['validity']}] valid")
        self.say(f"* OK [UIDNEXT {self.folder['next']}] next")
        return "OK [READ-WRITE] selected"

    do_examine = do_select

    def do_uid_search(self, _tag: str, words: list[str]) -> str:
        found = self._numbered(words[-1])
        self.say("* SEARCH" + "".join(f" {each['uid']}" for _number, each in found))
        return "OK done"

    def do_uid_fetch(self, _tag: str, words: list[str]) -> str:
        wanted = " ".join(words[1:]).upper()
        for number, each in self._numbered(words[0]):
            raw = each["raw"].encode("latin-1")
            parts = [f"UID {each['uid']}"]
            if "RFC822.SIZE" in wanted:
                parts.append(f"RFC822.SIZE {len(raw)}")
            if "FLAGS" in wanted:
                parts.append(f"FLAGS ({' '.join(each['flags'])})")
            head = f"* {number} FETCH ({' '.join(parts)}".encode()
            if "BODY" in wanted:
                if "PEEK" not in wanted and "\\Seen" not in each["flags"]:
                    each["flags"].append("\\Seen")
                cut = re.search(r"<(\d+)\.(\d+)>", wanted)
                name = "BODY[]"
                if cut is not None:
                    raw, name = raw[int(cut[1]) : int(cut[1]) + int(cut[2])], f"BODY[]<{cut[1]}>"
                head += f" {name} {{{len(raw)}}}\r\n".encode() + raw
            self.say(head + b")")
        return "OK done"

    def do_uid_store(self, _tag: str, words: list[str]) -> str:
        with self.house.lock:
            for _number, each in self._numbered(words[0]):
                each["flags"] += [flag for flag in ("\\Seen",) if flag not in each["flags"]]
        return "OK done"

    def _numbered(self, wanted: str) -> list[tuple[int, Json]]:
        """Messages by a list of UIDs and ranges; a range to * always names the last one."""
        messages = list(enumerate((self.folder or {"messages": []})["messages"], 1))
        last = messages[-1][1]["uid"] if messages else 0
        found: list[tuple[int, Json]] = []
        for part in wanted.split(","):
            first, _, end = part.partition(":")
            low = last if first == "*" else int(first)
            high = (last if end == "*" else int(end)) if end else low
            low, high = min(low, high), max(low, high)
            found += [pair for pair in messages if low <= pair[1]["uid"] <= high]
        return found

    def do_idle(self, _tag: str, _words: list[str]) -> str:
        folder = self.folder
        if folder is None:
            return "BAD Select a mailbox first"
        self.say("+ idling")
        ended = threading.Event()

        def tell() -> None:
            with self.house.news:
                known = len(folder["messages"])
                while not ended.is_set():
                    self.house.news.wait(0.2)
                    if len(folder["messages"]) != known:
                        known = len(folder["messages"])
                        with suppress(OSError, ValueError):
                            self.say(f"* {known} EXISTS")

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            self.reader.readline()
        finally:
            ended.set()
            teller.join(2)
        return "OK done"

    def do_logout(self, tag: str, _words: list[str]) -> None:
        self.say("* BYE")
        self.say(f"{tag} OK done")


def _words(rest: bytes) -> list[str]:
    text = rest.decode("latin-1")
    try:
        return shlex.split(text.replace("\\Seen", "\\\\Seen")) if '"' in text else text.split()
    except ValueError:
        return text.split()


class Smtp(Line):
    """SMTP as a submission server speaks it (RFC 5321, RFC 4954)."""

    def talk(self) -> None:
        self.say("220 mail house")
        sender, receivers = "", list[str]()
        while line := self.reader.readline().decode("latin-1").strip():
            verb = line[:4].upper()
            if verb == "EHLO":
                self.say("250-mail house\r\n250-8BITMIME\r\n250 AUTH PLAIN XOAUTH2")
            elif verb == "HELO":
                self.say("250 mail house")
            elif verb == "AUTH":
                self.say("235 let in" if self._knows(line) else "535 5.7.8 not accepted")
            elif verb == "MAIL":
                sender, receivers = line, []
                self.say("250 go on")
            elif verb == "RCPT":
                address = parseaddr(line.partition(":")[2])[1]
                known = self.house.houses(address)
                if known is not None:
                    receivers.append(address)
                self.say("250 go on" if known else "550 5.1.1 there is no such mailbox here")
            elif verb == "DATA":
                if not sender or not receivers:
                    self.say("503 nobody to send it to")
                    continue
                self.say("354 go on")
                self._take(receivers)
                if self.house.loses_dot:
                    self.house.loses_dot = False
                    return
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 go on")

    def _knows(self, line: str) -> bool:
        kind, _, given = line[5:].partition(" ")
        told = base64.b64decode(given).decode("utf-8", "replace")
        if kind.upper() == "XOAUTH2":
            user, _, rest = told.removeprefix("user=").partition("\x01auth=Bearer ")
            return any(t.token and rest.rstrip("\x01") == t.token for t in self.house.hub_of(user.lower()))
        _zone, user, password = (*told.split("\x00"), "", "")[:3]
        return any(password == tenant.password for tenant in self.house.hub_of(user.lower()))

    def _take(self, receivers: list[str]) -> None:
        lines = []
        while (line := self.reader.readline()) not in (b".\r\n", b".\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        with self.house.lock:
            for receiver in receivers:
                house = self.house.houses(receiver)
                if house is not None:
                    self.house.deliver(house, b"".join(lines), [receiver])
            self.house._save()
