"""In front of the application, for real: slow clients, lying ones, and every framing a body can come in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.utils.translation import gettext, gettext_lazy

from console.processes import wait_for, web_command
from hub.front import Rule
from tests.conftest import need
from tests.fronted import alone, seen

ROOT = Path(__file__).resolve().parents[1]
SLOW = 200

STAGE = """
import django; django.setup()
from connectors.engine import vault
from connectors.models import Connection
from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from tests import factories
from workflows.handoffs import engagements, guest_links
us = factories.UsFactory()
user = factories.member("manager", us, email="mona@northwind.test")
user.set_password("a-long-good-password"); user.save()
vendor = factories.OrganisationFactory(name="Deskside")
made = Connection.objects.create(name="Deskside", organisation=vendor, connector="autotask", state="active",
    settings={"user_name": "hub@deskside.test"})
vault.seal(made, {"secret": "a-secret", "hook_secret": "hook-secret"}); made.save()
agent = Actor.person(user, us)
other = factories.OrganisationFactory()
ticket = tickets.open_ticket(title="Slow", actor=agent, at=now())
leg = engagements.offer(ticket=ticket, organisation=other, actor=agent, at=now())
print(made.public_id, guest_links.token(guest_links.open_for(leg, at=now())))
"""
STORED = """
import django; django.setup()
import json
from connectors.models import Inbound
from hub.models import Attachment
print(json.dumps([[bytes(r.body).decode() for r in Inbound.objects.order_by("pk")],
                  [[a.name, a.size] for a in Attachment.objects.order_by("pk")]]))
"""


@dataclass
class Served:
    """The hub, served as `up` serves it."""

    port: int
    hook: str
    guest_link: str
    env: dict[str, str]

    def stored(self) -> tuple[list[str], list[list[Any]]]:
        """Bodies of hooks and files, as they are kept."""
        done = subprocess.run(
            [sys.executable, "-c", STORED], cwd=ROOT, env=self.env, check=True, capture_output=True, text=True
        )
        hooks, files = json.loads(done.stdout)
        return hooks, files

    def connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def said(self, *pieces: bytes) -> bytes:
        """What is answered to these bytes, sent piece by piece."""
        with self.connect() as line:
            for piece in pieces:
                line.sendall(piece)
            return answered(line)

    def status(self, path: str = "/log-in/") -> int:
        return status(self.said(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()))


def answered(line: socket.socket) -> bytes:
    """All of one answer; also where the other side closes before it has read what we sent."""
    said = b""
    try:
        while piece := line.recv(65536):
            said += piece
            head, end, body = said.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            if end and length and len(body) >= int(length[1]):
                break
    except ConnectionResetError:
        pass
    return said


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close", *lines, "", ""]).encode()


def news(number: int, *, filler: int = 0) -> bytes:
    told = {"Action": "Update", "Guid": "g", "EntityType": "Ticket", "Id": number, "SequenceNumber": number}
    return json.dumps(told | {"Filler": "x" * filler}).encode()


def signed(body: bytes) -> str:
    return "sha1=" + base64.b64encode(hmac.new(b"hook-secret", body, hashlib.sha1).digest()).decode()


def chunked(body: bytes, size: int) -> list[bytes]:
    """A body as a client that does not know its length sends it."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return [f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces] + [b"0\r\n\r\n"]


@pytest.fixture(scope="module")
def served(own_database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    var = tmp_path_factory.mktemp("front")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        **os.environ,
        "TICKETHUB_VAR": str(var),
        "DATABASE_URL": f"sqlite:///{var}/hub.sqlite3",
        "DJANGO_SETTINGS_MODULE": "hub.settings",
        "TICKETHUB_WEB_THREADS": "2",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True)
    done = subprocess.run([sys.executable, "-c", STAGE], cwd=ROOT, env=env, check=True, capture_output=True, text=True)
    hook, guest_link = done.stdout.split()
    server = subprocess.Popen(web_command("127.0.0.1", port), cwd=ROOT, env=env)
    try:
        assert wait_for("127.0.0.1", port)
        yield Served(port=port, hook=f"/hooks/{hook}/", guest_link=f"/v/{guest_link}/", env=env)
    finally:
        server.terminate()
        server.wait(20)


