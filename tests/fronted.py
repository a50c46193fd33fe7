"""Requests through `hub.front` without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from hub.front import Front


def alone(application: Callable[..., Iterable[bytes]], messages: list[Any], **more: Any) -> list[dict[str, Any]]:
    """What the front sends for these messages; after the last one the client is silent."""
    sent: list[dict[str, Any]] = []
    queue = list(messages)

    async def receive() -> Any:
        if not queue:
            await asyncio.Event().wait()
        return queue.pop(0)

    async def send(message: dict[str, Any]) -> None:
        if more.get("never_reads"):
            await asyncio.Event().wait()
        sent.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in more.get("headers", {}).items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/log-in/",
        "query_string": b"",
        "http_version": "1.1",
        "headers": headers,
        "client": (more.get("client", "203.0.113.5"), 1),
    }
    front = Front(application, threads=1, body_seconds=0.05, answer_seconds=0.05)
    asyncio.run(front(scope, receive, send))
    return sent


def seen(wanted: dict[str, Any]) -> Callable[..., Iterable[bytes]]:
    """An application that remembers what it was given."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        wanted.update(environ, body=environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"fine"]

    return application


async def fronted(
    application: Callable[..., Iterable[bytes]],
    send: Any,
    *,
    path: str = "/x/",
    query: bytes = b"",
    gone: asyncio.Event | None = None,
) -> None:
    """One request through a front. After `gone` is set, the client has disconnected."""
    messages = [{"type": "http.request", "body": b""}]

    async def receive() -> Any:
        if not messages:
            await (gone or asyncio.Event()).wait()
            return {"type": "http.disconnect"}
        return messages.pop()

    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "http_version": "1.1", "headers": []}
    await Front(application, threads=1)({**scope, "client": ("203.0.113.5", 1)}, receive, send)
