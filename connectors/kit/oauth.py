"""OAuth 2 access tokens: requested once for all threads and kept until they expire.

Tokens are kept in this process only, under a digest of the credentials they were requested with. The grants are those
of RFC 6749, sections 4.4 and 6: https://www.rfc-editor.org/rfc/rfc6749
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hub.core.sentences import sentence

from .contract import Ports
from .errors import ConnectorError, LockedOut, Refused
from .http import Http, Reply

SHORTEST_LIFE = 1.0
_TOKENS: dict[str, tuple[float, str]] = {}
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Granted:
    """An access token, and for how many seconds it may be used."""

    token: str
    seconds: float


def key_of(parts: Iterable[str]) -> str:
    """A digest of what a token is requested with, so that other credentials have another key."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def access_token(key: str, request: Callable[[], Granted], ports: Ports, *, field: str) -> str:
    """The token kept under this key, or a new one; LockedOut at the setting `field` where none was granted."""
    with _ONE_AT_A_TIME:
        until, known = _TOKENS.get(key, (0.0, ""))
        if known and time.monotonic() < until:
            return known
        granted = request()
        if not granted.token:
            raise LockedOut(sentence("The answer to our request for a token contains no token."), field=field)
        ports.hide(granted.token)
        _TOKENS[key] = (time.monotonic() + max(granted.seconds, SHORTEST_LIFE), granted.token)
        return granted.token


def forget(key: str) -> None:
    """Forget the token of this key, for example because it was rejected."""
    with _ONE_AT_A_TIME:
        _TOKENS.pop(key, None)


def form_data(form: Mapping[str, str]) -> tuple[str, bytes]:
    """A form as the body of a token request, with its media type (RFC 6749, appendix B)."""
    return "application/x-www-form-urlencoded", urlencode(form).encode()


def answered(http: Http, method: str, path: str, *, refusal: str, field: str, **call: Any) -> Mapping[str, Any]:
    """The answer to a token request.

    LockedOut with the text `refusal`, at the setting `field`, where the server refuses; `call` is passed to
    `Http.exchange`.
    """

    def judge(reply: Reply) -> ConnectorError | None:
        return LockedOut(refusal, field=field) if reply.status in (400, 401, 403) else None

    answer = http.exchange(method, path, is_write=False, judge=judge, **call).body
    if not isinstance(answer, Mapping):
        raise Refused(sentence("The answer to our request for a token is not a JSON object."))
    return answer
