"""Open pages that ask for news, answered in the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.db import DatabaseError

from hub import polls
from hub.polls import Polls
from tests.fronted import fronted, seen


class Asked:
    """Knows the cursor, and counts how often it was read."""

    def __init__(self, cursor: str = "7") -> None:
        self.cursor, self.reads = cursor, 0
        self.may_read = threading.Event()
        self.may_read.set()

    def cursor_of(self, query: bytes) -> str | None:
        return query.decode() or None

    def newest(self) -> str:
        self.reads += 1
        assert self.may_read.wait(10)
        if not self.cursor:
            raise DatabaseError("gone")
        return self.cursor


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()
    monkeypatch.setattr(polls, "_polled", lambda: made)
    return made


def answered(ask: Callable[[Polls], Awaitable[list[bool]]]) -> list[bool]:
    async def run() -> list[bool]:
        return await ask(Polls(asyncio.to_thread))

    return asyncio.run(run())


def test_many_pages_that_ask_at_once_share_one_read(asked: Asked) -> None:
    async def ask(made: Polls) -> list[bool]:
        asked.may_read.clear()
        waiting = [asyncio.ensure_future(made.is_current("/live/", cursor)) for cursor in [b"7"] * 50 + [b"6"]]
        await asyncio.sleep(0)
        asked.may_read.set()
        return await asyncio.gather(*waiting)

    assert answered(ask) == [True] * 50 + [False]
    assert asked.reads == 1


@pytest.mark.parametrize(("cursor", "status"), [(b"7", 204), (b"6", 200)])
def test_the_application_answers_only_if_there_is_news(asked: Asked, cursor: bytes, status: int) -> None:
    ran: dict[str, Any] = {}
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(fronted(seen(ran), send, path="/live/", query=cursor))
    assert sent[0]["status"] == status
    assert bool(ran) is (status == 200)


def test_a_read_is_kept_for_a_moment_only(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(made: Polls) -> list[bool]:
        before = await made.is_current("/live/", b"7")
        asked.cursor = "8"
        kept = await made.is_current("/live/", b"7")
        monkeypatch.setattr(polls, "KEPT_SECONDS", 0.0)
        return [before, kept, await made.is_current("/live/", b"7"), await made.is_current("/live/", b"8")]

    assert answered(ask) == [True, True, False, True]


def test_without_a_pass_nothing_is_read(asked: Asked) -> None:
    async def ask(made: Polls) -> list[bool]:
        return [await made.is_current("/live/", b""), await made.is_current("/tickets/", b"7")]

    assert answered(ask) == [False, False]
    assert asked.reads == 0


def test_a_database_that_is_gone_leaves_the_answer_to_the_usual_way_and_is_asked_again(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polls, "KEPT_SECONDS", 0.0)

    async def ask(made: Polls) -> list[bool]:
        asked.cursor = ""
        gone = await made.is_current("/live/", b"7")
        asked.cursor = "7"
        return [gone, await made.is_current("/live/", b"7")]

    assert answered(ask) == [False, True]


def test_a_page_that_is_closed_does_not_end_the_read_of_the_others(asked: Asked) -> None:
    async def ask(made: Polls) -> list[bool]:
        asked.may_read.clear()
        closed, other = (asyncio.ensure_future(made.is_current("/live/", b"7")) for _ in range(2))
        await asyncio.sleep(0)
        closed.cancel()
        asked.may_read.set()
        return [await other]

    assert answered(ask) == [True]
    assert asked.reads == 1
