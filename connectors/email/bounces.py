"""What mail servers report about a message: in the fields of RFC 3464, or in their own words.

The addresses come from flufl.bounce, which knows some thirty formats, then from the fields of RFC 3464, and last from
the text itself. Status codes are those of RFC 3463, read receipts those of RFC 8098, and the internationalised kinds
those of RFC 6533.

https://www.rfc-editor.org/rfc/rfc3464
https://www.rfc-editor.org/rfc/rfc3463
https://www.rfc-editor.org/rfc/rfc8098
https://www.rfc-editor.org/rfc/rfc6533
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from email.utils import parseaddr
from enum import StrEnum

from flufl.bounce import all_failures

from connectors.email import bounds, headers, mime


class Fate(StrEnum):
    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    """Delivered, relayed or read: a receipt."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a mail server reports: about which recipients, and about which message."""

    fate: Fate
    addresses: tuple[str, ...]
    status: str = ""
    """The status code of RFC 3463, such as 5.1.1, if the report contains one."""
    diagnosis: str = ""
    original_ids: tuple[str, ...] = ()
    """Message-IDs in the returned part of the original message."""


_SENDERS = re.compile(
    r"^(mailer-?daemon|mail-?daemon|postmaster|mdaemon|post(-|_)?master|mail[._-]?delivery|bounces?|ndr|"
    r"symantec_antivirus[^@]{0,99}|imss|system administrator|e500_smtp[^@]{0,99})([+._-][^@]*)?@|^<?>?$",
    re.IGNORECASE,
)
_SENDER_NAMES = re.compile(
    r"mail(er)?[ -]?(delivery|daemon)|delivery (sub)?system|mail administrator|mail delivery|postmaster|"
    r"system administrator|mailer.?daemon|lsmtp|mailserver",
    re.IGNORECASE,
)
_SUBJECTS = re.compile(
    r"undeliver|non[- ]?deliver|not (be )?deliver|delivery (status|report|fail|notification|problem|incomplete|warning|"
    r"error|has)|fail(ed|ure)?:? (mail|notice|delivery)|mail (delivery|failure|error|system error|could not)|returned"
    r"( to sender| mail)|message (delayed|delivery|not)|delayed mail|could not be delivered|permanent delivery|"
    r"delivery.{0,20}(failed|failure|delay)|unzustellbar|nicht zugestellt|zustellung|non remis|non distribu|"
    r"échec de (la )?remise|no entregado|no se (pudo|puede) entregar|error de entrega|mancato recapito|"
    r"recapito fallito|onbestelbaar|niet (worden )?(bezorgd|afgeleverd)|не доставлен|недоставлен|"
    r"niedostarczon|nie (została|można) dostarcz|kunde inte levereras|kunne ikke leveres|退信|投递失败|"
    r"無法傳遞|배달 실패|retour de courrier|delivery warning|warning: (message|could not)|failure notice|failed mail|"
    r"automatically rejected|mail not delivered|user unknown|recensé",
    re.IGNORECASE,
)
_DELAYS = re.compile(
    r"delay(ed)?\b|still being retried|not yet been delivered|will (continue to )?(be )?(re)?tr(y|ied)|"
    r"this is a warning message only|you do not need to resend|verzögert|retard[ée]|vertraagd|задерж",
    re.IGNORECASE,
)
_FINAL = re.compile(
    r"permanent|fatal error|gave up|giving up|given up|could not be delivered|unknown user|user unknown|returned to "
    r"sender|has failed|too long|not listed",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_RECEIPTS = ("delivered", "relayed", "expanded", "displayed", "dispatched", "processed")
MOST_ADDRESSES = 200


def report(message: Message, bodies: mime.Bodies) -> Report | None:
    """The report on a delivery; None if the message is not a report."""
    notes = _notes(message)
    is_told = _is_from_a_system(message, notes)
    if not is_told and not _sounds_like_one(message):
        return None
    if not is_told and not _begins_as_one(bodies.plain):
        # A person who writes about undelivered mail, with the report below, wrote an ordinary message.
        return None
    fields = [fields for note in notes for fields in _recipients(note)]
    failed, delayed = _found_by_library(message)
    if not is_told and not failed and not delayed:
        # People write about undelivered mail too: their messages are not reports.
        return None
    if not failed and not delayed:
        failed, delayed = _in_fields(fields, "fail"), _in_fields(fields, "delay")
    failed = failed or _with([], *re.findall(_ADDRESS, headers.header(message, "x-failed-recipients")))
    told = {one.get("action", "").strip().lower() for one in fields} - {""}
    text = bodies.plain or bodies.html
    fate = _fate(message, told, text, failed, delayed)
    if fate is None:
        return None
    if not failed and not delayed and fate != Fate.DELIVERED:
        failed = _in_sentences(text)
    addresses = [*failed, *(address for address in delayed if address not in failed)]
    status, diagnosis = _why(fields, text)
    return Report(
        fate=fate,
        addresses=tuple(sorted(addresses)[:MOST_ADDRESSES]),
        status=status,
        diagnosis=diagnosis,
        original_ids=tuple(_original_ids(message)),
    )


def _in_fields(fields: list[dict[str, str]], action: str) -> list[str]:
    """The recipients with this action in the fields of RFC 3464."""
    told = [one for one in fields if one.get("action", "").strip().lower().startswith(action)]
    return _with([], *(one.get("final-recipient") or one.get("original-recipient", "") for one in told))


def _is_from_a_system(message: Message, notes: list[Message]) -> bool:
    """Whether its structure or its sender shows that a mail server wrote it."""
    if notes or "x-failed-recipients" in message or message.get_content_type() == "multipart/report":
        return True
    name, address = parseaddr(headers.header(message, "from"))
    is_system = bool(_SENDERS.search(address) and "from" in message) or bool(_SENDER_NAMES.search(name))
    return is_system or headers.header(message, "return-path").strip() == "<>"


def _sounds_like_one(message: Message) -> bool:
    subject = headers.header(message, "subject")
    is_answer = "in-reply-to" in message and "auto-submitted" not in message
    return bool(_SUBJECTS.search(subject)) and not is_answer and not _is_passed_on(subject)


_BEGINNING = re.compile(
    r"(non[- ]?delivery|undeliver|could not deliver|cannot deliver|unable to deliver|delivery (to|has|of|status|fail)|"
    r"the following (message|e?-?mail|address|recipient|user)|this (is (the|an automat|a permanent)|message|report)|"
    r"failed (recipient|message|to deliver)|message (could|not|to)|your (e-?mail|message)|returned (mail|message)|"
    r"(votre|ihre|su|tu|il (tuo|suo)|uw|ditt) (message|nachricht|mensaje|messaggio|bericht|meddelande)|"
    r"unzustellbar|le message|die nachricht|el mensaje)",
    re.IGNORECASE,
)


def _begins_as_one(text: str) -> bool:
    """Whether the first words are a mail server's. A person who pastes a report writes something above it."""
    first = next((line for line in text[:4000].split("\n") if re.search(r"\w", line)), "")
    return _BEGINNING.match(first.strip("-*=#>|_ \t")) is not None


def _is_passed_on(subject: str) -> bool:
    return re.match(r"\s*(fwd?|wg|tr|rv)\s*:", subject, re.IGNORECASE) is not None


def _notes(message: Message) -> list[Message]:
    """The machine-readable parts: delivery-status and disposition-notification."""
    kinds = ("message/delivery-status", "message/disposition-notification", "message/global-delivery-status")
    return [part for part in _walk(message) if part.get_content_type() in kinds]


def _walk(message: Message) -> list[Message]:
    """Its parts, without those of messages within it."""
    found: list[Message] = []
    waiting = [message]
    while waiting and len(found) < mime.MOST_PARTS:
        part = waiting.pop()
        found.append(part)
        inside = mime.inside_of(part)
        if part.get_content_maintype() == "multipart" and isinstance(inside, list):
            waiting += [child for child in reversed(inside) if isinstance(child, Message)]
    return found


GLOBAL = "message/global-delivery-status"
"""The delivery status of internationalised mail: https://www.rfc-editor.org/rfc/rfc6533"""


def _as_it_stands(note: Message) -> bytes:
    """The content of a report part, decoded if the library left its transfer encoding in place."""
    found = mime.content(note)
    if note.get_content_type() == GLOBAL and headers.header(note, "content-transfer-encoding").lower() == "base64":
        with suppress(binascii.Error, ValueError):
            return base64.b64decode(found.strip(), validate=False)
    return found


def _recipients(note: Message) -> list[dict[str, str]]:
    """The blocks of fields, one per recipient."""
    inside = mime.inside_of(note)
    if isinstance(inside, list) and note.get_content_type() != GLOBAL:
        blocks = list(inside)
    else:
        # The library reads the first block of the internationalised kind as a message, and the rest as its body.
        content = _as_it_stands(note).decode("utf-8", "replace").replace("\r\n", "\n")
        blocks = [bounds.from_string(block) for block in re.split(r"\n\s*\n", content)]
    found = []
    for block in blocks:
        if "message/disposition-notification" in note.get_content_type():
            found.append({"action": headers.header(block, "disposition").rpartition(";")[2].partition("/")[0].strip()})
        else:
            told: dict[str, str] = {}
            for name, value in block.raw_items():
                told.setdefault(name.lower(), headers.one_line(str(value)))
            found.append(told)
    return found


def _found_by_library(message: Message) -> tuple[list[str], list[str]]:
    if not headers.addresses(message, "from") and "from" not in message:
        return [], []
    try:
        temporary, permanent = all_failures(_as_detectors_see_it(message))
    except Exception:  # it reads arbitrary mail and raises more than its own errors
        return [], []
    return _with([], *map(_as_text, permanent)), _with([], *map(_as_text, temporary))


LONGEST_TOLD = 32_000
LONGEST_LINE = 200
_HEADERS_SEEN = frozenset(
    {
        "from",
        "subject",
        "content-type",
        "content-transfer-encoding",
        "content-description",
        "x-mailer",
        "x-failed-recipients",
        "action",
        "original-recipient",
        "final-recipient",
        "status",
    }
)


def _as_detectors_see_it(message: Message) -> Message:
    """A short copy of what flufl.bounce 6.0.1 looks at: its patterns take long for long lines."""
    left = LONGEST_TOLD

    def copied(part: Message, depth: int) -> Message:
        nonlocal left
        made = Message()
        for name, value in part.raw_items():
            if name.lower() in _HEADERS_SEEN:
                made[name] = value
        inside = mime.inside_of(part)
        if isinstance(inside, list):
            children = [child for child in inside if isinstance(child, Message)] if depth < MOST_COPIED else []
            made.set_payload([copied(child, depth + 1) for child in children])
            return made
        is_text = part.get_content_maintype() in ("text", "multipart")
        text = str(inside)[: max(left, 0)] if is_text else ""
        left -= len(text)
        made.set_payload("\n".join(_cut(line) for line in text.split("\n")))
        return made

    return copied(message, 0)


MOST_COPIED = 20


def _cut(line: str) -> str:
    """The line, cut at the end of a word if it is too long."""
    return line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE].rpartition(" ")[0]


