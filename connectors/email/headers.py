"""The headers of a message as text: in any charset, without control characters, and never failing.

Encoded words: RFC 2047 (https://www.rfc-editor.org/rfc/rfc2047). Addresses and dates: RFC 5322
(https://www.rfc-editor.org/rfc/rfc5322).
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from connectors.email import bounds
from connectors.email.charsets import decoded


def header(message: Message, name: str) -> str:
    """A header as one line of text; empty if it is missing."""
    return next(iter(headers(message, name)), "")


def headers(message: Message, name: str) -> list[str]:
    """Each header of this name as one line of text."""
    return [one_line(value) for value in raw(message, name)]


def raw(message: Message, name: str) -> list[str]:
    """The raw values: `get` would replace bytes outside ASCII."""
    return [str(value) for key, value in message.raw_items() if key.lower() == name]


def one_line(value: str) -> str:
    text = plain(value)
    if "=?" in text:
        text = _unfolded(text)
    return _clean(" ".join(text.split()))


def plain(value: str) -> str:
    """A raw header; bytes outside ASCII are read as UTF-8, else as Windows-1252."""
    if value.isascii() and "\x1b" not in value:
        return value
    return decoded(value.encode("utf-8", "surrogateescape"), "utf-8")


def _unfolded(text: str) -> str:
    if not bounds.may_be_decoded(text):
        return text
    try:
        chunks = decode_header(text)
    except (binascii.Error, ValueError, UnicodeError, MessageError):
        return text
    return "".join(chunk if isinstance(chunk, str) else decoded(chunk, charset or "utf-8") for chunk, charset in chunks)


_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
"""Control characters, invisible characters, and characters that change the writing direction."""


def _clean(text: str) -> str:
    return _HIDDEN.sub("", text)


def addresses(message: Message, *names: str) -> list[tuple[str, str]]:
    """Name and address of everybody in these headers, without what is not an address."""
    # Addresses are separated before encoded words are decoded: their content is text and never another address.
    values = [_clean(" ".join(plain(value).split())) for name in names for value in raw(message, name)]
    try:
        found = [pair for value in values for pair in _named_by_an_address(value) or getaddresses([value])]
    except (ValueError, IndexError):
        return []
    return [(one_line(name), address.strip()) for name, address in found if "@" in address]


_NAMED = re.compile(r"[^<>,;\"()@]*@[^<>,;\"()]*<([^<>\s,;\"@]+@[^<>\s,;\"]+)>")
"""Each repetition ends at a character with which the next one begins, so matching takes linear time."""


def _named_by_an_address(value: str) -> list[tuple[str, str]]:
    """``a@x <b@x>`` as one mailbox: many programs write an address as a name without quotes."""
    found = _NAMED.fullmatch(value.strip())
    return [(value.partition("<")[0].strip(), found[1])] if found else []


def sent_at(message: Message) -> datetime | None:
    """The Date header in UTC; None if it is missing or not valid."""
    try:
        found = parsedate_to_datetime(header(message, "date"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
