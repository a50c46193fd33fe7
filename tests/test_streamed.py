"""Responses that are sent while they are still being made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from hub.streamed import Unfinished
from tests.fronted import alone, fronted


class Parts:
    """A response that Django would stream."""

    streaming = True

    def __init__(self, parts: Iterable[bytes]) -> None:
        self.parts, self.is_closed = iter(parts), threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self.parts

    def close(self) -> None:
        self.is_closed.set()


def streaming(parts: Parts) -> Callable[..., Iterable[bytes]]:
    def application(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/csv")])
        return parts

    return application


def test_the_first_part_is_sent_while_the_second_is_being_made() -> None:
    sent: list[bytes] = []
    first_is_sent = threading.Event()

    def made() -> Iterator[bytes]:
        yield b"first"
        assert first_is_sent.wait(10)
        yield b"second"

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("body", b""))
        if sent[-1] == b"first":
            first_is_sent.set()

    asyncio.run(fronted(streaming(Parts(made())), send))
    assert sent == [b"", b"first", b"second", b""]


def test_a_large_response_in_parts_arrives_whole_and_in_order() -> None:
    parts = [bytes([number]) * 70_000 for number in range(40)]
    sent = alone(streaming(Parts(parts)), [{"type": "http.request", "body": b""}])
    assert b"".join(message["body"] for message in sent[1:]) == b"".join(parts)
    assert [message.get("more_body", False) for message in sent[-2:]] == [True, False]


def test_a_response_without_parts_is_empty_and_complete() -> None:
    sent = alone(streaming(Parts([])), [{"type": "http.request", "body": b""}])
    assert (sent[0]["status"], sent[1:]) == (200, [{"type": "http.response.body", "body": b""}])


def test_a_response_that_breaks_off_is_not_complete() -> None:
    def made() -> Iterator[bytes]:
        yield b"first"
        raise RuntimeError("no more")

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    parts = Parts(made())
    with pytest.raises(Unfinished):
        asyncio.run(fronted(streaming(parts), send))
    assert sent[-1] == {"type": "http.response.body", "body": b"first", "more_body": True}
    assert parts.is_closed.wait(10)


def test_a_response_that_fails_before_its_first_part_is_not_begun() -> None:
    def made() -> Iterator[bytes]:
        raise RuntimeError("nothing")
        yield b""

    with pytest.raises(RuntimeError, match="nothing"):
        alone(streaming(Parts(made())), [{"type": "http.request", "body": b""}])


def test_nothing_more_is_made_for_a_client_that_has_disconnected() -> None:
    many = Parts(b"x" * 1000 for _ in iter(int, 1))  # without an end

    async def cancelled() -> None:
        gone, sent = asyncio.Event(), []

        async def send(message: dict[str, Any]) -> None:  # a server takes what is sent to somebody who has gone
            sent.append(message)
            if len(sent) > 10:
                gone.set()

        await fronted(streaming(many), send, gone=gone)

    asyncio.run(asyncio.wait_for(cancelled(), 10))
    assert many.is_closed.wait(10)


def test_nothing_more_is_made_for_a_client_that_reads_no_further() -> None:
    many = Parts(b"x" * 1000 for _ in iter(int, 1))  # without an end
    assert alone(streaming(many), [{"type": "http.request", "body": b""}], never_reads=True) == []
    assert many.is_closed.wait(10)
