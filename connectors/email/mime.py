"""The contents of a message: headers and bodies as text in any charset, attachments with safe names.

Uses the standard library's `compat32` message class, which never fails on a header and is fast. Depth, number of parts
and size of text are limited, because a message can be malicious. Decoding never fails. MIME: RFC 2045 and RFC 2046;
encoded words in headers: RFC 2047; parameters such as file names: RFC 2231; file names and dispositions: RFC 2183.

https://www.rfc-editor.org/rfc/rfc2045
https://www.rfc-editor.org/rfc/rfc2046
https://www.rfc-editor.org/rfc/rfc2047
https://www.rfc-editor.org/rfc/rfc2231
https://www.rfc-editor.org/rfc/rfc2183
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import (
    InvalidBase64CharactersDefect,
    InvalidBase64LengthDefect,
    InvalidBase64PaddingDefect,
    MessageError,
)
from email.generator import BytesGenerator
from email.message import Message
from io import BytesIO

from connectors.email import bounds, headers, smime
from connectors.email.bounds import DEEPEST, TooComplex
from connectors.email.charsets import decoded
from connectors.email.flowed import unflowed
from connectors.kit import markup
from hub.core.sentences import sentence

MOST_AGAIN = 4
"""How many times parts that the library missed are looked for."""
MOST_PARTS = 500
LONGEST_TEXT = 500_000
"""The most characters of a body that are read; the whole message is stored verbatim as well."""
LONGEST_NAME = 120

_BOUNDARY = re.compile(r"^--([^\s\"\\][^\"\\\r\n]{0,69}?)[ \t]*\r?\n(?=Content-[A-Za-z-]{2,30}:)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Attached:
    """One attachment; `name` is for people and not safe as a path."""

    name: str
    kind: str
    content: bytes = field(repr=False)
    content_id: str = ""
    is_inline: bool = False


@dataclass(frozen=True)
class Said:
    """One readable part."""

    text: str
    is_html: bool = False


@dataclass(frozen=True, kw_only=True)
class Bodies:
    """What a person would read, as plain text and as HTML, and the attachments."""

    plain: str
    """The plain-text parts alone."""
    html: str
    """The HTML parts alone, as received."""
    attachments: tuple[Attached, ...]
    html_parts: int = 0
    said: tuple[Said, ...] = ()
    """The readable parts in order, each in its best form."""
    is_sealed: bool = False
    """Whether it is encrypted, so that only its recipient can read it."""


def parsed(raw: bytes) -> Message:
    """The message; TooComplex if its parts are nested too deeply."""
    if raw.startswith(b"From "):
        # The line before a message in an mbox file.
        raw = raw.partition(b"\n")[2]
    try:
        return _with_its_parts(bounds.from_bytes(raw))
    except RecursionError as error:
        raise TooComplex(bounds.TOO_DEEP) from error


def _with_its_parts(message: Message) -> Message:
    """The message, including parts that are separated by another boundary than it announces."""
    inside = inside_of(message)
    is_torn = message.get_content_maintype() == "multipart" and isinstance(inside, str)
    if is_torn and (found := _beyond(message, inside)):
        message.set_payload([*found])
    return message


def bodies(message: Message) -> Bodies:
    """Everything in the message, in order."""
    plain: list[str] = []
    html: list[str] = []
    found: list[tuple[Said, int]] = []
    attachments: list[Attached] = []
    has_unopened = False
    for part, choice in _leaves(message):
        kind = part.get_content_type()
        if kind.startswith("multipart/"):
            # It claims to have parts and has none, for example without a boundary: its content is text.
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
        html=_together(html)[: markup.LONGEST + 1],  # one more, so that `markup.cleaned` says that it was cut
        attachments=tuple(attachments),
        html_parts=len(html),
        said=tuple(said for said, choice in found if not (said.is_html and choice in in_plain)),
        is_sealed=is_unread or message.get_content_type() == "multipart/encrypted",
    )


def _leaves(message: Message) -> Iterator[tuple[Message, int]]:
    """The parts without parts of their own, each with the number of its outermost multipart/alternative, or 0.

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
            raise TooComplex(
                sentence(
                    "This e-mail has more than %(count)s parts, or parts nested more than %(depth)s levels deep.",
                    count=MOST_PARTS,
                    depth=DEEPEST,
                )
            )
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
            # The message consists of a forwarded message only, so that one is read.
            waiting += [(child, depth + 1, choice) for child in inside[:1] if isinstance(child, Message)]
        else:
            yield part, choice


