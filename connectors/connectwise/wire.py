"""ConnectWise's words: how it says no, writes times and conditions, signs callbacks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from connectors.kit.errors import BadSignature, ConnectorError, Forbidden, LockedOut, Refused, TryLater

Json = dict[str, Any]

DISCUSSION, INTERNAL, RESOLUTION = "discussion", "internal", "resolution"
FLAGS = {
    DISCUSSION: "detailDescriptionFlag",
    INTERNAL: "internalAnalysisFlag",
    RESOLUTION: "resolutionFlag",
}
"""Where a note is shown, and the flag that says so."""
_AGAIN_IN = re.compile(r"again in (\d+) second")


def explain(status: int, body: Any) -> ConnectorError | None:
    """What ConnectWise means by an answer; a 429 has a body of another shape than the rest."""
    said = _said(body)
    if status == 401:
        field = "client_id" if "clientid" in said.lower() else "private_key"
        what = "the client id" if field == "client_id" else "the company with this pair of keys"
        return LockedOut(f"ConnectWise does not accept {what}.", field=field)
    if status == 403:
        return Forbidden(f"ConnectWise refuses it to our API member. {said}".strip())
    if status == 409:
        return TryLater("ConnectWise says that somebody has the record open.", after=30)
    if status == 429:
        wait = _AGAIN_IN.search(said)
        return TryLater("ConnectWise is busy: too many requests.", after=float(wait[1])) if wait else None
    if 400 <= status < 500 and status not in (404, 408) and said:
        return Refused(f"ConnectWise says: {said}")
    return None


def _said(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    details = [e for e in body.get("errors") or () if isinstance(e, dict)]
    texts = [str(e.get("message") or e.get("code") or "") for e in details] or [str(body.get("message") or "")]
    return " ".join(text for text in texts if text)[:500]


def visibility_of(note: Mapping[str, Any]) -> str:
    """Where a note is shown: internal only if no flag shows it to the customer as well."""
    if note.get("detailDescriptionFlag"):
        return DISCUSSION
    return RESOLUTION if note.get("resolutionFlag") else INTERNAL


def signature(signing_key: str, body: bytes) -> str:
    """What x-content-signature says of a raw body: HMAC-SHA256 in base64, keyed with the hash of the key.

    >>> signature("key", b"{}")
    '2P5ugu8P+WJqFxImlwA/l6MOomxD1EiS06BC3IwNbbE='
    """
    key = hashlib.sha256(signing_key.encode()).digest()
    return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()


def check_signature(signing_key: str, headers: Mapping[str, str], body: bytes) -> None:
    """BadSignature unless the body was signed with this key."""
    sent = {name.lower(): value for name, value in headers.items()}.get("x-content-signature", "")
    if not signing_key or not hmac.compare_digest(
        sent.encode("utf-8", "replace"), signature(signing_key, body).encode()
    ):
        raise BadSignature("The callback is not signed by ConnectWise.")


def quoted(text: str) -> str:
    """A text in a condition; it cannot end the condition it stands in.

    >>> quoted('a "b"')
    '"a b"'
    """
    return '"' + text.replace('"', "").replace("\\", "") + '"'


def instant(at: datetime, *, is_naive: bool = False) -> str:
    """An instant in a condition: ``[2026-01-05T09:30:00Z]``; some servers misread the zone, so it can be left out."""
    return f"[{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}{'' if is_naive else 'Z'}]"


def moment(text: Any) -> datetime:
    """A time as they write it, aware, UTC."""
    if not isinstance(text, str):
        raise Refused("ConnectWise did not say when something was made or changed.")
    return _moment(text)


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text.replace(" ", ""))
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def text_of(value: Any) -> str:
    """A value as text: the id of a reference, nothing for nothing."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return "" if value is None else str(value)
