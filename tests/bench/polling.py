"""A poll compared with a plain loop of requests that fetches and decodes the same pages from the same simulator.

Also counted: the calls for a poll of 10,000 changed tickets, compared with the vendor's limit, and the memory
it needs compared with 2,000 (from recorded answers, so that the simulator's own memory does not count).
"""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from connectors.autotask.connector import Autotask
from connectors.autotask.simulator import Simulator as AutotaskSimulator
from connectors.autotask.simulator import Tenant as AutotaskTenant
from connectors.connectwise.connector import ConnectWise
from connectors.connectwise.simulator import Simulator as ConnectWiseSimulator
from connectors.connectwise.simulator import Tenant as ConnectWiseTenant
from connectors.kit.contract import Connector
from connectors.kit.wiring import WsgiAdapter, wired
from connectors.rest.connector import Rest
from connectors.rest.simulator import Simulator as RedmineSimulator
from connectors.rest.simulator import Tenant as RedmineTenant
from tests.bench.__main__ import Counted, Measured, measure

REDMINE = Rest.of_profile(Rest.shipped_profiles()["redmine"])
"""A REST system connected by a profile."""
TICKETS, FEWER = 10_000, 2_000
ROUNDS = 31
AT = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)
CURSOR = "2026-03-16T09:00:00Z"


class Replay:
    """A WSGI application that replays recorded answers by method, path, query and body."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self.answers: dict[tuple[str, ...], tuple[str, list[tuple[str, str]], bytes]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        key = (environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"], body.decode("latin-1"))
        if key not in self.answers:
            environ["wsgi.input"] = io.BytesIO(body)
            began: list[Any] = []
            content = b"".join(self.application(environ, lambda status, headers: began.extend([status, headers])))
            self.answers[key] = (began[0], list(began[1]), content)
        status, headers, content = self.answers[key]
        start_response(status, headers)
        return [content]


def entries() -> tuple[list[Measured], list[Counted]]:
    measured, counted = [], []
    for kind, most in ((Autotask, 2000), (ConnectWise, 600), (REDMINE, 120)):
        found, counts = _entry(kind, most)
        measured.append(found)
        counted += counts
    return measured, counted


def _entry(kind: type[Connector], most: int) -> tuple[Measured, list[Counted]]:
    simulator = _simulator(kind, FEWER)
    calls: list[requests.PreparedRequest] = []
    connector = wired(kind, _values(kind), simulator, now=lambda: AT + timedelta(hours=8), watch=calls.append)
    _poll(connector)
    calls.clear()
    records = _poll(connector)
    assert records >= FEWER
    asked = list(calls)
    session = requests.Session()
    session.mount("https://", WsgiAdapter(simulator))

    def hub() -> int:
        return _poll(connector)

    def floor() -> int:
        for call in asked:
            answer = session.request(call.method or "", call.url or "", data=call.body, headers=dict(call.headers))
            answer.json()
        return records

    what = f"{kind.label}: records of a poll"
    measured = measure(what, hub, "a loop of requests for the same pages", floor, rounds=ROUNDS)
    (many, count), (few, _) = _peak(kind, TICKETS), _peak(kind, FEWER)
    return measured, [
        Counted(
            name=f"{kind.label}: calls for a poll of {TICKETS:,} changed tickets",
            value=f"{count}",
            goal=f"at most {most}: our share of their limit",
            is_met=count <= most,
        ),
        Counted(
            name=f"{kind.label}: memory for {TICKETS:,} changed tickets compared with {FEWER:,}",
            value=f"{many / few:.2f} times ({many / 1e6:.1f} MB)",
            goal="flat: under 1.5 times",
            is_met=many / few < 1.5,
        ),
    ]


def _poll(connector: Connector) -> int:
    """Read and discard page after page, as the engine does; returns the number of tickets, including repeats."""
    count, cursor, more = 0, CURSOR, True
    while more:
        page = connector.changes_since(cursor)
        count, cursor, more = count + len(page.tickets), page.cursor, page.more
    return count


def _peak(kind: type[Connector], tickets: int) -> tuple[float, int]:
    """The peak of additional memory that a poll needed, in bytes, and the number of its calls."""
    replay, calls = Replay(_simulator(kind, tickets)), [0]

    def count(_request: requests.PreparedRequest) -> None:
        calls[0] += 1

    connector = wired(kind, _values(kind), replay, now=lambda: AT + timedelta(hours=8), watch=count)
    assert _poll(connector) >= tickets
    calls[0] = 0
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    _poll(connector)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return float(peak), calls[0]


def _simulator(kind: type[Connector], tickets: int) -> Any:
    clock = iter(AT + timedelta(seconds=number) for number in range(1, 10_000_000))
    if kind is Autotask:
        tenant = AutotaskTenant(
            name="Bench",
            domain="bench.test",
            companies={"175": "Northwind"},
            people={"501": "Dora Desk"},
            threshold=10_000_000,
        )
        autotask = AutotaskSimulator([tenant], base="https://webservices5.autotask.test", now=lambda: next(clock))
        for number in range(tickets):
            key = str(autotask.act("bench.test", "open", by="501", title=f"Ticket {number}")["id"])
            autotask.act("bench.test", "note", ticket=key, by="501", text="Looking into it")
        return autotask
    if kind is REDMINE:
        place = RedmineTenant(domain="bench.test", people={"7": "Rita Red"})
        redmine = RedmineSimulator([place], base="https://redmine.test", now=lambda: next(clock))
        for number in range(tickets):
            redmine.act("bench.test", "open", by="7", title=f"Ticket {number}")
        return redmine
    company = ConnectWiseTenant(
        name="Bench",
        domain="bench.test",
        company="bench",
        companies={"250": "Northwind"},
        people={"lledger": "Lena Ledger"},
        per_minute=10_000_000,
    )
    connectwise = ConnectWiseSimulator([company], base="https://na.myconnectwise.net", now=lambda: next(clock))
    for number in range(tickets):
        connectwise.act("bench.test", "open", by="lledger", title=f"Ticket {number}")
    return connectwise


def _values(kind: type[Connector]) -> dict[str, str]:
    if kind is Autotask:
        tenant = AutotaskTenant(name="", domain="bench.test")
        return {
            "user_name": tenant.api_user,
            "secret": tenant.secret,
            "integration_code": tenant.integration_code,
            "company_id": "175",
            "queue_id": "8",
            "note_type": "1",
            "zone_lookup": "https://webservices5.autotask.test/ATServicesRest",
        }
    if kind is REDMINE:
        key = RedmineTenant(domain="").api_key
        return {
            "address": "https://redmine.test",
            "api_key": key,
            "project": "1",
            "tracker": "3",
            "reference_field": "1",
        }
    company = ConnectWiseTenant(name="", domain="", company="bench")
    return {
        "site": "na.myconnectwise.net",
        "company": "bench",
        "public_key": company.public_key,
        "private_key": company.private_key,
        "client_id": company.client_id,
        "member": company.api_member,
        "company_id": "250",
        "board_id": "1",
    }
