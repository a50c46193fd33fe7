"""The ASGI application in front of the WSGI application: slow clients occupy no thread.

A request is a small coroutine until its whole body has arrived, within limits of size and time; only then a thread runs
the WSGI application. The path decides how large a body may be, and which gate may refuse it unread
(`settings.BODY_RULES`). The response is taken from the thread as it is made and sent from here, however slowly the
client reads. Whatever framing a body used (a length, chunks, HTTP/2 frames), the application gets its actual length.

Refusals from here are sent before Django's middleware runs, so this module activates the language itself: that of the
language cookie, or else of the Accept-Language header.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from io import BytesIO
from ipaddress import ip_address, ip_network
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from asgiref.wsgi import WsgiToAsgiInstance
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.db import DatabaseError, close_old_connections
from django.http import HttpRequest, HttpResponse, parse_cookie
from django.utils import translation
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from hub.polls import Polls
from hub.streamed import IN_MEMORY, Dropped, Streamed

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Wsgi = Callable[..., Iterable[bytes]]
T = TypeVar("T")
RateLimiter = Callable[[WSGIRequest], HttpResponse | None]
"""Returns a refusal for a request whose body was not read yet, or None to accept it."""

PIECE = 64 * 1024
"""Bytes of a response that are sent at once."""
SLOWEST = 20_000
"""The lowest rate in bytes per second at which a body has to arrive, after its first seconds."""
BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})


TOO_LARGE = _("The body is too large.")
TOO_SLOW = _("The body did not arrive in time.")
UNREADABLE = _("The headers are not valid.")
NO_DATABASE = _("The database is not available. Try again in a minute.")


class Direct(Protocol):
    """A module that answers requests of other systems itself."""

    def is_known(self, path: str, header_names: Iterable[str], /) -> bool:
        """Whether a POST to this path is for `stored`. Called in the event loop, so it asks nobody."""

    def stored(self, path: str, headers: Mapping[str, str], body: bytes, /) -> HttpResponse:
        """The answer, given in a thread."""


class Rule(NamedTuple):
    """Limits for bodies, by path."""

    path: re.Pattern[str]
    limit: int
    """Bytes."""
    gate: RateLimiter | None
    """Called before any of the body is read."""
    direct: Direct | None = None
    """Takes requests that it knows, without a gate and without Django's middleware."""


class _TooLarge(Exception):
    """The body exceeds its limit."""


class _Gone(Exception):
    """The client has disconnected: a response, or the rest of one, is pointless."""


class _Answer(NamedTuple):
    """A response, independent of how fast the client reads: complete, or as far as it is made (`Streamed`)."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: Any


class Front:
    """An ASGI application around the WSGI one.

    A body has to arrive within `body_seconds` plus one second for every `SLOWEST` bytes; the client has to read a
    response within `answer_seconds`.
    """

    def __init__(
        self, application: Wsgi, *, threads: int, body_seconds: float = 30.0, answer_seconds: float = 300.0
    ) -> None:
        self.application = application
        self.body_seconds, self.answer_seconds = body_seconds, answer_seconds
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self.polls = Polls(self._in_thread)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            answer = await self._answered(scope, receive)
            if answer is not None:
                await _written(receive, send, answer, self.answer_seconds)

    async def _answered(self, scope: Scope, receive: Receive) -> _Answer | None:
        """The response; None if the client has disconnected."""
        if scope["method"] == "GET" and await self.polls.is_current(scope["path"], scope["query_string"]):
            return _Answer(204, [], BytesIO())
        rule = next(rule for rule in _rules() if rule.path.match(scope["path"]))
        limit = PIECE if scope["method"] in BODILESS else rule.limit
        if _stated_length(scope) > limit:
            return _refusal(scope, 413, TOO_LARGE)
        direct = rule.direct if rule.direct and scope["method"] == "POST" else None
        headers = _headers(scope) if direct else {}
        if direct is not None and not direct.is_known(scope["path"], headers):
            direct = None
        if direct is None and rule.gate is not None and scope["method"] not in BODILESS:
            refused = await self._in_thread(_Once(self.application, scope, BytesIO()).asked, rule.gate)
            if refused is not None:
                return refused
        with SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            try:
                await _read(receive, body, limit, self.body_seconds)
            except _TooLarge:
                return _refusal(scope, 413, TOO_LARGE)
            except TimeoutError:
                return _refusal(scope, 408, TOO_SLOW)
            except _Gone:
                return None
            if direct is not None:
                body.seek(0)
                return await self._in_thread(_direct, direct, scope["path"], headers, body.read())
            return await self._run(_Once(self.application, scope, body))

    async def _run(self, once: _Once) -> _Answer:
        """The application's response; one that is made in parts as soon as it begins."""
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[_Answer] = loop.create_future()
        content = Streamed(loop)
        running = loop.run_in_executor(
            self.pool, once.run, content, lambda answer: loop.call_soon_threadsafe(begun.set_result, answer)
        )
        either: set[asyncio.Future[Any]] = {running, begun}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if begun.done():
            return begun.result()
        content.close()
        return running.result() or await begun

    async def _in_thread(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.pool, call, *args)


