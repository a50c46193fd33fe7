"""What a message holds: headers and bodies as text whatever their charset, attachments with safe names.

Works on the standard library's oldest message class: it never fails on a header, and it is quick. Depth,
number of parts and size of text are bounded (a message may be made to hurt), decoding never fails.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import (
    InvalidBase64CharactersDefect,
    InvalidBase64LengthDefect,
    InvalidBase64PaddingDefect,
    MessageError,
)
from email.generator import BytesGenerator
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from io import BytesIO

from connectors.email import bounds, smime
from connectors.email.bounds import DEEPEST, TooComplex
from connectors.email.charsets import decoded
from connectors.email.flowed import unflowed
from connectors.kit import markup

MOST_AGAIN = 4
"""So often parts are looked for where the library found none."""
MOST_PARTS = 500
LONGEST_TEXT = 500_000
"""So many characters of a body are read; the whole message is kept verbatim beside it."""
LONGEST_NAME = 120

_BOUNDARY = re.compile(r"^--([^\s\"\\][^\"\\\r\n]{0,69}?)[ \t]*\r?\n(?=Content-[A-Za-z-]{2,30}:)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Attached:
    """One attachment; `name` is fit for a person and for no file system."""

    name: str
    kind: str
    content: bytes = field(repr=False)
    content_id: str = ""
    is_inline: bool = False


@dataclass(frozen=True)
class Said:
    """One part of what there is to read."""

    text: str
    is_html: bool = False


@dataclass(frozen=True, kw_only=True)
class Bodies:
    """What a person would read, as plain text and as HTML where either is there, and what is attached."""

    plain: str
    """The plain parts alone."""
    html: str
    """The HTML parts alone, as they came."""
    attachments: tuple[Attached, ...]
    html_parts: int = 0
    said: tuple[Said, ...] = ()
    """What there is to read, in its order, each part in its best form."""
    is_sealed: bool = False
    """Encrypted: only its receiver can read it."""


def parsed(raw: bytes) -> Message:
    """The message; TooComplex where its parts lie deeper in each other than anybody's do."""
    if raw.startswith(b"From "):
        # The line before a message in an mbox file.
        raw = raw.partition(b"\n")[2]
    try:
        return _with_its_parts(bounds.from_bytes(raw))
    except RecursionError as error:
        raise TooComplex("Its parts lie too deep in each other.") from error


def _with_its_parts(message: Message) -> Message:
    """The message itself; parts by another boundary than it announces are made its own."""
    inside = inside_of(message)
    is_torn = message.get_content_maintype() == "multipart" and isinstance(inside, str)
    if is_torn and (found := _beyond(message, inside)):
        message.set_payload([*found])
    return message


# -- headers


def header(message: Message, name: str) -> str:
    """A header as one line of text; empty where it is missing."""
    return next(iter(headers(message, name)), "")


def headers(message: Message, name: str) -> list[str]:
    """Each header of this name as one line of text."""
    return [one_line(value) for value in _raw(message, name)]


def _raw(message: Message, name: str) -> list[str]:
    """As it stands there: `get` replaces bytes outside ASCII, and they would be lost."""
    return [str(value) for key, value in message.raw_items() if key.lower() == name]


def one_line(value: str) -> str:
    text = _plain(value)
    if "=?" in text:
        text = _unfolded(text)
    return _clean(" ".join(text.split()))


def _plain(value: str) -> str:
    """A raw header; bytes outside ASCII are UTF-8, else what western mailers meant by them."""
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
"""Control characters, what is not seen, and what turns the direction of writing."""


def _clean(text: str) -> str:
    return _HIDDEN.sub("", text)


def addresses(message: Message, *names: str) -> list[tuple[str, str]]:
    """Name and address of everybody in these headers; what is no address is left out."""
    # Addresses are told apart before encoded words are read: what those bring is text, never another address.
    values = [_clean(" ".join(_plain(value).split())) for name in names for value in _raw(message, name)]
    try:
        found = [pair for value in values for pair in _named_by_an_address(value) or getaddresses([value])]
    except (ValueError, IndexError):
        return []
    return [(one_line(name), address.strip()) for name, address in found if "@" in address]


_NAMED = re.compile(r"[^<>,;\"()@]*@[^<>,;\"()]*<([^<>\s,;\"@]+@[^<>\s,;\"]+)>")
"""Each star ends at a sign the next one begins with, so that it is found, or not, in one go."""


def _named_by_an_address(value: str) -> list[tuple[str, str]]:
    """``a@x <b@x>`` is one mailbox whose name was left without quotes, as many programs do, and not two."""
    found = _NAMED.fullmatch(value.strip())
    return [(value.partition("<")[0].strip(), found[1])] if found else []


