"""A worker keeps HTTP connections to a vendor's system from one piece of work to the next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from connectors.engine import registry
from connectors.kit.contract import Connector
from connectors.kit.errors import TryLater, Unclear
from connectors.models import Connection
from hub.core.ids import new_ulid
from hub.egress import kept
from hub.models import Organisation
from tests import factories

pytestmark = pytest.mark.django_db


class System:
    """A vendor's system that keeps connections open, counts them, and sets a cookie."""

    def __init__(self) -> None:
        system = self
        self.connections, self.cookies = 0, list[str]()
        self.silent = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                system.connections += 1
                self.answered = 0

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def do_GET(self) -> None:
                if self.path == "/first" and self.answered:
                    self.close_connection = True
                    return
                self.answered += 1
                if self.path == "/silent":
                    system.silent.wait(10)
                    self.close_connection = True
                    return
                system.cookies.append(self.headers.get("Cookie", ""))
                self.send_response(200)
                self.send_header("Set-Cookie", "session=1")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def system(us: Organisation, settings: Any) -> Iterator[System]:
    system = System()
    settings.EGRESS_ALLOW = [system.url.removeprefix("http://")]
    yield system
    system.silent.set()
    system.server.shutdown()
    system.server.server_close()


@pytest.fixture
def keeping() -> Iterator[None]:
    with kept.on():  # as in the worker
        yield


def connection() -> Connection:
    return Connection.objects.create(
        name=new_ulid(), organisation=factories.OrganisationFactory(), connector="connectwise", state="active"
    )


def ask(connection: Connection, url: str, *paths: str) -> None:
    with registry.ready(connection, Connector) as connector:
        for path in paths:
            connector.ports.open_http(base=url, headers={}).get(path)


def test_two_pieces_of_work_share_a_connection_and_no_cookie(system: System, keeping: None) -> None:
    row = connection()
    ask(row, system.url, "/1", "/2")
    ask(row, system.url, "/3")
    assert system.connections == 1
    assert system.cookies == ["", "session=1", ""]


def test_each_connection_has_its_own(system: System, keeping: None, settings: Any) -> None:
    row = connection()
    ask(row, system.url, "/1")
    ask(connection(), system.url, "/1")
    assert system.connections == 2
    settings.EGRESS_ALLOW = [*settings.EGRESS_ALLOW, "192.0.2.7"]  # under another policy
    ask(row, system.url, "/1")
    assert system.connections == 3


def test_a_read_over_one_that_the_system_has_closed_is_repeated(system: System, keeping: None) -> None:
    row = connection()
    ask(row, system.url, "/1")
    ask(row, system.url, "/first")
    assert (system.connections, len(system.cookies)) == (2, 2)


def test_a_write_goes_first_over_a_new_connection_and_is_never_repeated(system: System, keeping: None) -> None:
    row = connection()
    ask(row, system.url, "/1")
    with registry.ready(row, Connector) as connector:
        http = connector.ports.open_http(base=system.url, headers={})
        http.write("POST", "/first", {})
        assert (system.connections, len(system.cookies)) == (2, 2)
        with pytest.raises(Unclear):
            http.write("POST", "/first", {})
    assert (system.connections, len(system.cookies)) == (2, 2)


def test_a_read_over_tls_that_was_torn_down_is_repeated(
    system: System, keeping: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = connection()
    ask(row, system.url, "/1")
    real, failures = requests.Session.request, [requests.exceptions.SSLError("EOF occurred in violation of protocol")]

    def torn(session: requests.Session, *args: Any, **kwargs: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(session, *args, **kwargs)

    monkeypatch.setattr(requests.Session, "request", torn)
    ask(row, system.url, "/2")
    assert (system.connections, len(system.cookies)) == (2, 2)


def test_none_is_used_for_longer_than_a_minute(system: System, keeping: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's address is looked up and checked again from time to time."""
    row = connection()
    ask(row, system.url, "/1")
    monkeypatch.setattr("hub.egress.keep_alive.LONGEST_SECONDS", 0.0)
    ask(row, system.url, "/2")
    assert system.connections == 1
    assert not any(kept.sessions.values())


def test_a_read_is_repeated_only_over_a_kept_connection(system: System, keeping: None) -> None:
    with pytest.raises(TryLater):
        ask(connection(), system.url, "/1", "/first")
    assert system.connections == 1


def test_two_workers_never_use_one_at_the_same_time(system: System, keeping: None) -> None:
    row = connection()
    ask(row, system.url, "/1")
    with registry.ready(row, Connector) as one, registry.ready(row, Connector) as other:
        sessions = [each.ports.open_http(base=system.url, headers={}).session for each in (one, other)]
    assert sessions[0] is not sessions[1]


def test_idle_ones_are_closed(system: System, keeping: None, monkeypatch: pytest.MonkeyPatch) -> None:
    row = connection()
    ask(row, system.url, "/1")
    kept.close_idle()
    ask(row, system.url, "/1")
    assert system.connections == 1
    kept.close_idle(seconds=-1)
    assert not kept.sessions
    ask(row, system.url, "/1")
    assert system.connections == 2
    monkeypatch.setattr("hub.egress.keep_alive.IDLE_SECONDS", -1.0)
    ask(row, system.url, "/1")
    assert system.connections == 3


def test_after_an_error_the_next_piece_of_work_goes_on(system: System, keeping: None) -> None:
    row = connection()
    ask(row, system.url, "/1")
    with pytest.raises(TryLater), registry.ready(row, Connector) as connector:
        connector.ports.open_http(base=system.url, headers={}, seconds=0.3).get("/silent")
    ask(row, system.url, "/2")
    assert system.connections == 2  # the one that did not answer is not used again


def test_elsewhere_every_piece_of_work_has_its_own(system: System) -> None:
    row = connection()
    ask(row, system.url, "/1")
    ask(row, system.url, "/2")
    assert system.connections == 2
    assert not kept.sessions
