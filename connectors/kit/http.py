"""HTTP requests to a vendor's system: status codes, timeouts and errors are handled only here.

A read can be repeated. A write whose response is lost raises Unclear. Statuses mean what RFC 9110 says
(https://www.rfc-editor.org/rfc/rfc9110) unless a connector explains them differently.
"""

from __future__ import annotations

import json
import mimetypes
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from hub.core.sentences import Sentence, sentence
from hub.egress import EgressDenied, Policy, open_session

from .errors import ConnectorError, Forbidden, LockedOut, Missing, Refused, TryLater, Unclear

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
TOTAL_SECONDS = 25.0
"""A request is given up after this time; only then is its outcome unclear."""
LARGEST_ANSWER = 64 * 1024 * 1024
LONGEST_WAIT = 3600.0
UNREACHABLE = sentence("The vendor's system cannot be reached.")
NO_RESPONSE = sentence("No response was received from the vendor's system.")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A successful response."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """The decoded JSON; None where there was none."""
    content: bytes
    next_page: str = ""
    """The URL of the next page from the Link header (RFC 8288, https://www.rfc-editor.org/rfc/rfc8288), or empty."""


Throttle = Callable[[str], AbstractContextManager[object]]
"""Holds a request at a path back until the vendor's limits allow it."""
Explain = Callable[[int, Any], ConnectorError | None]
"""The error that a status and a decoded body stand for; None for the usual meaning."""
File = tuple[str, bytes, str]
"""Name, content and media type of a file that is sent as part of a form."""
Judge = Callable[[Reply], ConnectorError | None]
"""The error that a whole response stands for, including its headers; a 2xx response can be an error too."""


class Http:
    """Requests to one vendor's system: base URL, headers, and the meaning of its errors."""

    def __init__(
        self,
        *,
        policy: Policy,
        base: str,
        headers: Mapping[str, str],
        explain: Explain | None = None,
        session: requests.Session | None = None,
        throttle: Throttle | None = None,
        seconds: float = TOTAL_SECONDS,
        is_kept: bool = False,
    ) -> None:
        """`is_kept` says that the session was used before: the vendor's system may have closed its connections.

        A write then opens a new connection, and a read that gets no answer is repeated over a new one.
        """
        self.is_kept = is_kept
        self.base = base.rstrip("/")
        self.host = urlsplit(base).netloc
        self.policy = policy
        self.explain = explain
        self.session = session or open_session(policy)
        self.headers = dict(headers)
        self.throttle = throttle or (lambda _path: nullcontext())
        self.seconds = seconds

    def get(self, path: str, **params: str) -> Any:
        """The decoded JSON response to a read."""
        return self.call("GET", path, params=params, is_write=False)

    def ask(self, path: str, body: Any) -> Any:
        """A read that is sent as a POST."""
        return self.call("POST", path, body=body, is_write=False)

    def write(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
        """A request that changes something in the vendor's system; Unclear where its outcome is unknown."""
        return self.call(method, path, body=body, is_write=True, headers=headers)

    def page(self, path: str, *, headers: Mapping[str, str] | None = None, **params: str) -> Reply:
        """A read whose headers matter, for example because they name the next page."""
        return self.exchange("GET", path, is_write=False, params=params, headers=headers)

    def download(self, path: str) -> bytes:
        """The content of a file of any type."""
        return self.exchange("GET", path, is_write=False, is_json=False).content

    def upload(self, path: str, fields: Mapping[str, str], file: tuple[str, bytes]) -> Any:
        """Upload a file as multipart/form-data, in the field `file`."""
        name, content = file
        return self.exchange("POST", path, is_write=True, form=(fields, (name, content, type_of(name)))).body

    def call(
        self,
        method: str,
        path: str,
        *,
        is_write: bool,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        return self.exchange(method, path, is_write=is_write, params=params, body=body, headers=headers).body

    def exchange(
        self,
        method: str,
        path: str,
        *,
        is_write: bool,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        form: tuple[Mapping[str, str], File] | None = None,
        file_field: str = "file",
        data: tuple[str, bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        is_json: bool = True,
        may_be_empty: bool = False,
        judge: Judge | None = None,
    ) -> Reply:
        """One request within the rate limits: the response, or the error that says what to do next."""
        url = path if "://" in path else f"{self.base}/{path.lstrip('/')}"
        if urlsplit(url)[:2] != urlsplit(self.base)[:2]:
            raise Refused(
                sentence(
                    "The vendor's system referred to a URL on another host. Credentials are sent only to its own host."
                )
            )
        kind = {} if form else {"Content-Type": data[0] if data else "application/json"}
        plain = data[1] if data else None if body is None else json.dumps(body)
        # Files are requested uncompressed: the length of a compressed one does not show whether it is complete.
        as_it_is = {} if is_json else {"Accept-Encoding": "identity"}
        what = {
            "params": dict(params or {}),
            "data": form[0] if form else plain,
            "files": {file_field: form[1]} if form else None,
            "headers": {**as_it_is, **self.headers, **kind, **(headers or {})},
        }
        if is_write and self.is_kept:  # a write must not fail because the connection was closed meanwhile
            self._open_anew()
        try:
            with self.throttle(path):
                answer, content = self._sent(method, url, is_write, **what)
        except _WasClosed:
            self._open_anew()
            with self.throttle(path):
                answer, content = self._sent(method, url, is_write, **what)
        return self._understood(answer, content, is_write, is_json, may_be_empty, judge)

    def _open_anew(self) -> None:
        """Close the connections that were kept; the next request opens a new one."""
        self.session.close()
        self.is_kept = False

    def _sent(self, method: str, url: str, is_write: bool, **what: Any) -> tuple[requests.Response, bytes]:
        deadline = time.monotonic() + self.seconds
        try:
            answer = self.session.request(
                method,
                url,
                timeout=(CONNECT_SECONDS, min(READ_SECONDS, self.seconds)),
                allow_redirects=False,
                stream=True,
                **what,
            )
            content = _read(answer, deadline)
            self.is_kept = False
            return answer, content
        except EgressDenied as error:
            raise Refused(str(error)) from error
        except (requests.ConnectTimeout, requests.exceptions.SSLError) as error:
            if self.is_kept and isinstance(error, requests.exceptions.SSLError):
                raise _WasClosed from error
            raise TryLater(UNREACHABLE) from error
        except requests.ConnectionError as error:
            if self.is_kept and _was_closed(error):
                raise _WasClosed from error
            raise _lost(error, is_write) from error
        except (requests.RequestException, ReadTimeoutError, ProtocolError, TimeoutError) as error:
            raise _unanswered(is_write) from error

    def _understood(
        self,
        answer: requests.Response,
        content: bytes,
        is_write: bool,
        is_json: bool,
        may_be_empty: bool,
        judge: Judge | None,
    ) -> Reply:
        status = answer.status_code
        # A response that was cut off within its headers looks empty, so only a 204 may be empty.
        is_plain = 200 <= status < 300 and not is_json
        is_empty = may_be_empty and not content and answer.headers.get("Content-Length", "0") == "0"
        decoded = None if status == 204 or is_plain or is_empty else _decoded(content)
        said = self.explain(status, decoded) if self.explain else None
        if said is None and judge is not None and (decoded is not _NOT_JSON or status >= 300):
            body = None if decoded is _NOT_JSON else decoded
            said = judge(_reply(answer, body, content))
        if said is not None:
            raise said
        if 200 <= status < 300:
            if decoded is _NOT_JSON:
                raise _unanswered(is_write, sentence("The response of the vendor's system is not JSON."))
            if is_plain and _is_cut_off(answer, content):
                raise _unanswered(is_write, sentence("The file was cut off during the download."))
            return _reply(answer, decoded, content)
        raise _meaning(status, answer.headers, is_write)


def _reply(answer: requests.Response, body: Any, content: bytes) -> Reply:
    return Reply(
        status=answer.status_code,
        headers=answer.headers,
        body=body,
        content=content,
        next_page=urljoin(answer.url or "", answer.links["next"]["url"]) if "next" in answer.links else "",
    )


def sized(count: float) -> str:
    """A number of bytes for people to read. MB are millions of bytes, as in the limits of these systems.

    >>> sized(1_024_000), sized(500_000), sized(999), sized(20 * 2**20)
    ('1.02 MB', '500 kB', '999 bytes', '21 MB')
    """
    for unit, size in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"


def type_of(name: str) -> str:
    """The media type that a file's name suggests.

    >>> type_of("a.png"), type_of("dump")
    ('image/png', 'application/octet-stream')
    """
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


_NOT_JSON = object()


def _is_cut_off(answer: requests.Response, content: bytes) -> bool:
    """Whether fewer bytes arrived than announced. Unknown for compressed content, which fails to unpack instead."""
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        return False
    return len(content) != int(answer.headers.get("Content-Length") or len(content))


def _read(answer: requests.Response, deadline: float) -> bytes:
    """The whole body, or TimeoutError: a body that arrives byte by byte must not block a worker."""
    chunks, size = [], 0
    for chunk in answer.iter_content(65536):
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_ANSWER or time.monotonic() > deadline:
            answer.close()
            raise TimeoutError("the answer was too long or too slow")
    return b"".join(chunks)


_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u(0000|[dD][89a-fA-F]..)|.)", re.DOTALL)
_ODD = re.compile(r"\\u(?:0000|[dD])")
"""A quick test for escapes that `_ESCAPE` has to replace."""
LONGEST_NUMBER = 300


def _decoded(content: bytes) -> Any:
    try:
        return decoded(content)
    except (ValueError, RecursionError):
        return _NOT_JSON


def decoded(content: bytes) -> Any:
    """Decoded JSON, with U+FFFD for what no database can store: NUL, lone surrogates, bytes of another encoding.

    A text in a wrong encoding or an oversized number is damaged alone and does not affect the rest.
    """
    told = content.decode(json.detect_encoding(content), "replace").removeprefix("\ufeff").replace("\0", "\ufffd")
    if _ODD.search(told) is not None:
        told = _ESCAPE.sub(lambda found: "\ufffd" if found[1] else found[0], told)
    try:
        return json.loads(told, strict=False)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(told, strict=False, parse_int=lambda text: int(text) if len(text) < LONGEST_NUMBER else text)


def _lost(error: requests.ConnectionError, is_write: bool) -> ConnectorError:
    """A connection refused before anything was sent had no effect; one that broke later may have had one."""
    reason = error.args[0] if error.args else None
    if isinstance(reason, ProtocolError):
        return _unanswered(is_write)
    return TryLater(UNREACHABLE)


class _WasClosed(Exception):
    """A kept connection had been closed by the vendor's system when it was used again."""


def _was_closed(error: requests.ConnectionError) -> bool:
    """Whether the connection was closed before anything of a response arrived."""
    reason = error.args[0] if error.args else None
    return isinstance(reason, ProtocolError) and isinstance(reason.args[-1], ConnectionError)


def _unanswered(is_write: bool, why: Sentence = NO_RESPONSE) -> ConnectorError:
    return Unclear(why) if is_write else TryLater(why)


def _meaning(status: int, headers: Mapping[str, str], is_write: bool) -> ConnectorError:
    if status == 401:
        return LockedOut(sentence("The vendor's system rejected our credentials."))
    if status == 403:
        return Forbidden(sentence("The vendor's system denied access: our user lacks the permission (403)."))
    if status == 404:
        return Missing(sentence("This record does not exist in the vendor's system."))
    if status == 429:
        return TryLater(
            sentence("The vendor's system received too many requests."), after=retry_after(headers, datetime.now(UTC))
        )
    if status in (408, 425) or status >= 500:
        if is_write:
            return Unclear(
                sentence(
                    "The vendor's system returned status %(status)s; the change may have taken effect.", status=status
                )
            )
        return TryLater(_returned(status), after=retry_after(headers, datetime.now(UTC)))
    if 300 <= status < 400:
        return Refused(sentence("The vendor's system returned a redirect. Redirects of API calls are not followed."))
    return Refused(_returned(status))


def _returned(status: int) -> Sentence:
    return sentence("The vendor's system returned status %(status)s.", status=status)


def retry_after(headers: Mapping[str, str], at: datetime) -> float | None:
    """Seconds to wait, from a number or an HTTP date, never less than 1 or more than an hour.

    >>> retry_after({"Retry-After": "120"}, datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    >>> retry_after({"Retry-After": "-5"}, datetime(2026, 1, 1, tzinfo=UTC))
    1.0
    >>> retry_after({"Retry-After": "Thu, 01 Jan 2026 00:02:00 GMT"}, datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    """
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - at).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 1.0), LONGEST_WAIT) if seconds == seconds else None