def _as_text(address: object) -> str:
    return address.decode("utf-8", "replace") if isinstance(address, bytes) else str(address)


def _with(known: list[str], *more: str) -> list[str]:
    """The known addresses and those of `more` that are valid."""
    found = dict.fromkeys(known)
    for address in more:
        if len(found) < MOST_ADDRESSES and (plain := _address(address)):
            found[plain] = None
    return list(found)


def _address(told: str) -> str:
    """The address in ``rfc822; <a@b.test>``; empty if it is not a valid one."""
    plain = _XTEXT.sub(_letter, told.rpartition(";")[2].strip().strip("<>\"' "))
    is_one = _ADDRESS.fullmatch(plain) or (not plain.isascii() and _ADDRESS_OF_THE_WORLD.fullmatch(plain))
    return plain if is_one and ".." not in plain else ""


_ADDRESS_OF_THE_WORLD = re.compile(
    r"[^\s@<>()\[\],;:\"\\]{1,64}@[^\s@<>()\[\],;:\"\\.]{1,63}(?:\.[^\s@<>()\[\],;:\"\\.]{1,63})+"
)
_XTEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
"""A character as RFC 6533 section 3 writes it where only ASCII is allowed."""


def _letter(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if 0x20 < number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else ""


def _fate(message: Message, told: set[str], text: str, failed: list[str], delayed: list[str]) -> Fate | None:
    if any(action.startswith("fail") for action in told):
        return Fate.FAILED
    if any(action.startswith("delay") for action in told):
        return Fate.DELAYED
    if told and all(action.startswith(_RECEIPTS) for action in told) and not failed:
        return Fate.DELIVERED
    if failed:
        return Fate.FAILED
    subject = headers.header(message, "subject")
    if delayed or (_DELAYS.search(f"{subject}\n{text[:3000]}") and not _FINAL.search(text[:3000])):
        return Fate.DELAYED
    is_report = message.get_content_type() == "multipart/report" and bool(_notes(message))
    name, address = parseaddr(headers.header(message, "from"))
    is_system = bool(_SENDERS.search(address)) or bool(_SENDER_NAMES.search(name))
    says_so = bool(_SUBJECTS.search(subject)) or bool(_SUBJECTS.search(text[:1500]))
    return Fate.FAILED if is_report or (is_system and says_so) else None


_SENTENCE = re.compile(
    r"(?:deliver|recipient|address|user|fail|undeliver|unknown|rejected|destinat|empf[äa]nger|адрес)[^\n]{0,80}\n?"
    r"(?:[ \t]*\n){0,3}[^\n@]{0,60}?<?(" + _ADDRESS.pattern + r")",
    re.IGNORECASE,
)


def _in_sentences(text: str) -> list[str]:
    """Addresses next to a word for a failure, above the returned part of the original message."""
    told = re.split(
        r"\n[^\n]{0,40}(?:original message|returned message|copy of|message headers|received: )",
        text[:6000],
        maxsplit=1,
        flags=re.IGNORECASE,
    )[0]
    return _with([], *(found for found in _SENTENCE.findall(told)))


def _why(fields: list[dict[str, str]], text: str) -> tuple[str, str]:
    status = next((one["status"].strip() for one in fields if one.get("status")), "")
    found = _STATUS.search(status) or _STATUS.search(text[:6000])
    diagnosis = next((one["diagnostic-code"] for one in fields if one.get("diagnostic-code")), "")
    return (found[1] if found else ""), diagnosis.partition(";")[2].strip()[:300] or diagnosis[:300]


def _original_ids(message: Message) -> list[str]:
    """The Message-IDs in the returned part of the original message, and those the report refers to."""
    found: list[str] = []
    for part in _walk(message):
        if part.get_content_type() in (
            "message/rfc822",
            "message/rfc822-headers",
            "text/rfc822-headers",
            "message/global",
            "message/global-headers",
        ):
            inside = mime.inside_of(part)
            original = inside[0] if isinstance(inside, list) and inside else None
            if not isinstance(original, Message):
                original = bounds.from_string(mime.content(part).decode("utf-8", "replace"))
            found += re.findall(r"<[^<>\s]{3,250}>", headers.header(original, "message-id"))
    for name in ("references", "in-reply-to"):
        found += re.findall(r"<[^<>\s]{3,250}>", headers.header(message, name))
    if not found:
        found += re.findall(r"^message-id:\s*(<[^<>\s]{3,250}>)", _whole_text(message), re.IGNORECASE | re.MULTILINE)
    return list(dict.fromkeys(found))[:20]


def _whole_text(message: Message) -> str:
    texts = [mime.content(part) for part in _walk(message) if part.get_content_maintype() == "text"]
    return b"\n".join(texts)[:100_000].decode("utf-8", "replace")
