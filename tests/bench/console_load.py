"""The rows of `make bench ONLY=console` that need real web servers: people at work, open pages that poll, exports."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle, islice

import psycopg
import requests

from tests.bench import path
from tests.bench.path import Row, percentile

USERS, PAUSE, SERVERS = 4, 1.0, 2
CONSOLES, EVERY = 2_000, 2.0
EXPORTED = 100_000
SORTS = ("changed", "due", "risk", "priority", "opened", "held", "holder", "service", "assignee", "number")
SHOWS = ("open", "waiting", "unassigned", "to_verify", "breached", "at_risk", "without_clock", "ended", "all", "any")


HOPELESS = ["show=all&sort=assignee", "show=any&sort=-due", "show=all&clocks=paused"]
"""Lists for which there is no index. They stop after `GIVEN_UP` seconds."""
GIVEN_UP = 2.0


def combinations() -> list[str]:
    """Forty lists: each sort in both directions, each group of tickets, some pairs, and three hopeless ones."""
    lists = (
        [f"sort={sort}" for sort in SORTS] + [f"sort=-{sort}" for sort in SORTS] + [f"show={show}" for show in SHOWS]
    )
    pairs = [
        "priority=P1", "priority.not=P3", "show=breached&sort=due", "show=ended&sort=-opened", "clocks=soon&sort=due",
        "priority=P1,P2&sort=held", "is=unanswered",
    ]  # fmt: skip
    return lists + pairs + HOPELESS


def rows(url: str, folder: str, scale: float) -> Iterator[Row]:
    """`scale`: how much slower this machine is than the one for which goals in milliseconds were set."""
    path.prepare(url, folder)
    cookies, live, floor = _ready()
    with ExitStack() as stack:
        servers = [stack.enter_context(path.web(workers=1)) for _ in range(SERVERS)]
        ports = [port for port, _process in servers]
        yield from _people(ports, cookies, scale)
        yield from _export(ports[0], cookies, floor, scale)
        yield from _polls(ports[0], servers[0][1].pid, live, url, scale)


def _ready() -> tuple[dict[str, str], str, float]:
    """Cookies of a manager who is logged in, the path of a poll, and the seconds in which COPY reads the export."""
    from django.test import Client

    from console import polling
    from hub.models import User

    user = User.objects.get(email="manager@bench.test")
    client = Client()
    client.force_login(user)
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    return cookies, f"/live/?cursor={polling.live_cursor(user)}&pass={polling.pass_for(user)}", _copied()


def _copied() -> float:
    query = (
        "COPY (SELECT t.number, t.title, t.priority, s.name, o.name, t.changed_at FROM hub_ticket t JOIN hub_state s "
        "ON s.id = t.status_id JOIN hub_organisation o ON o.id = t.holder_id WHERE t.phase NOT IN ('new', 'active', "
        f"'waiting') ORDER BY t.changed_at DESC LIMIT {EXPORTED}) TO STDOUT"
    )
    with psycopg.connect(os.environ["DATABASE_URL"]) as session, session.cursor() as cursor:
        began = time.perf_counter()
        with cursor.copy(query) as copy:  # type: ignore[arg-type]
            for _line in copy:
                pass
        return time.perf_counter() - began


def _people(ports: list[int], cookies: dict[str, str], scale: float) -> Iterator[Row]:
    """Some people who open one list after the other, each with a pause between two."""
    lists, taken, pause = combinations(), dict[str, list[float]](), threading.Event()

    def work(number: int) -> None:
        port = ports[number % len(ports)]
        with requests.Session() as http:
            for query in islice(cycle(lists), 10 * number, 10 * number + len(lists)):
                began = time.perf_counter()
                answer = http.get(f"http://127.0.0.1:{port}/tickets/?{query}", cookies=cookies, timeout=60)
                taken.setdefault(query, []).append(1000 * (time.perf_counter() - began))
                answer.raise_for_status()
                pause.wait(PAUSE)

    people = [threading.Thread(target=work, args=[number]) for number in range(USERS)]
    for each in people:
        each.start()
    for each in people:
        each.join()
    given_up = max(max(taken[query]) for query in HOPELESS) / 1000
    every = [each for query, times in taken.items() for each in times if query not in HOPELESS]
    slowest = sorted(set(taken) - set(HOPELESS), key=lambda query: -statistics.median(taken[query]))[:3]
    found = percentile(every, 0.95)
    worst = "; slowest: " + ", ".join(f"{query} {statistics.median(taken[query]):.0f} ms" for query in slowest)
    must = 60 * scale
    found_ = f"p95 {found:.0f} ms{worst}"
    yield Row(f"{len(lists)} lists, {USERS} people", found_, "–", f"p95 {must:.0f} ms", found <= must)
    most = GIVEN_UP + 0.1 * scale
    yield Row("three hopeless lists among them", f"{given_up:.2f} s", "–", f"{most:.2f} s", given_up <= most)


def _export(port: int, cookies: dict[str, str], floor: float, scale: float) -> Iterator[Row]:
    began, first, lines = time.perf_counter(), 0.0, 0
    url = f"http://127.0.0.1:{port}/tickets/export.csv?show=ended"
    with requests.get(url, cookies=cookies, stream=True, timeout=600) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_content(65_536):
            first = first or 1000 * (time.perf_counter() - began)
            lines += chunk.count(b"\n")
            if lines >= EXPORTED:
                break
    times = (time.perf_counter() - began) / floor
    yield Row("CSV, first byte", f"{first:.0f} ms", "–", f"{300 * scale:.0f} ms", first <= 300 * scale)
    found = f"{times:.1f} times, {lines:,} rows"
    yield Row(f"CSV of {EXPORTED:,} rows", found, f"COPY: {floor:.2f} s", "12 times", times <= 12)


def _polls(port: int, pid: int, live: str, url: str, scale: float) -> Iterator[Row]:
    """Open pages that ask every two seconds, from a process of its own."""
    cpu = path.Cpu(url, [pid])
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.console_polls", str(port), live, str(CONSOLES), str(EVERY)],
        cwd=path.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    p95, seconds, count = map(float, done.stdout.split())
    share = cpu.used() / seconds
    each = 1000 * cpu.used() / count
    found = f"p95 {p95:.0f} ms, {share:.2f} cores, {count / seconds:,.0f} a second, {each:.2f} ms each"
    goal = f"p95 {100 * scale:.0f} ms, {0.5 * scale:.1f} cores, {0.4 * scale:.2f} ms each"
    is_met = p95 <= 100 * scale and share <= 0.5 * scale and each <= 0.4 * scale
    yield Row(f"{CONSOLES:,} open pages that poll", found, "–", goal, is_met)
