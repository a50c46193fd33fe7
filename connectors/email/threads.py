"""Which ticket a message belongs to, by signed evidence and never by the words of its subject.

Strongest first: one of our Message-IDs among its references (RFC 5322 section 3.6.4), a signed tag in an address it was
sent to (a subaddress, RFC 5233), a signed tag in its subject. Evidence shows which ticket a message belongs to. It does
not prove who sent it.

https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4
https://www.rfc-editor.org/rfc/rfc5233
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
"""Old IDs of 97 characters, to which replies still arrive, and the short ones made since November 2026."""
_ADDRESS = re.compile(rf"\+({_ID})\.({_MAC})@", re.IGNORECASE)
_SUBJECT = re.compile(rf"\[TH:({_ID})\.({_MAC})\]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One hint at a thread; it is ours only if `is_signed`."""

    kind: str
    """``message-id``, ``address`` or ``subject``."""
    leg: str
    """The public ID of the engagement."""
    operation: str = ""
    """For a Message-ID: which of our messages it was, by the end of its public ID."""
    is_signed: bool = False


@dataclass(frozen=True)
class Keys:
    """The keys that tags are signed with; tags signed with older keys are still accepted."""

    all: tuple[bytes, ...]

    def sign(self, *what: str) -> str:
        return _mac(self.all[0], what)

    def accepts(self, mac: str, *what: str) -> bool:
        return any(hmac.compare_digest(mac.lower(), _mac(key, what)[: max(len(mac), MAC)]) for key in self.all)


def _mac(key: bytes, what: tuple[str, ...]) -> str:
    """The signature in base32, because mail systems can change the case of letters."""
    digest = hmac.new(key, "\n".join(("mail", *what)).lower().encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode().lower()[:20]


MAC = 16
"""Characters of a signature. 80 bits are enough (RFC 2104 section 5), and IDs and addresses have to be short.

https://www.rfc-editor.org/rfc/rfc2104#section-5
"""
LONGEST_LOCAL = 64
"""The most characters before the @ of an address: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.1"""


def message_id(keys: Keys, *, leg: str, operation: str, host: str) -> str:
    """The Message-ID of one of our messages: the same when the message is sent again.

    It is short enough for one line after "In-Reply-To:", because some systems lose a thread if it is folded.
    """
    end = operation.lower()[-4:]
    return f"<{leg.lower()}.{end}{keys.sign('message-id', leg, end)[:MAC]}@{host}>"


def reply_address(keys: Keys, *, leg: str, mailbox: str) -> str:
    """The address for replies: the mailbox with a signed tag, as in ``hub+tag@northwind.example``.

    The mailbox alone if its name leaves no room for a tag: other servers reject longer addresses.
    """
    local, _, domain = mailbox.partition("@")
    tagged = f"{local}+{leg.lower()}.{keys.sign('address', leg)[:MAC]}"
    return f"{tagged if len(tagged) <= LONGEST_LOCAL else local}@{domain}"


def subject_tag(keys: Keys, *, leg: str) -> str:
    return f"[TH:{leg.lower()}.{keys.sign('subject', leg)[:MAC]}]"


def evidence(keys: Keys, *, referred: Iterable[str], addresses: Iterable[str], subject: str) -> list[Evidence]:
    """All evidence of a thread, strongest first; of several references, the newest first."""
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
