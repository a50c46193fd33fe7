"""The meaning of ConnectWise's errors."""

from __future__ import annotations

import re
from typing import Any

from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Refused, TryLater
from hub.core.sentences import sentence

_AGAIN_IN = re.compile(r"again in (\d+) second")


def explain(status: int, body: Any) -> ConnectorError | None:
    """The error that a response stands for; None if its status says enough.

    A body has `code`, `message` and a list `errors`; that of a 429 has only `error` and `message`, whose text can
    contain the time to wait. A 409 means that somebody has the record open; the request can be retried later.
    https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
    """
    words = _words(body)
    if status == 401:
        if "clientid" in words.lower():
            return LockedOut(sentence("ConnectWise rejected the client ID."), field="client_id")
        return LockedOut(sentence("ConnectWise rejected the company with this pair of keys."), field="private_key")
    if status == 403:
        if words:
            return Forbidden(sentence("ConnectWise denied access to the API member: %(reason)s", reason=words))
        return Forbidden(sentence("ConnectWise denied access to the API member."))
    if status == 409:
        return TryLater(sentence("Somebody has the record open in ConnectWise."), after=30)
    if status == 429:
        wait = _AGAIN_IN.search(words)
        return TryLater(sentence("ConnectWise received too many requests."), after=float(wait[1])) if wait else None
    if 400 <= status < 500 and status not in (404, 408) and words:
        return Refused(sentence("ConnectWise refused the request: %(reason)s", reason=words))
    return None


def explain_site(status: int, _body: Any) -> ConnectorError | None:
    """As `explain`, for the site itself, where no credentials are sent."""
    return not_connectwise() if 400 <= status < 500 else None


def not_connectwise() -> Refused:
    return Refused(sentence("This site does not respond like ConnectWise."), field="site")


def _words(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    details = [e for e in body.get("errors") or () if isinstance(e, dict)]
    texts = [str(e.get("message") or e.get("code") or "") for e in details] or [str(body.get("message") or "")]
    return " ".join(text for text in texts if text)[:500]