def _beyond(part: Message, inside: object) -> list[Message]:
    """Parts that the library does not find: with another boundary than announced, or after the last part.

    If two nested multiparts have the same boundary, what follows the inner one is after the end of the outer one.
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
    content_id = headers.header(part, "content-id").strip("<> ")
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
    """The bytes of a part; for a message within the message, the whole message."""
    inside = inside_of(part)
    if isinstance(inside, list):
        return b"".join(_whole(child) for child in inside)
    try:
        found = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError, TypeError):
        found = None
    return found if isinstance(found, bytes) else str(inside or "").encode("utf-8", "surrogateescape")


def inside_of(part: Message) -> object:
    """The parts of a part, or its raw text: `get_payload` uses codecs that take quadratic time."""
    return part.__dict__.get("_payload") or ""


def _whole(message: object) -> bytes:
    """A message within a message as bytes; its headers and text if it cannot be written."""
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
    """The name of an attachment, without folders and hidden characters; empty if it has none."""
    probe = Message()
    for name in ("content-disposition", "content-type"):
        if told := "".join(headers.raw(part, name)[:1]):
            probe[name] = headers.plain(told)
    try:
        raw = probe.get_filename() or ""
    except (ValueError, LookupError, TypeError):
        raw = str(probe.get_param("name") or "")
    name = (
        unicodedata.normalize("NFC", headers.one_line(raw)[:1000]).replace("\\", "/").rpartition("/")[2].strip(". \t")
    )
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
    """The text of a part; cut to the limit with a note about it, unless `is_whole`."""
    raw = content(part)[: 4 * LONGEST_TEXT + 4]
    try:
        charset = part.get_content_charset("") or ""
    except (LookupError, ValueError, TypeError):
        charset = ""
    text = decoded(raw, charset).replace("\r\n", "\n").replace("\r", "\n")
    if not is_whole and "format" in headers.header(part, "content-type").lower():
        text = _unflowed(part, text)
    if _is_damaged(part):
        text = f"{DAMAGED}\n\n{text}"
    return text if is_whole else _shortened(text)


def _unflowed(part: Message, text: str) -> str:
    told = {str(name).lower(): str(value).lower() for name, value in part.get_params([], unquote=True) or []}
    return unflowed(text, deletes_space=told.get("delsp") == "yes") if told.get("format") == "flowed" else text


def joined(texts: list[str]) -> str:
    """Several parts as one text, up to the limit."""
    return _shortened(_together(texts))


def _together(texts: list[str]) -> str:
    return "\n".join(text.strip("\n") for text in texts if text.strip())


CUT = "[The rest is not shown: this e-mail is longer than {most:,} characters. The original is stored in full.]"
TNEF = "application/ms-tnef"
PACKED = (
    "[Outlook packed this e-mail into winmail.dat, a proprietary format (TNEF) that may contain attachments. Ask the "
    "sender to use HTML or plain text.]"
)
DAMAGED = "[This part of the e-mail arrived damaged; some of it may be missing or wrong.]"


def _shortened(text: str) -> str:
    """The text up to the limit, with a note if something is left out."""
    if len(text) <= LONGEST_TEXT:
        return text
    note = "\n\n" + CUT.format(most=LONGEST_TEXT)
    return text[: LONGEST_TEXT - len(note)] + note


def _is_damaged(part: Message) -> bool:
    """Whether its base64 was cut off or damaged; known once the part has been decoded."""
    return any(isinstance(defect, _DAMAGES) for defect in part.defects)


_DAMAGES = (InvalidBase64CharactersDefect, InvalidBase64LengthDefect, InvalidBase64PaddingDefect)
