"""The path of a change, from a vendor's hook to the other vendor's system: real processes, PostgreSQL, loopback.

    make bench ONLY=path
    SIZE=full make bench ONLY=path      ten times the load
    ROUNDS=2 make bench ONLY=path       instead of five

The hub and a floor are measured in the same run, and each row says whether its goal is met. Without DATABASE_URL, a
cluster of its own is started and removed. Exit status 1 if a goal is missed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import requests

ROOT = Path(__file__).resolve().parents[2]
SECRET = "hook-secret"


@dataclass(frozen=True)
class Row:
    """One measured row; `is_met` is None if it has no goal of its own."""

    what: str
    found: str
    floor: str
    goal: str
    is_met: bool | None

    def line(self) -> str:
        verdict = {None: "–", True: "met", False: "MISSED"}[self.is_met]
        return f"| {self.what} | {self.found} | {self.floor} | {self.goal} | {verdict} |"


def main() -> int:
    from tests.bench import before

    try:
        old = before.before()
    except before.Missing as error:
        sys.stderr.write(f"{error}\n")
        return 2
    size = 10 if os.environ.get("SIZE") == "full" else 1
    with ExitStack() as stack:
        url = os.environ.get("DATABASE_URL") or stack.enter_context(_own_database())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tickethub-path-"))
        prepare(url, folder)
        return reported("path", _rows(url, folder, old, before.today(), size))


def reported(name: str, measured: Iterable[Row]) -> int:
    """Print each row as soon as it is measured, and write them all to `var/bench`; returns the exit status."""
    rows = []
    for row in measured:
        rows.append(row)
        sys.stdout.write(row.line() + "\n")
        sys.stdout.flush()
    out = ROOT / "var" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.md").write_text(table(rows))
    sys.stdout.write(f"\nWritten to {out / f'{name}.md'}.\n")
    return int(any(row.is_met is False for row in rows))


def _rows(url: str, folder: str, old: Any, today: Any, size: int) -> Iterator[Row]:
    from tests.bench import path_compared, path_parts

    pair = path_compared.Pair(old, today, url, folder, size, rounds=int(os.environ.get("ROUNDS", "5")))
    urls = pair.prepare()
    for part in path_compared.PARTS:
        yield from part(pair, urls)
    for each in path_parts.PARTS:
        yield from each(url, folder)


def table(rows: Sequence[Row]) -> str:
    head = ["| what | hub | floor | goal | |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(row.line() for row in rows)]) + "\n"


@contextmanager
def _own_database() -> Iterator[str]:
    from tests.bench.cluster import cluster

    with cluster() as made:
        yield made.make("path")


def prepare(url: str, folder: str) -> None:
    """Let this process, and those it starts, use a database, which is migrated, and a folder for files."""
    os.environ.update(
        DATABASE_URL=url,
        TICKETHUB_LISTEN_URL=url,
        TICKETHUB_VAR=folder,
        DJANGO_SETTINGS_MODULE="hub.settings",
        CELERY_BROKER_URL="",
        TICKETHUB_HOSTS="127.0.0.1,testserver",
        TICKETHUB_HOOKS_PER_MINUTE="1000000",
        TICKETHUB_WRITES_PER_LINK_PER_HOUR="1000000",
    )
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


# -- processes


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """What a process holds in memory now, from /proc."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def tree_of(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree_of(int(child))
    return found


class Cpu:
    """The CPU time of some processes and of the database's sessions, since the object was made."""

    def __init__(self, url: str, pids: Sequence[int]) -> None:
        self.url, self.pids = url, [each for pid in pids for each in tree_of(pid)]
        self.began = self._now()

    def _now(self) -> dict[int, float]:
        with psycopg.connect(self.url, autocommit=True) as session:
            mine = session.info.backend_pid
            query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            backends = [pid for (pid,) in session.execute(query) if pid != mine]
        return {pid: cpu_seconds(pid) for pid in [*self.pids, *backends] if Path(f"/proc/{pid}").exists()}

    def used(self) -> float:
        return sum(seconds - self.began.get(pid, 0.0) for pid, seconds in self._now().items())