@pytest.mark.parametrize(
    ("number", "size", "how"),
    [(1, 10, "in small chunks"), (2, 65536, "in one chunk"), (3, 1, "byte by byte"), (4, 4096, "as .NET does")],
)
def test_a_chunked_hook_is_kept_to_its_last_byte(served: Served, number: int, size: int, how: str) -> None:
    body = news(number, filler=0 if size == 1 else 9000)
    lines = ["Content-Type: application/json", f"X-Hook-Signature: {signed(body)}", "Transfer-Encoding: chunked"]
    if how == "as .NET does":
        lines.append("Expect: 100-continue")

    said = served.said(head(served.hook, *lines), *chunked(body, size))

    assert status(said.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")) == 202
    assert body.decode() in served.stored()[0]


def test_a_hook_over_http2_is_kept_whole(served: Served) -> None:
    need(shutil.which("curl"), "curl: apt-get install curl")
    body = news(20, filler=40_000)
    done = subprocess.run(
        [
            "curl",
            "-sS",
            "--http2-prior-knowledge",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{http_version}",
            "-T",
            "-",
            "-X",
            "POST",
            "-H",
            f"X-Hook-Signature: {signed(body)}",
            "-H",
            "Content-Type: application/json",
            f"http://127.0.0.1:{served.port}{served.hook}",
        ],
        input=body.decode(),
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.stdout == "202 2"
    assert body.decode() in served.stored()[0]


def test_a_hook_of_node_is_kept_whole(served: Served) -> None:
    need(shutil.which("node"), "node: apt-get install nodejs")
    body = news(21, filler=100_000)
    script = """
    const [port, path, signature, body] = process.argv.slice(1);
    const call = require("http").request({host: "127.0.0.1", port, path, method: "POST",
        headers: {"X-Hook-Signature": signature}}, answer => console.log(answer.statusCode));
    for (let at = 0; at < body.length; at += 30000) call.write(body.slice(at, at + 30000));
    call.end();
    """
    command = ["node", "-e", script, str(served.port), served.hook, signed(body), body.decode()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)

    assert done.stdout.strip() == "202"
    assert body.decode() in served.stored()[0]


def test_a_form_and_a_file_may_come_in_chunks(served: Served) -> None:
    """Log-in and the page of a vendor with no tool: the same as with a length."""
    page = served.said(b"GET /log-in/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    form = f"username=mona%40northwind.test&password=a-long-good-password&csrfmiddlewaretoken={_token(page)}"
    lines = [
        f"Cookie: csrftoken={_cookie(page)}",
        "Content-Type: application/x-www-form-urlencoded",
        "Transfer-Encoding: chunked",
    ]
    assert status(served.said(head("/log-in/", *lines), *chunked(form.encode(), 7))) == 302

    page = served.said(f"GET {served.guest_link} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    parts = {"csrfmiddlewaretoken": _token(page), "name": "Olga", "act": "note", "text": "See the photo"}
    body = b"".join(
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in parts.items()
    )
    body += b'--edge\r\nContent-Disposition: form-data; name="file"; filename="photo.bin"\r\n\r\n' + b"\0" * 300_000
    body += b"\r\n--edge--\r\n"
    lines = [
        f"Cookie: csrftoken={_cookie(page)}",
        "Content-Type: multipart/form-data; boundary=edge",
        "Transfer-Encoding: chunked",
    ]
    assert status(served.said(head(served.guest_link, *lines), *chunked(body, 50_000))) == 302
    assert ["photo.bin", 300_000] in served.stored()[1]


def _token(page: bytes) -> str:
    found = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found
    return found[1].decode()


def _cookie(page: bytes) -> str:
    found = re.search(rb"csrftoken=(\w+)", page)
    assert found
    return found[1].decode()


def test_more_than_the_limit_is_413_whether_it_is_said_or_not(served: Served) -> None:
    lines = [f"X-Hook-Signature: {signed(b'')}", "Content-Type: application/json"]
    said = served.said(head(served.hook, *lines, "Content-Length: 1048577"))
    unsaid = served.said(
        head(served.hook, *lines, "Transfer-Encoding: chunked"), *chunked(b"x" * 1_200_000, 100_000)[:-1]
    )

    assert (status(said), status(unsaid)) == (413, 413)


def test_a_length_that_is_a_lie_stores_nothing(served: Served) -> None:
    body = news(30)
    lines = [f"X-Hook-Signature: {signed(body)}", "Content-Type: application/json"]
    with served.connect() as line:
        line.sendall(head(served.hook, *lines, f"Content-Length: {len(body) + 50}") + body)
        line.shutdown(socket.SHUT_WR)
        assert not answered(line).startswith(b"HTTP/1.1 2")
    short = served.said(head(served.hook, *lines, f"Content-Length: {len(body) - 5}") + body)

    assert status(short) == 401  # of what was announced, the signature is wrong
    assert body.decode() not in served.stored()[0]
    assert body[:-5].decode() not in served.stored()[0]


@pytest.mark.parametrize(
    ("path", "lines", "wanted"),
    [
        ("/hooks/01JZZZZZZZZZZZZZZZZZZZZZZZ/", ["X-Hook-Signature: sha1=x"], 404),
        ("HOOK", [], 401),  # nothing in it says that it is signed
        ("/hooks/nothing/at/all/", [], 404),
        ("/v/nobody.has.made.this/", ["Content-Type: multipart/form-data; boundary=x"], 404),
        ("/admin/hub/ticket/", ["Content-Type: multipart/form-data; boundary=x"], 302),
        ("/admin/hub/ticket/", ["Cookie: sessionid=guessed"], 302),
    ],
)
def test_who_may_not_send_it_is_answered_before_anything_is_read(
    served: Served, path: str, lines: list[str], wanted: int
) -> None:
    said = served.said(head(served.hook if path == "HOOK" else path, *lines, "Content-Length: 900000"))

    assert status(said) == wanted


def test_two_hundred_slow_clients_keep_nobody_waiting(served: Served) -> None:
    """Each has begun a body that never ends; there are two threads."""
    begun: list[socket.socket] = []
    try:
        for number in range(SLOW):
            line = served.connect()
            path = ("/log-in/", served.hook, served.guest_link)[number % 3]
            lines = ["X-Hook-Signature: sha1=x", "Content-Type: application/json", "Content-Length: 5000"]
            line.sendall(head(path, *lines) + b"{")
            begun.append(line)
        body = news(40)
        hook = served.said(
            head(served.hook, f"X-Hook-Signature: {signed(body)}", f"Content-Length: {len(body)}") + body
        )

        assert [served.status() for _ in range(5)] == [200] * 5
        assert status(hook) == 202
        assert len(begun) == SLOW
    finally:
        for line in begun:
            line.close()


def test_who_reads_slowly_holds_no_thread(served: Served) -> None:
    """An answer larger than any buffer of the line, asked for by more clients than there are threads."""
    waiting = [served.connect() for _ in range(8)]
    try:
        for line in waiting:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.sendall(b"GET /static/vendor/tabler.min.css HTTP/1.1\r\nHost: localhost\r\n\r\n")

        assert [served.status() for _ in range(3)] == [200] * 3
    finally:
        for line in waiting:
            line.close()


def test_a_web_process_that_is_killed_is_started_again(served: Served) -> None:
    before = _workers(served.port)
    ended = [os.pidfd_open(pid) for pid in before]
    for pid in before:
        os.kill(pid, 9)
    for each in ended:
        assert select.select([each], [], [], 30)[0]
    assert wait_for("127.0.0.1", served.port, seconds=60)
    assert served.status() == 200
    assert not set(_workers(served.port)) & set(before)


def _workers(port: int) -> list[int]:
    """The processes below the web server that listens on this port."""
    found = subprocess.run(["pgrep", "-f", f"granian.*--port {port} "], capture_output=True, text=True).stdout.split()
    below = [subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True).stdout.split() for pid in found]
    return [int(pid) for pids in below for pid in pids]


# -- the same, without a server


def test_a_body_that_does_not_come_in_time_is_408_and_runs_nothing() -> None:
    ran: dict[str, Any] = {}
    sent = alone(seen(ran), [{"type": "http.request", "body": b"{", "more_body": True}])

    assert (sent[0]["status"], ran) == (408, {})


def test_a_client_that_leaves_runs_nothing_and_is_told_nothing() -> None:
    ran: dict[str, Any] = {}
    sent = alone(seen(ran), [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    assert (sent, ran) == ([], {})


@pytest.mark.parametrize("stated", [{}, {"Transfer-Encoding": "chunked"}, {"Content-Length": "2"}])
def test_a_body_that_grows_past_its_limit_is_413_whatever_was_stated(stated: dict[str, str]) -> None:
    ran: dict[str, Any] = {}
    piece = b"x" * 1_000_000
    sent = alone(
        seen(ran), [{"type": "http.request", "body": piece, "more_body": True} for _ in range(3)], headers=stated
    )

    assert (sent[0]["status"], ran) == (413, {})


def test_a_length_over_the_limit_is_413_before_anything_is_read() -> None:
    """Nothing arrives at all: who waited for the body would answer 408."""
    ran: dict[str, Any] = {}
    sent = alone(seen(ran), [], headers={"Content-Length": "999999999999"})

    assert (sent[0]["status"], ran) == (413, {})


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, "Monday"),
        ({"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}, "Montag"),
        ({"Accept-Language": "en", "Cookie": "django_language=de"}, "Montag"),
        ({"Accept-Language": "xx;;q=\xff"}, "Monday"),
    ],
)
@pytest.mark.parametrize("is_from_gate", [False, True])
def test_a_refusal_is_in_the_language_of_the_request(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], wanted: str, is_from_gate: bool
) -> None:
    monkeypatch.setattr("hub.front.TOO_LARGE", gettext_lazy("Monday"))
    refuse = Rule(re.compile(""), 1, lambda _request: HttpResponse(gettext("Monday"), status=404))
    monkeypatch.setattr("hub.front._rules", lambda: (refuse,))

    sent = alone(seen({}), [], headers={**headers, "Content-Length": "0" if is_from_gate else "2"})

    assert sent[0]["status"] == (404 if is_from_gate else 413)
    assert b"".join(message.get("body", b"") for message in sent[1:]).decode() == wanted


def test_who_never_reads_the_answer_is_given_up() -> None:
    assert alone(seen({}), [{"type": "http.request", "body": b"{}"}], never_reads=True) == []


def test_the_application_sees_the_length_that_came() -> None:
    ran: dict[str, Any] = {}
    alone(
        seen(ran),
        [{"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.request", "body": b"c"}],
        headers={"Transfer-Encoding": "chunked", "X_Forwarded_For": "10.0.0.1"},
    )

    assert (ran["body"], ran["CONTENT_LENGTH"]) == (b"abc", "3")
    assert "HTTP_TRANSFER_ENCODING" not in ran
    assert "HTTP_X_FORWARDED_FOR" not in ran  # with underscores it would pass as the real one


@pytest.mark.parametrize(
    ("proxies", "client", "forwarded", "wanted"),
    [
        ([], "203.0.113.5", "198.51.100.9", "203.0.113.5"),
        (["10.0.0.0/8"], "10.0.0.2", "198.51.100.9", "198.51.100.9"),
        (["10.0.0.0/8"], "10.0.0.2", "6.6.6.6, 198.51.100.9, 10.0.0.3", "198.51.100.9"),
        (["10.0.0.0/8"], "203.0.113.5", "198.51.100.9", "203.0.113.5"),
        (["10.0.0.2"], "10.0.0.2", "", "10.0.0.2"),
        (["10.0.0.2"], "10.0.0.2", "no address", "10.0.0.2"),
    ],
)
def test_only_our_own_proxies_are_believed(
    settings: Any, proxies: list[str], client: str, forwarded: str, wanted: str
) -> None:
    settings.PROXIES = proxies
    ran: dict[str, Any] = {}
    alone(seen(ran), [{"type": "http.request", "body": b""}], client=client, headers={"X-Forwarded-For": forwarded})

    assert ran["REMOTE_ADDR"] == wanted
