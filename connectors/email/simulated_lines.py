"""Sessions with the simulated mail servers, and the mailboxes they use."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from connectors.kit.simulating import Json

IDLE_SECONDS = 300.0


@dataclass
class Tenant:
    """One vendor's mailbox, and our own."""

    domain: str
    """The vendor's domain; its help desk is ``desk@domain``."""
    name: str = "Mail"
    hub: str = "hub@hub.test"
    password: str = "mail-password"
    token: str = ""
    """An OAuth 2 access token that is accepted instead of the password."""
    people: dict[str, str] = field(default_factory=dict)
    colleagues: list[str] = field(default_factory=list)
    """Further mailboxes in our own domain: mail to them is accepted, and nobody replies."""
    boxes: dict[str, dict[str, Json]] = field(default_factory=dict)
    """Address -> folder -> its UIDVALIDITY, next UID and messages."""
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


class House(Protocol):
    """What a session needs of the simulated mail servers."""

    lock: Any
    news: threading.Condition
    cut: int | None
    loses_dot: bool

    def deliver(self, tenant: Tenant, raw: bytes, receivers: list[str]) -> None: ...

    def houses(self, address: str) -> Tenant | None: ...

    def hub_of(self, user: str) -> Iterator[Tenant]: ...

    def save(self) -> None: ...


def without_tag(address: str) -> str:
    """The mailbox of an address, without its tag.

    >>> without_tag("Hub+01ab.xyz@Hub.test")
    'hub@hub.test'
    """
    local, _, domain = address.strip().lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def crlf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


class Line:
    """One session: lines in, bytes out."""

    def __init__(self, house: House, reader: Any, writer: Any) -> None:
        self.house, self.reader, self.writer = house, reader, writer
        self.user = ""

    def say(self, text: str | bytes) -> None:
        self.send((text.encode() if isinstance(text, str) else text) + b"\r\n")

    def send(self, content: bytes) -> None:
        self.writer.write(content)
        self.writer.flush()

    def talk(self) -> None:
        raise NotImplementedError


def handler(house: House, talk: type[Line]) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        timeout = IDLE_SECONDS
        disable_nagle_algorithm = True

        def handle(self) -> None:
            with suppress(OSError, ValueError):
                talk(house, self.rfile, self.wfile).talk()

    return Handler