def sent_at(message: Message) -> datetime | None:
    """When it says it was sent, UTC; None where it does not, or says what cannot be."""
    try:
        found = parsedate_to_datetime(header(message, "date"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


# -- bodies


def bodies(message: Message) -> Bodies:
    """Everything in the message, in its order."""
    plain: list[str] = []
    html: list[str] = []
    found: list[tuple[Said, int]] = []
    attachments: list[Attached] = []
    has_unopened = False
    for part, choice in _leaves(message):
        kind = part.get_content_type()
        if kind.startswith("multipart/"):
            # It says it has parts, and has none (no boundary, say): what stands there is text.
            kind = "text/plain"
        name = filename(part)
        has_unopened |= kind in smime.KINDS
        is_attached = part.get_content_disposition() == "attachment" or bool(name)
        if kind == "text/plain" and not is_attached:
            plain.append(_text(part))
            found.append((Said(plain[-1]), choice))
        elif kind == "text/html" and not is_attached:
            html.append(_text(part, is_whole=True))
            found.append((Said(html[-1], is_html=True), choice))
        else:
            attachments.append(_attached(part, TNEF if kind == "application/vnd.ms-tnef" else kind, name))
    is_unread = has_unopened and not any(said.text.strip() for said, _choice in found)
    in_plain = {choice for said, choice in found if choice and not said.is_html and said.text.strip()}
    return Bodies(
        plain=joined(plain),
        html=_together(html)[: markup.LONGEST + 1],  # whoever cleans it says what is left out
        attachments=tuple(attachments),
        html_parts=len(html),
        said=tuple(said for said, choice in found if not (said.is_html and choice in in_plain)),
        is_sealed=is_unread or message.get_content_type() == "multipart/encrypted",
    )


def _leaves(message: Message) -> Iterator[tuple[Message, int]]:
    """Parts that hold no other parts of this message, each with the outermost choice of forms it lies in, or 0.

    A message within the message is one of them.
    """
    waiting = [(message, 0, 0)]
    count = again = 0
    while waiting:
        part, depth, choice = waiting.pop()
        count += 1
        if not choice and part.get_content_type() == "multipart/alternative":
            choice = count
        if depth > DEEPEST or count > MOST_PARTS:
            raise TooComplex(f"It has more than {DEEPEST} parts in each other, or {MOST_PARTS} in all.")
        inside = inside_of(part)
        if part.get_content_maintype() == "multipart":
            beyond = _beyond(part, inside) if again < MOST_AGAIN else []
            again += bool(beyond)
            if isinstance(inside, list) or beyond:
                children = [*(inside if isinstance(inside, list) else ()), *beyond]
                waiting += [(child, depth + 1, choice) for child in reversed(children) if isinstance(child, Message)]
                continue
            yield part, choice
        elif part.get_content_type() in smime.KINDS and (signed := smime.signed_content(content(part))) is not None:
            waiting.append((bounds.from_bytes(signed), depth + 1, choice))
        elif part.get_content_type() == "message/rfc822" and depth == 0 and isinstance(inside, list):
            # Nothing but a forwarded message: what it holds is what there is to read.
            waiting += [(child, depth + 1, choice) for child in inside[:1] if isinstance(child, Message)]
        else:
            yield part, choice


def _beyond(part: Message, inside: object) -> list[Message]:
    """Parts that the library takes for none: by another boundary than was announced, or behind the last one.

    Two nested multiparts with one boundary leave what follows the inner one behind the end of the outer one.
    """
    text = inside if isinstance(inside, str) else part.epilogue or ""
    found = _BOUNDARY.search(text)
    if found is None:
        return []
    first = re.search(rf"^--{re.escape(found[1])}[ \t]*\r?$", text, re.MULTILINE) or found  # it may have no headers
    made = bounds.from_string(f'Content-Type: multipart/mixed; boundary="{found[1]}"\n\n{text[first.start() :]}')
    parts = inside_of(made)
    return [child for child in parts if isinstance(child, Message)] if isinstance(parts, list) else []


def _attached(part: Message, kind: str, name: str) -> Attached:
    content_id = header(part, "content-id").strip("<> ")
    disposition = part.get_content_disposition()
    found = content(part)
    told = name or _named_after(kind)
    return Attached(
        name=f"(damaged) {told}" if _is_damaged(part) else told,
        kind=kind,
        content=found,
        content_id=content_id,
        is_inline=disposition == "inline" or (bool(content_id) and disposition != "attachment"),
    )


def content(part: Message) -> bytes:
    """The bytes of a part; a message within the message is itself again."""
    inside = inside_of(part)
    if isinstance(inside, list):
        return b"".join(_whole(child) for child in inside)
    try:
        found = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError, TypeError):
        found = None
    return found if isinstance(found, bytes) else str(inside or "").encode("utf-8", "surrogateescape")


def inside_of(part: Message) -> object:
    """The parts of a part, or its text as it stands: `get_payload` decodes by charsets that take quadratic time."""
    return part.__dict__.get("_payload") or ""


def _whole(message: object) -> bytes:
    """A message within a message as bytes; where it cannot be put together again, its headers and text."""
    if not isinstance(message, Message):
        return str(message).encode("utf-8", "surrogateescape")
    out = BytesIO()
    try:
        BytesGenerator(out, mangle_from_=False).flatten(message)
        return out.getvalue()
    except (UnicodeError, MessageError, ValueError, LookupError, TypeError, AttributeError):
        told = "".join(f"{name}: {value}\n" for name, value in message.raw_items())
        text = inside_of(message)
        return f"{told}\n{text if isinstance(text, str) else ''}".encode("utf-8", "surrogateescape")


def filename(part: Message) -> str:
    """The name of an attachment, without folders, hidden characters and tricks; empty where it has none."""
    probe = Message()
    for name in ("content-disposition", "content-type"):
        if told := "".join(_raw(part, name)[:1]):
            probe[name] = _plain(told)
    try:
        raw = probe.get_filename() or ""
    except (ValueError, LookupError, TypeError):
        raw = str(probe.get_param("name") or "")
    name = unicodedata.normalize("NFC", one_line(raw)[:1000]).replace("\\", "/").rpartition("/")[2].strip(". \t")
    if len(name) <= LONGEST_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    return f"{stem[: LONGEST_NAME - 12]}…{dot}{ending[:10]}" if dot else name[:LONGEST_NAME]


def _named_after(kind: str) -> str:
    known = {
        "message/rfc822": "message.eml",
        "text/calendar": "invitation.ics",
        TNEF: "winmail.dat",
        "text/html": "page.html",
        "text/plain": "text.txt",
    }
    return known.get(kind) or f"attachment.{re.sub('[^a-z0-9]', '', kind.partition('/')[2])[:8] or 'bin'}"


def _text(part: Message, *, is_whole: bool = False) -> str:
    """What the part says; cut, with a word about it, unless that is left to others (`is_whole`)."""
    raw = content(part)[: 4 * LONGEST_TEXT + 4]
    try:
        charset = part.get_content_charset("") or ""
    except (LookupError, ValueError, TypeError):
        charset = ""
    text = decoded(raw, charset).replace("\r\n", "\n").replace("\r", "\n")
    if not is_whole and "format" in header(part, "content-type").lower():
        text = _unflowed(part, text)
    if _is_damaged(part):
        text = f"{DAMAGED}\n\n{text}"
    return text if is_whole else _shortened(text)


def _unflowed(part: Message, text: str) -> str:
    told = {str(name).lower(): str(value).lower() for name, value in part.get_params([], unquote=True) or []}
    return unflowed(text, deletes_space=told.get("delsp") == "yes") if told.get("format") == "flowed" else text


def joined(texts: list[str]) -> str:
    """Several parts as one text, as far as it is read."""
    return _shortened(_together(texts))


def _together(texts: list[str]) -> str:
    return "\n".join(text.strip("\n") for text in texts if text.strip())


CUT = "[The rest of this mail was left out: it is longer than {most:,} characters. It is kept whole as it came.]"
TNEF = "application/ms-tnef"
PACKED = (
    "[Outlook packed what it sent into winmail.dat, a format of its own (TNEF); files of theirs may lie in it. "
    "Ask the sender to send as HTML or plain text.]"
)
DAMAGED = "[This part of the mail arrived damaged; something may be missing or wrong in it.]"


def _shortened(text: str) -> str:
    """The text as far as it is read; where something is left out it says so."""
    if len(text) <= LONGEST_TEXT:
        return text
    note = "\n\n" + CUT.format(most=LONGEST_TEXT)
    return text[: LONGEST_TEXT - len(note)] + note


def _is_damaged(part: Message) -> bool:
    """Whether base64 was cut or spoilt on the way; known once the part was decoded."""
    return any(isinstance(defect, _DAMAGES) for defect in part.defects)


_DAMAGES = (InvalidBase64CharactersDefect, InvalidBase64LengthDefect, InvalidBase64PaddingDefect)
