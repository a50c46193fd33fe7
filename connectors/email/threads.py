"""Which ticket a message belongs to: signed evidence, never the words of a subject.

Strongest first: an id of ours among the messages it refers to, a signed tag in an address it was
sent to, a signed tag in its subject. Evidence says where a message belongs. It is no authority: who
sent it is another question.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

_ID = r"[0-9a-hjkmnp-tv-z]{26}"
_MAC = r"[a-z2-7]{16}(?:[a-z2-7]{4})?"
_MESSAGE = re.compile(
    rf"<(?:th\.(?P<leg>{_ID})\.(?P<operation>{_ID})\.(?P<mac>{_MAC})"
    rf"|(?P<leg_>{_ID})\.(?P<operation_>[0-9a-hjkmnp-tv-z]{{4}})(?P<mac_>[a-z2-7]{{16}}))@[^<>\s]+>",
    re.IGNORECASE,
)
"""Old ids of 97 characters, which mail programs still answer to, and the short ones made since November 2026."""
_ADDRESS = re.compile(rf"\+({_ID})\.({_MAC})@", re.IGNORECASE)
_SUBJECT = re.compile(rf"\[TH:({_ID})\.({_MAC})\]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One hint at a thread; only with `is_signed` it is one of ours."""

    kind: str
    """``message-id``, ``address`` or ``subject``."""
    leg: str
    """The leg's public id."""
    operation: str = ""
    """For a message id: which of our messages it was; the end of its public id."""
    is_signed: bool = False


@dataclass(frozen=True)
class Keys:
    """What tags are signed with; older keys are still believed."""

    all: tuple[bytes, ...]

    def sign(self, *what: str) -> str:
        return _mac(self.all[0], what)

    def accepts(self, mac: str, *what: str) -> bool:
        return any(hmac.compare_digest(mac.lower(), _mac(key, what)[: max(len(mac), MAC)]) for key in self.all)


def _mac(key: bytes, what: tuple[str, ...]) -> str:
    """In letters that survive every mail system: case does not matter in them."""
    digest = hmac.new(key, "\n".join(("mail", *what)).lower().encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode().lower()[:20]


MAC = 16
"""Characters of a signature: 80 bits (RFC 2104 section 5), for ids and addresses have to be short."""
LONGEST_LOCAL = 64
"""What may stand before the @ of an address (RFC 5321 section 4.5.3.1.1)."""


def message_id(keys: Keys, *, leg: str, operation: str, host: str) -> str:
    """The Message-ID of what we say: the same when it is said again.

    Short, so that it fits into one line after "In-Reply-To:": some systems lose a thread over a folded one.
    """
    end = operation.lower()[-4:]
    return f"<{leg.lower()}.{end}{keys.sign('message-id', leg, end)[:MAC]}@{host}>"


def reply_address(keys: Keys, *, leg: str, mailbox: str) -> str:
    """Where answers go: the mailbox with a signed tag, as in ``hub+tag@northwind.example``.

    The mailbox alone where its name leaves no room for a tag: an address that is longer is refused by others.
    """
    local, _, domain = mailbox.partition("@")
    tagged = f"{local}+{leg.lower()}.{keys.sign('address', leg)[:MAC]}"
    return f"{tagged if len(tagged) <= LONGEST_LOCAL else local}@{domain}"


def subject_tag(keys: Keys, *, leg: str) -> str:
    return f"[TH:{leg.lower()}.{keys.sign('subject', leg)[:MAC]}]"


def evidence(keys: Keys, *, referred: Iterable[str], addresses: Iterable[str], subject: str) -> list[Evidence]:
    """Everything that hints at a thread, the strongest first; the newest of what it refers to first."""
    found: list[Evidence] = []
    for known in _MESSAGE.finditer(" ".join(reversed(list(referred)))):
        leg, operation, mac = (known[name] or known[f"{name}_"] for name in ("leg", "operation", "mac"))
        is_signed = keys.accepts(mac, "message-id", leg, operation)
        found.append(Evidence(kind="message-id", leg=leg.upper(), operation=operation.upper(), is_signed=is_signed))
    for leg, mac in _ADDRESS.findall(" ".join(addresses)):
        found.append(Evidence(kind="address", leg=leg.upper(), is_signed=keys.accepts(mac, "address", leg)))
    for leg, mac in _SUBJECT.findall(subject):
        found.append(Evidence(kind="subject", leg=leg.upper(), is_signed=keys.accepts(mac, "subject", leg)))
    return list(dict.fromkeys(found))


def without_tag(subject: str) -> str:
    """The subject as a person wrote it."""
    return " ".join(_SUBJECT.sub("", subject).split())
