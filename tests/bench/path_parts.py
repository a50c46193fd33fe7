"""The rows of `make bench ONLY=path`; each part measures the hub and its floor in turn."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import psycopg
import requests
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.autotask.webhooks import signature
from connectors.engine import rate_limits, vault
from connectors.models import Connection, Inbound, Outbound
from hub.domain import due_clocks, tickets
from hub.domain.actors import Actor
from hub.models import Clock
from tests import factories
from tests.bench import dataset, path
from tests.bench.path import Cpu, Row
from tests.bench.vendors import SECRET, TwoVendors, now
from workflows.handoffs import engagements

ROUNDS = 3


def intake(url: str, _folder: str) -> Iterator[Row]:
    """Signed calls over keep-alive connections, a tenth of them delivered twice."""
    if not factories.UsFactory._meta.model.objects.filter(is_us=True).exists():
        factories.UsFactory()
    made = Connection.objects.create(
        name="Intake", organisation=factories.OrganisationFactory(), connector="autotask", state="paused"
    )
    vault.seal(made, {"hook_secret": SECRET})
    made.save()
    script = _insert(made)
    for size, connections in ((1_000, 8), (1_000, 32), (50_000, 8)):
        ratios, rates, floors, cpus = [], [], [], []
        with path.web() as (port, process):
            asyncio.run(path.load(port, _calls(made, port, 64, size), 16))  # both workers know the connection
            for _ in range(ROUNDS):
                calls = _calls(made, port, 1000, size)
                cpu, began = Cpu(url, [process.pid]), time.perf_counter()
                asyncio.run(path.load(port, calls, connections))
                rates.append(len(calls) / (time.perf_counter() - began))
                cpus.append(1000 * cpu.used() / len(calls))
                floors.append(path.pgbench(url, script.replace("SIZE", str(size)), clients=connections, seconds=3))
                ratios.append(rates[-1] / floors[-1])
        yield Row(
            f"hook intake, {size // 1000} kB, {connections} connections, two web workers",
            f"{path.median(rates):,.0f}/s, CPU {path.median(cpus):.2f} ms each",
            f"pgbench, the same INSERT: {path.median(floors):,.0f}/s",
            f"0.2 of the floor ({path.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f})",
            path.median(ratios) >= 0.2,
        )
    Inbound.objects.all().delete()


def _calls(made: Connection, port: int, count: int, size: int) -> list[bytes]:
    first = Inbound.objects.count() + 1
    numbers = [first + number - (number % 10 == 9) for number in range(count)]
    return [_call(made, port, number, size) for number in numbers]


def _call(made: Connection, port: int, number: int, size: int) -> bytes:
    change = {"Action": "Update", "Guid": "g", "EntityType": "Ticket", "Id": 7, "SequenceNumber": number}
    body = json.dumps(change | {"pad": "x" * (size - 100)}).encode()
    lines = (
        f"POST /hooks/{made.public_id}/ HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"X-Hook-Signature: {signature(SECRET, body)}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def _insert(made: Connection) -> str:
    table = Inbound._meta.db_table
    return (
        "\\set number random(1, 2000000000)\n"
        f"INSERT INTO {table} (connection_id, kind, delivery, headers, body, state, received_at, attempts, "
        "next_attempt_at, error, remote_key, sender) VALUES "
        f"({made.pk}, 'hook', 'f.' || :number || '.' || random(), '{{}}', decode(repeat('78', SIZE), 'hex'), 'new', "
        "now(), 0, now(), '', '7', '') ON CONFLICT DO NOTHING;\n"
    )


def one_change(url: str, _folder: str) -> Iterator[Row]:
    """A change of a title, read and sent in this thread."""
    with TwoVendors(contracts=250, name=" one") as world, rate_limits.passing_slots_on():
        for number in range(3):
            _through(world, number)
        with CaptureQueriesContext(database) as captured:
            _through(world, 3)
        sent = [q for q in captured.captured_queries if not q["sql"].startswith(("BEGIN", "COMMIT"))]
    yield Row(
        "one change of a title, read and sent: statements",
        f"{len(sent) - 3}",  # the hook's two, and the bench's own look for the row
        "–",
        "45",
        len(sent) - 3 <= 45,
    )


def _through(world: TwoVendors, number: int) -> None:
    world.change_title(number)
    world.call(world.news())
    world.read()
    world.send()


def end_to_end(url: str, _folder: str) -> Iterator[Row]:
    """From the hook's request to the other vendor's record, with web server and worker as processes."""
    with TwoVendors(name=" e2e") as world, path.web() as (port, server):
        egress = [simulator.base.removeprefix("http://") for simulator in world.simulators.values()]
        with path.worker(egress) as process, requests.Session() as http:
            number = 0
            for _ in range(5):
                number += 1
                path.arrives(world, http, port, number)
            for rate, count in ((1, 15), (5, 60)):
                floor = path.hop_floor(url, egress[1])
                cpu, taken = Cpu(url, [server.pid, process.pid]), []
                for _ in range(count):
                    began = time.perf_counter()
                    number += 1
                    taken.append(path.arrives(world, http, port, number))
                    path.until(lambda began=began, rate=rate: time.perf_counter() - began >= 1 / rate)  # type: ignore[misc]
                p50, p95, least = path.median(taken), path.percentile(taken, 0.95), path.median(floor)
                yield Row(
                    f"end to end, {rate} a second",
                    f"p50 {1000 * p50:.0f} ms, p95 {1000 * p95:.0f} ms, CPU {1000 * cpu.used() / count:.0f} ms each",
                    f"three commits and one call: {1000 * least:.2f} ms",
                    f"80 and 160 times the floor ({p50 / least:.0f} and {p95 / least:.0f})",
                    p50 <= 80 * least and p95 <= 160 * least,
                )


def hand_offs(url: str, _folder: str) -> Iterator[Row]:
    """Offers to a vendor while a worker stores thousands of breaches."""
    us = factories.UsFactory._meta.model.objects.get(is_us=True)
    agent, vendor = Actor.person(factories.member("agent", us), us), factories.OrganisationFactory()

    def offers(most: int, goes_on: Callable[[], bool]) -> list[float]:
        taken: list[float] = []
        while len(taken) < most and goes_on():
            ticket = tickets.open_ticket(title="Hand-off", priority="P3", actor=agent, at=now())
            began = time.perf_counter()
            engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
            taken.append(time.perf_counter() - began)
        return taken

    alone = path.median(offers(30, lambda: True))
    dataset.overdue_copies(agent, 3000)
    with path.worker(()):
        due = due_clocks.waiting(at=now())
        path.until(lambda: Clock.objects.filter(is_breached=True, ticket__title="Cloned due").exists())
        during = offers(200, due.exists)
    if not during:
        raise RuntimeError("The breaches were stored before the first offer.")
    times = path.median(during) / alone
    yield Row(
        "an offer while breaches are stored",
        f"{1000 * path.median(during):.0f} ms ({len(during)} offers)",
        f"{1000 * alone:.0f} ms without",
        f"2 times: {times:.1f}",
        times <= 2,
    )


def backlog(url: str, folder: str) -> Iterator[Row]:
    """Calls that have piled up while no worker ran; meanwhile a person reads the board."""
    size = 10 if os.environ.get("SIZE") == "full" else 1
    with TwoVendors(name=" backlog") as world, path.web(workers=1) as (port, _server), requests.Session() as person:
        keys = world.multiply(300)
        egress = [each.base.removeprefix("http://") for each in world.simulators.values()]
        made, at = world.links[0].connection, timezone.now()
        records = world.simulators["first"].tenants["first.test"].tickets
        for key in keys:
            records[key] = records[key] | {
                "title": "Changed meanwhile",
                "lastActivityDate": f"{now():%Y-%m-%dT%H:%M:%SZ}",
            }
        Inbound.objects.bulk_create(
            Inbound(connection=made, kind="hook", delivery=f"b.{n}", body=world.news_of(keys[n % 300]), headers={},
                    state="new", received_at=at, next_attempt_at=at, remote_key=keys[n % 300])
            for n in range(10_000 * size)
        )  # fmt: skip
        browser = Client()
        browser.force_login(world.agent_user)
        person.cookies.set("sessionid", browser.cookies["sessionid"].value)

        def page() -> float:
            began = time.perf_counter()
            person.get(f"http://127.0.0.1:{port}/", timeout=60).raise_for_status()
            return time.perf_counter() - began

        before = path.percentile([page() for _ in range(40)], 0.95)
        waiting = Inbound.objects.filter(connection=made, state="new")
        unsent = Outbound.objects.filter(link__connection=world.links[1].connection, state="ready")
        with path.worker(egress) as process:
            began = time.perf_counter()
            path.until(lambda: waiting.count() < 9_000 * size)
            memory, pages = [path.memory_mb(process.pid)], []
            while waiting.exists() or unsent.exists():
                pages.append(page())
                memory.append(path.memory_mb(process.pid))
            seconds = time.perf_counter() - began
        there = world.simulators["second"].tenants["second.test"].tickets
        arrived = sum(there[key]["title"] == "Changed meanwhile" for key in keys)
    during = path.percentile(pages, 0.95)
    growth = max(memory) / memory[0]
    yield Row(
        f"a backlog of {10_000 * size:,} calls about 300 records",
        f"{10_000 * size / seconds:.0f} calls and {300 / seconds:.0f} records a second",
        f"{arrived} of 300 arrived",
        f"40 calls a second; memory flat: {growth:.2f} times",
        10_000 * size / seconds >= 40 and growth < 1.2 and arrived == 300,
    )
    yield Row(
        "the board meanwhile, p95",
        f"{1000 * during:.0f} ms",
        f"{1000 * before:.0f} ms without",
        f"1.5 times: {during / before:.1f}",
        during <= 1.5 * before,
    )


def idle(url: str, _folder: str) -> Iterator[Row]:
    """Five connections and nothing to do."""
    Connection.objects.update(state=Connection.State.ARCHIVED)
    for number in range(5):
        Connection.objects.create(
            name=f"Idle {number}",
            organisation=factories.OrganisationFactory(),
            connector="autotask",
            state="active",
            poll_seconds=3600,
            next_poll_at=timezone.now() + timedelta(minutes=50),
        )
    seconds = 20.0
    with path.web(workers=1) as (_port, server), path.worker(()) as process:
        ready = time.perf_counter() + 8
        path.until(lambda: time.perf_counter() > ready)
        cpu, before, began = Cpu(url, [server.pid, process.pid]), _counted(url), time.perf_counter()
        path.until(lambda: time.perf_counter() - began >= seconds)
        used, after = cpu.used() / seconds, _counted(url)
    statements = (after[0] - before[0]) / seconds
    sessions = after[1] - before[1] - 3  # the bench's own
    yield Row(
        "idle hub, five connections",
        f"{100 * used:.1f} % of a core, {statements:.1f} statements/s, {max(0, sessions)} new sessions",
        "–",
        "1 %, 3 statements/s, no session",
        used <= 0.01 and statements <= 3 and sessions <= 0,
    )


def _counted(url: str) -> tuple[int, int]:
    """Transactions and sessions of the database so far."""
    with psycopg.connect(url, autocommit=True) as session:
        query = "SELECT xact_commit + xact_rollback, sessions FROM pg_stat_database WHERE datname = current_database()"
        row = session.execute(query).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


PARTS: Sequence[Callable[[str, str], Iterator[Row]]] = (
    one_change,
    end_to_end,
    hand_offs,
    backlog,
    idle,
    intake,
)
