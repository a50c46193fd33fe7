"""Keeps secrets out of the logs of all libraries, at the root of logging.

Secrets that a process seals or unseals are registered here, as are the installation's own keys. Every log record is
then redacted when it is created, before any handler sees it: message, arguments and traceback. URLs that grant access
themselves (guest links, hooks without a signature, links for a new password) are recognised by their form.

Plain Python, because every module that handles secrets imports it.
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
"""Shorter secrets are not redacted, because that would hide ordinary words. No usable credential is that short."""
LONGEST_LINE = 100_000

_KEYS_IN_PATHS = (
    (re.compile(r"[0-9a-hjkmnp-tv-z]{26}\.[a-z2-7]{26}", re.IGNORECASE), HIDDEN),
    (re.compile(r"(/hooks/[0-9A-Za-z]{1,40}/)[0-9a-f]{32}"), rf"\1{HIDDEN}"),
    (re.compile(r"(/password/[^/\s]{1,40}/)[^/\s\"'>]+"), rf"\1{HIDDEN}"),
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_known: dict[str, None] = {}


def know(secrets: Iterable[str]) -> None:
    """Register secrets: from now on this process redacts them in its logs, in every form libraries write them."""
    for secret in secrets:
        if len(secret) >= SHORTEST and secret not in _known:
            for form in _forms(secret):
                _known[form] = None


def know_address(url: str) -> None:
    """Register the password of a URL such as DATABASE_URL."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    know([password or "", unquote_plus(password or "")])


def redacted(text: str) -> str:
    """The text with every registered secret replaced."""
    text = text[:LONGEST_LINE]
    for form in sorted((form for form in _known if form in text), key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    for pattern, instead in _KEYS_IN_PATHS:
        text = pattern.sub(instead, text)
    return _BASE64.sub(_packed, text)


def _packed(found: re.Match[str]) -> str:
    """A base64 text such as HTTP Basic credentials: hidden if it contains a registered secret."""
    packed = found[0].rstrip("=")
    try:
        plain = base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-8", "replace")
    except ValueError:
        return found[0]
    return HIDDEN if any(form in plain for form in _known) else found[0]


def install() -> None:
    """Redact every log record of this process; Python warnings are logged and redacted, too."""
    if isinstance(logging.getLogRecordFactory(), _Redacting):
        return
    logging.setLogRecordFactory(_Redacting(logging.getLogRecordFactory()))
    logging.captureWarnings(True)


class _Redacting:
    """A log record factory that redacts secrets."""

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
                # Text only: a handler that formats the exception again would write the secret.
                record.exc_text, record.exc_info = clean, None
        return record


def _said(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a faulty format string of a library; the handler reports it
        return f"{record.msg} {record.args}"


def _forms(secret: str) -> Iterator[str]:
    """The forms in which libraries write a secret: plain, URL-encoded, in JSON, as a Python literal, in base64."""
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
    for line in secret.splitlines()[1:-1]:  # any single line of a PEM key counts as the secret
        if len(line) >= 40:
            yield line