@contextmanager
def running(*command: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def web(*, workers: int = 2) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The web server on a free port."""
    from console.processes import wait_for, web_command
    from tests.bench.cluster import free_port

    port = free_port()
    command = web_command("127.0.0.1", port)
    command[command.index("--workers") + 1] = str(workers)
    with running(*command) as process:
        if not wait_for("127.0.0.1", port):
            raise RuntimeError("The web server does not answer.")
        yield port, process


@contextmanager
def worker(egress: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    allowed = ",".join(egress)
    with running(sys.executable, "manage.py", "work", TICKETHUB_EGRESS_ALLOW=allowed) as process:
        yield process


def until(holds: Callable[[], Any], *, seconds: float = 120.0) -> float:
    """Wait until it holds, looking every millisecond; returns the time, or raises RuntimeError."""
    pause, end = threading.Event(), time.perf_counter() + seconds
    while not holds():
        if time.perf_counter() > end:
            raise RuntimeError(f"Not within {seconds:.0f} seconds.")
        pause.wait(0.001)
    return time.perf_counter()


# -- one change


def arrives(world: Any, http: requests.Session, port: int, number: int) -> float:
    """Seconds from the call until the other vendor has the title."""
    world.change_title(number)
    record = world.links[1].remote_key
    there = world.simulators["second"].tenants["second.test"].tickets
    began = time.perf_counter()
    post(world, http, port)
    return until(lambda: there[record]["title"] == f"VPN down, step {number}") - began


def post(world: Any, http: requests.Session, port: int) -> None:
    from tests.bench.build import signature

    body = world.news()
    headers = {"X-Hook-Signature": signature(SECRET, body), "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{port}/hooks/{world.links[0].connection.public_id}/"
    answer = http.post(url, data=body, headers=headers, timeout=30)
    if answer.status_code != 202:
        raise RuntimeError(f"The hook was answered with {answer.status_code}.")


# -- load


async def load(port: int, messages: Sequence[bytes], connections: int) -> list[float]:
    """Send requests over keep-alive connections; returns the latency of each. RuntimeError unless all are 202."""
    latencies: list[float] = []

    async def client(todo: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for message in todo:
            began = time.perf_counter()
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 202 " not in head.split(b"\r\n")[0]:
                raise RuntimeError(head.decode())
            lengths = [
                line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
            ]
            if lengths and int(lengths[0]):
                await reader.readexactly(int(lengths[0]))
            elif b"chunked" in head.lower():
                await reader.readuntil(b"0\r\n\r\n")
            latencies.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(client(messages[number::connections]) for number in range(connections)))
    return latencies


def pgbench(url: str, script: str, *, clients: int, seconds: int = 4) -> float:
    """Transactions a second of a script, by PostgreSQL's own tool."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    program = shutil.which("pgbench") or (installed[-1] if installed else None)
    if program is None:
        raise RuntimeError("pgbench is missing: apt-get install postgresql-contrib or postgresql")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [str(program), "-n", "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", file.name, url],
            capture_output=True,
            text=True,
            check=True,
        )
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps"))
    return float(line.split()[2])


def hop_floor(url: str, address: str, *, rounds: int = 100) -> list[float]:
    """Three commits and one call, in seconds: the least that a change on its way can cost."""
    taken = []
    with psycopg.connect(url, autocommit=True) as session, requests.Session() as http:
        session.execute("CREATE TABLE IF NOT EXISTS floor (at timestamptz)")
        for _ in range(rounds):
            began = time.perf_counter()
            for _commit in range(3):
                session.execute("INSERT INTO floor VALUES (now())")
            http.get(f"http://{address}/")
            taken.append(time.perf_counter() - began)
    return taken


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