@cache
def _rules() -> tuple[Rule, ...]:
    return tuple(
        Rule(
            re.compile(path),
            limit,
            import_string(gate) if gate else None,
            cast(Direct, import_module(direct)) if direct else None,
        )
        for path, limit, gate, direct in settings.BODY_RULES
    )


def _direct(direct: Direct, path: str, headers: Mapping[str, str], body: bytes) -> _Answer:
    try:
        response = direct.stored(path, headers, body)
    except Exception:  # as in Django: an error of ours is logged, and the caller tries again
        log.exception("A call to %s failed", path)
        response = HttpResponse("The call could not be processed.", status=500)
    if settings.IS_BEHIND_TLS:
        response["Strict-Transport-Security"] = f"max-age={settings.HSTS_SECONDS}; includeSubDomains"
    return _answer(response)


def _answer(response: HttpResponse) -> _Answer:
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    return _Answer(response.status_code, headers, BytesIO(response.content))


def _headers(scope: Scope) -> dict[str, str]:
    """The headers by their names as Django writes them; those with underscores are left out, as in `_Once`."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        if b"_" not in raw:
            name = raw.decode("latin-1").title()
            text = value.decode("latin-1")
            found[name] = f"{found[name]},{text}" if name in found else text
    return found


class _Once(WsgiToAsgiInstance):
    """One request as WSGI, with its complete response."""

    def __init__(self, application: Wsgi, scope: Scope, body: Any) -> None:
        super().__init__(application)
        # In WSGI's environment “a_b” and “a-b” would be the same header, so headers with underscores are left out.
        headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
        self.scope, self.body = {**scope, "headers": headers}, body

    def asked(self, gate: RateLimiter) -> _Answer | None:
        """The gate's refusal; None if it accepts the request."""
        try:
            request = WSGIRequest(self._environ())
        except ValueError:
            return _refusal(self.scope, 400, UNREADABLE)
        try:
            with translation.override(_language(self.scope)):
                refused = gate(request)
        except DatabaseError:
            return _refusal(self.scope, 503, NO_DATABASE)
        finally:
            close_old_connections()
        if refused is None:
            return None
        return _answer(refused)

    def run(self, content: Streamed, begin: Callable[[_Answer], object]) -> _Answer | None:
        """The application's response; None if it is made in parts, and `begin` was called with the first one."""
        try:
            environ = self._environ()
        except ValueError:
            return _refusal(self.scope, 400, UNREADABLE)
        chunks = self.wsgi_application(environ, self.start_response)
        try:
            if getattr(chunks, "streaming", False):
                self._stream(chunks, content, begin)
                return None
            return self._begun(BytesIO(b"".join(chunks)))
        finally:
            if hasattr(chunks, "close"):
                chunks.close()

    def _stream(self, chunks: Iterable[bytes], content: Streamed, begin: Callable[[_Answer], object]) -> None:
        has_begun = False
        try:
            for chunk in chunks:
                content.write(chunk)
                if not has_begun:
                    begin(self._begun(content))
                has_begun = True
        except Dropped:
            return
        except Exception:
            if not has_begun:
                raise
            log.exception("A response could not be made to its end")
            content.end(has_failed=True)
            return
        content.end()
        if not has_begun:
            begin(self._begun(content))

    def _begun(self, content: Any) -> _Answer:
        start: dict[str, Any] = self.response_start
        return _Answer(start["status"], start["headers"], content)

    def _environ(self) -> dict[str, Any]:
        length = self.body.tell()
        self.body.seek(0)
        environ: dict[str, Any] = self.build_environ(self.scope, self.body)
        environ["CONTENT_LENGTH"] = str(length)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["REMOTE_ADDR"] = _client(environ)
        return environ


