"""No secret reaches a log: one place, at the root of logging, for every library.

Whatever a process unseals or seals is made known here, and so are the installation's own keys. Every log record is
then rewritten as it is made, before any handler sees it: message, arguments and traceback. Addresses that are keys
themselves (guest pages, hooks without a signature, links for a new password) are recognised by their form.

Plain Python: it stands below everything that has secrets.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import traceback
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

HIDDEN = "[hidden]"
SHORTEST = 6
"""Anything shorter would hide ordinary words; no credential worth its name is that short."""
LONGEST_LINE = 100_000

_KEYS_IN_PATHS = (
    (re.compile(r"[0-9a-hjkmnp-tv-z]{26}\.[a-z2-7]{26}", re.IGNORECASE), HIDDEN),
    (re.compile(r"(/hooks/[0-9A-Za-z]{1,40}/)[0-9a-f]{32}"), rf"\1{HIDDEN}"),
    (re.compile(r"(/password/[^/\s]{1,40}/)[^/\s\"'>]+"), rf"\1{HIDDEN}"),
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_known: dict[str, None] = {}


def know(secrets: Iterable[str]) -> None:
    """From now on these never stand in a log of this process, however a library writes them."""
    for secret in secrets:
        if len(secret) >= SHORTEST and secret not in _known:
            for form in _forms(secret):
                _known[form] = None


def know_address(url: str) -> None:
    """The password of an address such as DATABASE_URL."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    know([password or "", unquote_plus(password or "")])


def redacted(text: str) -> str:
    """The text without any secret this process knows."""
    text = text[:LONGEST_LINE]
    for form in sorted((form for form in _known if form in text), key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    for pattern, instead in _KEYS_IN_PATHS:
        text = pattern.sub(instead, text)
    return _BASE64.sub(_packed, text)


def _packed(found: re.Match[str]) -> str:
    """A name and a password as HTTP has them (Basic): hidden where a known secret is in it."""
    packed = found[0].rstrip("=")
    try:
        plain = base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-8", "replace")
    except ValueError:
        return found[0]
    return HIDDEN if any(form in plain for form in _known) else found[0]


def install() -> None:
    """Rewrite every log record of this process; warnings of libraries become log records, too."""
    if isinstance(logging.getLogRecordFactory(), _Redacting):
        return
    logging.setLogRecordFactory(_Redacting(logging.getLogRecordFactory()))
    logging.captureWarnings(True)


class _Redacting:
    """Makes log records that hold no secret."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self.make(*args, **kwargs)
        said = _said(record)
        clean = redacted(said)
        if clean != said:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[0] is not None:
            told = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            clean = redacted(told)
            if clean != told:
                # As text only: whoever formats the exception again would write it as it was.
                record.exc_text, record.exc_info = clean, None
        return record


def _said(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a library's own mistake in a format is its handler's to tell
        return f"{record.msg} {record.args}"


def _forms(secret: str) -> Iterator[str]:
    """A secret as libraries write it: as it is, in an address, in JSON, as Python shows it, in base64."""
    yield secret
    for form in (
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode().rstrip("="),
    ):
        if form != secret:
            yield form
    for line in secret.splitlines()[1:-1]:  # of a key in PEM any line is enough
        if len(line) >= 40:
            yield line
