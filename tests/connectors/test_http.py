"""The kit's HTTP: what every status and every broken line means for what to do next."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from connectors.kit import http as kit
from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Missing, Refused, TryLater, Unclear
from connectors.kit.http import Http
from hub.egress import Policy

BASE = "https://vendor.test"


@pytest.fixture
def http() -> Http:
    return Http(policy=Policy(), base=BASE, headers={"Secret": "canary-secret"}, session=requests.Session())


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (400, Refused, Refused),
        (401, LockedOut, LockedOut),
        (403, Forbidden, Forbidden),
        (404, Missing, Missing),
        (405, Refused, Refused),
        (408, TryLater, Unclear),
        (409, Refused, Refused),
        (422, Refused, Refused),
        (425, TryLater, Unclear),
        (429, TryLater, TryLater),
        (500, TryLater, Unclear),
        (502, TryLater, Unclear),
        (503, TryLater, Unclear),
        (504, TryLater, Unclear),
        (301, Refused, Refused),
        (307, Refused, Refused),
    ],
)
@responses.activate
def test_every_status_is_named_by_what_to_do_next(
    http: Http, status: int, read: type[ConnectorError], write: type[ConnectorError]
) -> None:
    for method in ("GET", "POST"):
        responses.add(method, f"{BASE}/x", status=status, body="canary-body", headers={"Location": "http://10.0.0.1/"})

    with pytest.raises(ConnectorError) as reading:
        http.get("x")
    with pytest.raises(ConnectorError) as writing:
        http.write("POST", "x", {"a": 1})

    assert (type(reading.value), type(writing.value)) == (read, write)
    assert "canary" not in f"{reading.value}{writing.value}"
    assert len(responses.calls) == 2


@pytest.mark.parametrize(
    ("header", "after"),
    [("7", 7.0), ("-1", 1.0), ("1000000000", 3600.0), ("soon", None), ("nan", None), (None, None)],
)
@responses.activate
def test_a_busy_vendor_is_left_alone_as_long_as_it_says(http: Http, header: str | None, after: float | None) -> None:
    responses.get(f"{BASE}/x", status=429, headers={"Retry-After": header} if header else {})

    with pytest.raises(TryLater) as busy:
        http.get("x")

    assert busy.value.after == after


@pytest.mark.parametrize(
    ("fault", "read", "write"),
    [
        (requests.ConnectTimeout("x"), TryLater, TryLater),
        (requests.exceptions.SSLError("x"), TryLater, TryLater),
        (requests.ReadTimeout("x"), TryLater, Unclear),
        (requests.exceptions.ChunkedEncodingError("x"), TryLater, Unclear),
    ],
)
@responses.activate
def test_a_broken_line_is_unclear_only_where_it_may_have_taken_effect(
    http: Http, fault: Exception, read: type[ConnectorError], write: type[ConnectorError]
) -> None:
    responses.get(f"{BASE}/x", body=fault)
    responses.post(f"{BASE}/x", body=fault)

    with pytest.raises(read):
        http.get("x")
    with pytest.raises(write):
        http.write("POST", "x", {})


@pytest.mark.parametrize("body", ["<html>log in</html>", '{"items": [', "[" * 100_000])
@responses.activate
def test_an_answer_that_is_not_json_is_no_answer(http: Http, body: str) -> None:
    responses.get(f"{BASE}/x", body=body)
    responses.post(f"{BASE}/x", body=body)

    with pytest.raises(TryLater):
        http.get("x")
    with pytest.raises(Unclear):
        http.write("POST", "x", {})


def test_another_host_is_never_called(http: Http) -> None:
    with pytest.raises(Refused, match="another host"):
        http.get("https://evil.test/x")


@pytest.fixture
def line() -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers with whatever bytes it is given, then hangs up."""
    answers: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.recv(65536)
                # Said, too: a client that kept the line for its next request would race the hanging up.
                client.sendall(answers[0].replace(b"\r\n", b"\r\nConnection: close\r\n", 1))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}", answers
    # Closing alone does not wake a waiting accept everywhere.
    socket.create_connection(server.getsockname()).close()
    server.close()
    thread.join(2)


def test_an_answer_cut_at_every_byte_is_never_half_applied(line: tuple[str, list[bytes]]) -> None:
    base, answers = line
    whole = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"itemId": 7001}'
    http = Http(policy=Policy.of(["127.0.0.1"]), base=base, headers={})
    outcomes = set()
    for cut in range(len(whole)):
        answers[:] = [whole[:cut]]
        with pytest.raises(ConnectorError) as lost:
            http.write("POST", "x", {})
        outcomes.add(type(lost.value))
    answers[:] = [whole]

    assert outcomes == {Unclear}
    assert http.write("POST", "x", {}) == {"itemId": 7001}


def test_a_file_that_was_compressed_on_the_way_is_whole_or_not_there(line: tuple[str, list[bytes]]) -> None:
    base, answers = line
    content = b"trace " * 4000
    packed = gzip.compress(content)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    http = Http(policy=Policy.of(["127.0.0.1"]), base=base, headers={})

    answers[:] = [head + packed]
    assert http.exchange("GET", "file", is_write=False, is_json=False).content == content
    for cut in range(0, len(packed), 7):
        answers[:] = [head + packed[:cut]]
        with pytest.raises(TryLater):
            http.exchange("GET", "file", is_write=False, is_json=False)


def test_a_file_is_asked_for_as_it_is(line: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    base, answers = line
    http = Http(policy=Policy.of(["127.0.0.1"]), base=base, headers={})
    asked: list[str | None] = []
    real = http.session.send

    def send(request: Any, **more: Any) -> Any:
        asked.append(request.headers.get("Accept-Encoding"))
        return real(request, **more)

    monkeypatch.setattr(http.session, "send", send)
    answers[:] = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    http.exchange("GET", "file", is_write=False, is_json=False)
    http.get("x")

    assert asked[0] == "identity"
    assert "gzip" in (asked[1] or "")


def test_a_drip_of_bytes_does_not_hold_a_worker_for_ever(
    line: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, answers = line
    answers[:] = [b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000]
    monkeypatch.setattr(kit, "TOTAL_SECONDS", -1.0)

    with pytest.raises(TryLater):
        Http(policy=Policy.of(["127.0.0.1"]), base=base, headers={}).get("x")