def _client(environ: dict[str, Any]) -> str:
    """The address of the client: as stated by the nearest of our proxies, if the request came through one."""
    peer = str(environ.get("REMOTE_ADDR") or "")
    hops = [hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    while hops and _is_proxy(peer):
        peer = hops.pop()
    try:
        return str(ip_address(peer))
    except ValueError:
        return str(environ.get("REMOTE_ADDR") or "")


def _is_proxy(address: str) -> bool:
    try:
        return any(ip_address(address) in ip_network(entry, strict=False) for entry in settings.PROXIES)
    except ValueError:
        return False


def _stated_length(scope: Scope) -> int:
    """The Content-Length; 0 if there is none, as with chunks, or if it is not a number."""
    found = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(found[:18]) if found.isdigit() else 0


async def _read(receive: Receive, body: Any, limit: int, seconds: float) -> None:
    """Read the whole body, whatever its framing. Raises _TooLarge, _Gone, or TimeoutError if it is too slow."""
    loop = asyncio.get_running_loop()
    began, size, is_more = loop.time(), 0, True
    while is_more:
        async with asyncio.timeout_at(began + seconds + size / SLOWEST):
            message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise _TooLarge
        body.write(piece)
        is_more = message.get("more_body", False)


async def _written(receive: Receive, send: Send, answer: _Answer, seconds: float) -> None:
    """Send the response as fast as the client reads it; after `seconds` the rest is dropped.

    Of a response that is still being made, each piece has this time.
    """
    content = answer.content
    try:
        async with asyncio.timeout(seconds) as limit:
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            if isinstance(content, Streamed):
                await _sent_in_parts(receive, send, content, limit, seconds)
            else:
                while piece := content.read(PIECE):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
    except (TimeoutError, _Gone):
        pass
    finally:
        content.close()


async def _sent_in_parts(
    receive: Receive, send: Send, content: Streamed, limit: asyncio.Timeout, seconds: float
) -> None:
    """Send each piece as soon as it is made. Raises _Gone if the client disconnects: sending would not tell."""
    now, gone = asyncio.get_running_loop().time, asyncio.ensure_future(_disconnected(receive))
    try:
        while True:
            limit.reschedule(None)  # the client does not wait longer than we do
            made = asyncio.ensure_future(content.read(PIECE))
            await asyncio.wait({made, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                made.cancel()
                raise _Gone
            limit.reschedule(now() + seconds)
            piece = made.result()
            if not piece:
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        gone.cancel()


async def _disconnected(receive: Receive) -> None:
    """Returns when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _refusal(scope: Scope, status: int, text: Promise) -> _Answer:
    """A plain text response in the language of the request."""
    with translation.override(_language(scope)):
        content = BytesIO(str(text).encode())
    return _Answer(status, [(b"content-type", b"text/plain; charset=utf-8")], content)


def _language(scope: Scope) -> str:
    """The language of the request's cookie or Accept-Language header, or else the default."""
    request = HttpRequest()
    for name, value in scope["headers"]:
        if name in (b"cookie", b"accept-language"):
            request.META[f"HTTP_{name.decode().replace('-', '_').upper()}"] = value.decode("latin-1")
    request.COOKIES = parse_cookie(request.META.get("HTTP_COOKIE", ""))
    return translation.get_language_from_request(request)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
