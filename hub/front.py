"""In front of the application: bodies and answers of slow clients wait here, and hold no thread.

Every request is one small coroutine until its body has arrived whole, within a size and a time; only then a thread runs
the WSGI application with it. Where it goes says how large a body may be and who is asked before any of it is read
(`settings.BODY_RULES`). What the thread answers is taken from it at once and written from here, however slowly the
client reads. Whatever framing a body came in (a length, chunks, HTTP/2 frames), the application sees it with its true
length.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from io import BytesIO
from ipaddress import ip_address, ip_network
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple, TypeVar

from asgiref.wsgi import WsgiToAsgiInstance
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.db import DatabaseError, close_old_connections
from django.http import HttpResponse
from django.utils.module_loading import import_string

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Wsgi = Callable[..., Iterable[bytes]]
T = TypeVar("T")
RateLimiter = Callable[[WSGIRequest], HttpResponse | None]
"""Says no to a request whose body was not read yet; None lets it in."""

IN_MEMORY = 64 * 1024
"""What is larger waits in a temporary file."""
PIECE = 64 * 1024
SLOWEST = 20_000
"""Bytes a second in which a body has to come at the least, once its first seconds are over."""
BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})


class Rule(NamedTuple):
    """What a body may be, by where it goes."""

    path: re.Pattern[str]
    limit: int
    """Bytes."""
    gate: RateLimiter | None
    """Asked before anything of it is read."""


class _TooLarge(Exception):
    """More came than may."""


class _Gone(Exception):
    """The client left before its body was whole: there is nobody to answer."""


class _Answer(NamedTuple):
    """What the application answered, apart from whoever reads it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: Any


class Front:
    """An ASGI application around the WSGI one.

    A body has `body_seconds` to arrive, and a second more for every `SLOWEST` bytes of it; an answer has
    `answer_seconds` to be read.
    """

    def __init__(
        self, application: Wsgi, *, threads: int, body_seconds: float = 30.0, answer_seconds: float = 300.0
    ) -> None:
        self.application = application
        self.body_seconds, self.answer_seconds = body_seconds, answer_seconds
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            answer = await self._answered(scope, receive)
            if answer is not None:
                await _written(send, answer, self.answer_seconds)

    async def _answered(self, scope: Scope, receive: Receive) -> _Answer | None:
        """The answer; None where the client has gone."""
        rule = next(rule for rule in _rules() if rule.path.match(scope["path"]))
        limit = PIECE if scope["method"] in BODILESS else rule.limit
        if _stated_length(scope) > limit:
            return _plain(413, "The body is too large.")
        if rule.gate is not None and scope["method"] not in BODILESS:
            refused = await self._in_thread(_Once(self.application, scope, BytesIO()).asked, rule.gate)
            if refused is not None:
                return refused
        with SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            try:
                await _read(receive, body, limit, self.body_seconds)
            except _TooLarge:
                return _plain(413, "The body is too large.")
            except TimeoutError:
                return _plain(408, "The body did not arrive in time.")
            except _Gone:
                return None
            return await self._in_thread(_Once(self.application, scope, body).run)

    async def _in_thread(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.pool, call, *args)


@cache
def _rules() -> tuple[Rule, ...]:
    return tuple(
        Rule(re.compile(path), limit, import_string(gate) if gate else None)
        for path, limit, gate in settings.BODY_RULES
    )


class _Once(WsgiToAsgiInstance):
    """One request as WSGI, its answer taken whole."""

    def __init__(self, application: Wsgi, scope: Scope, body: Any) -> None:
        super().__init__(application)
        # Two spellings of one header would be one in WSGI's environment, so the odd one is left out.
        headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
        self.scope, self.body = {**scope, "headers": headers}, body

    def asked(self, gate: RateLimiter) -> _Answer | None:
        """The gate's no; None where it lets the request in."""
        try:
            request = WSGIRequest(self._environ())
        except ValueError:
            return _plain(400, "These headers cannot be read.")
        try:
            refused = gate(request)
        except DatabaseError:
            return _plain(503, "The hub cannot look into its database now; try again in a minute.")
        finally:
            close_old_connections()
        if refused is None:
            return None
        headers = [(name.lower().encode(), value.encode()) for name, value in refused.items()]
        return _Answer(refused.status_code, headers, BytesIO(refused.content))

    def run(self) -> _Answer:
        """The application's answer."""
        try:
            environ = self._environ()
        except ValueError:
            return _plain(400, "These headers cannot be read.")
        content = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  closed when it is written
        try:
            chunks = self.wsgi_application(environ, self.start_response)
            try:
                for chunk in chunks:
                    content.write(chunk)
            finally:
                if hasattr(chunks, "close"):
                    chunks.close()
        except BaseException:
            content.close()
            raise
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
    """Whose request it is: what the nearest of our own proxies says, where it came through one."""
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
    """The Content-Length; 0 where there is none, as with chunks, or none that can be read."""
    found = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(found[:18]) if found.isdigit() else 0


async def _read(receive: Receive, body: Any, limit: int, seconds: float) -> None:
    """The body to its end, whatever its framing. Raises what is wrong with it, TimeoutError where it is too slow."""
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


async def _written(send: Send, answer: _Answer, seconds: float) -> None:
    """The answer, as quickly as the client takes it; whoever has not read it in time does not want it."""
    content = answer.content
    try:
        content.seek(0)
        async with asyncio.timeout(seconds):
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            while piece := content.read(PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        pass
    finally:
        content.close()


def _plain(status: int, text: str) -> _Answer:
    return _Answer(status, [(b"content-type", b"text/plain; charset=utf-8")], BytesIO(text.encode()))


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
