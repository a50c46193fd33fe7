"""A vendor of one's own for each style: a few lines of answers, and a profile that speaks to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.kit.contract import Connector
from connectors.kit.simulating import Answer, Request, _read
from connectors.kit.wiring import wired
from connectors.rest.connector import Rest

BASE = """
slug = "desk"
name = "Desk"

[[settings]]
name = "address"
label = "Address"
default = "https://desk.test"

[[settings]]
name = "key"
label = "Key"
secret = true
default = "s3cret"

[connect]
base = "{settings.address}"
wrong = "key"
%(connect)s

%(top)s

[operations.list]
path = "/tickets"
query = { since = "{since}" }
items = "answer.items"
%(list)s

[operations.get]
path = "/tickets/{key}"

[operations.create]
method = "POST"
path = "/tickets"
body = { title = "{fields.title}", ref = "{change.reference}" }
item = "answer"
%(create)s

[operations.update]
method = "PATCH"
path = "/tickets/{key}"
body = { title = "{fields.title}", ref = "{change.reference == '' ? null : change.reference}" }
%(update)s

%(operations)s

[ticket]
key = "item.id"
created_at = "item.made"
changed_at = "item.changed"
reference = "item.ref"
%(ticket)s

[ticket.fields]
title = "item.title"
%(fields)s

%(rest)s

[lacks]
who = "it does not say"
notes = "not looked at here"
files = "not looked at here"
find = "not looked at here"
hooks = "not looked at here"
"""
PARTS = ("connect", "top", "list", "create", "update", "operations", "ticket", "fields", "rest")
START = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)


def document(**parts: str) -> str:
    text = BASE % (dict.fromkeys(PARTS, "") | {k: v for k, v in parts.items() if k in PARTS})
    if "lacks" in parts:
        text = text[: text.index("[lacks]")] + "[lacks]\n" + parts["lacks"]
    return text


def ticket(number: int, *, changed: datetime = START, **more: Any) -> dict[str, Any]:
    at = changed.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": number, "title": f"No {number}", "made": at, "changed": at, "ref": "", **more}


class Vendor:
    """A WSGI application: every call is kept, and `answer` says what comes back."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.answer, self.calls = answer, list[Request]()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        request = _read(environ)
        self.calls.append(request)
        answer = self.answer(request)
        content = answer.content()
        headers = [("Content-Type", answer.kind), ("Content-Length", str(len(content))), *answer.headers]
        start_response(f"{answer.status} x", headers)
        return [content]


class Clock:
    def __init__(self) -> None:
        self.at = START + timedelta(hours=1)

    def __call__(self) -> datetime:
        return self.at


def connector(text: str, vendor: Vendor, *, clock: Clock | None = None, **values: str) -> Connector:
    return wired(Rest.of_profile(text), values, vendor, now=clock or Clock())


def body(request: Request) -> Any:
    return json.loads(request.body)
