"""Database sessions: kept in a pool, replaced after a restart of the database, and shared through PgBouncer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.bench import cluster as clusters
from tests.bench.cluster import Cluster
from tests.conftest import need

pytestmark = pytest.mark.usefixtures("own_database")

ROOT = Path(__file__).resolve().parents[2]

STORY = """
import sys, threading
import django; django.setup()
from django.core.management import call_command
from django.db import connection, close_old_connections
from tests.bench.vendors import TwoVendors
from datetime import timedelta
from connectors.engine import leases
from connectors.engine.inbound import reading
from connectors.engine.outbound import sender
from worker.dispatcher import Dispatcher

# What a worker held when the database went away is free again, and looked up, after seconds instead of minutes.
leases.LEASE = reading.LEASE = sender.SETTLE = timedelta(seconds=3)

def until(what):
    for _ in range(600):
        close_old_connections()
        try:
            if what():
                return
        except django.db.Error:
            pass
        threading.Event().wait(0.1)
    raise SystemExit(f"not within a minute: {what.__code__.co_consts}")

def arrived():
    second = world.simulators["second"]
    return sorted(note["description"].split("Step ")[1][0] for note in second.tenants["second.test"].notes.values()
                  if "Step " in note["description"])

def called(body):
    try:
        world.call(body)
    except RuntimeError as refused:
        assert "503" in str(refused), refused
        return False
    return True

def halted(owner, name):
    # Stop before the function is called for the first time from now on, until a line says go on.
    real, left = getattr(owner, name), [name]
    def stopping(*args, **more):
        if left:
            print("at", left.pop(), flush=True)
            sys.stdin.readline()
        return real(*args, **more)
    setattr(owner, name, stopping)

def points():
    from connectors.engine.inbound import reconcile
    from hub.domain import history
    yield reading, "_understood"        # claimed, not fetched
    yield history, "_settle"            # an event is written, and not committed
    yield reconcile, "_save"            # everything is followed, and not committed
    yield sender.Sender, "_intend"      # leased and composed
    yield sender.Sender, "_push"        # the vendor's record was read
    yield sender.Sender, "_complete"    # the vendor has it, and we have not stored it
    yield sender.Sender, "_arrive"      # the outcome is being stored
    yield leases, "release"             # done, and still leased

if sys.argv[1:] == ["halting"]:
    STEPS = list(points())
else:
    STEPS = [None] * 4

with TwoVendors() as world:
    worker = Dispatcher(threads=3)
    thread = threading.Thread(target=worker.run); thread.start()
    try:
        for number, point in enumerate(STEPS, 1):
            if point:
                halted(*point)
            world.add_note(number)
            body = world.news()
            until(lambda: called(body))
            until(lambda: len(arrived()) >= number)
            if not point:
                print("step", number, flush=True)
                sys.stdin.readline()
    finally:
        worker.stop(); thread.join()
    print("arrived", *arrived(), flush=True)
    from hub.models import Ticket
    until(lambda: Ticket.objects.exists())  # the database may just have been restarted
    call_command("verify_history"); call_command("verify_ledger")
"""


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Cluster]:
    need(clusters.binaries(), clusters.HOW)
    with clusters.cluster() as made:
        yield made


def environment(url: str, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "hub.settings",
        "TICKETHUB_VAR": str(folder),
        "TICKETHUB_LISTEN_URL": "",
        "TICKETHUB_PREPARED_STATEMENTS": "",
        "CELERY_BROKER_URL": "",
        "TICKETHUB_HOSTS": "testserver",
    }


def migrate(url: str, folder: Path) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment(url, folder), check=True, timeout=300
    )


def story(url: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STORY, *arguments],
        cwd=ROOT,
        env=environment(url, folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_everything_works_through_pgbouncer(postgresql: Cluster, tmp_path: Path) -> None:
    """In transaction mode: no cursor outlives its transaction, nothing is prepared, and no session has a state."""
    need(shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer"), "PgBouncer: apt-get install pgbouncer")
    direct = postgresql.make("bounced")
    with psycopg.connect(direct, autocommit=True) as session:
        session.execute("ALTER DATABASE bounced SET timezone = 'Asia/Tokyo'")
    with clusters.pgbouncer(postgresql, "bounced") as url:
        migrate(url, tmp_path)
        told, _ = story(url, tmp_path).communicate("\n" * 4, timeout=300)
        assert "arrived 1 2 3 4" in told, told
        code = (
            "import django; django.setup()\n"
            "from django.db import connection as c\n"
            "from hub.models import Event\n"
            "from hub.core.chunks import in_chunks\n"
            "assert len(list(in_chunks(Event.objects.all(), size=3))) == Event.objects.count() > 6\n"
            "assert len(list(Event.objects.order_by('pk').iterator(chunk_size=2))) == Event.objects.count()\n"
            "q = c.cursor()\n"
            "for _ in range(20):\n"
            "    list(Event.objects.filter(pk__gt=1)[:2])\n"
            "    q.execute('SHOW timezone'); assert q.fetchone() == ('UTC',)\n"
            "    q.execute('SELECT count(*) FROM pg_prepared_statements'); assert q.fetchone() == (0,)\n"
        )
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(url, tmp_path), check=True, timeout=120)


def test_a_restart_of_the_database_loses_and_repeats_nothing(postgresql: Cluster, tmp_path: Path) -> None:
    url = postgresql.make("restarted")
    migrate(url, tmp_path)
    process = story(url, tmp_path)
    assert process.stdin is not None
    assert process.stdout is not None
    told = ""
    try:
        for line in process.stdout:
            told += line
            if line.startswith("step"):
                if line.split()[1] in "13":
                    postgresql.stop(mode="immediate")
                    process.stdin.write("\n")  # it goes on while the database is away
                    process.stdin.flush()
                    postgresql.start()
                else:
                    process.stdin.write("\n")
                    process.stdin.flush()
        assert process.wait(60) == 0, told
    finally:
        process.kill()
        process.communicate()
    assert "arrived 1 2 3 4" in told, told


def test_a_restart_in_the_middle_of_each_step_loses_and_repeats_nothing(postgresql: Cluster, tmp_path: Path) -> None:
    """The database goes away at once, as in a crash, while the worker stands at each point of a change's way."""
    url = postgresql.make("halted")
    migrate(url, tmp_path)
    process = story(url, tmp_path, "halting")
    assert process.stdin is not None
    assert process.stdout is not None
    told, stood = "", []
    try:
        for line in process.stdout:
            told += line
            if line.startswith("at "):
                stood.append(line.split()[1])
                postgresql.stop(mode="immediate")
                postgresql.start()
                process.stdin.write("\n")
                process.stdin.flush()
        assert process.wait(60) == 0, told
    finally:
        process.kill()
        process.communicate()
    assert stood == ["_understood", "_settle", "_save", "_intend", "_push", "_complete", "_arrive", "release"], told
    assert "arrived 1 2 3 4 5 6 7 8" in told, told


def test_a_direct_session_keeps_its_statements_prepared(postgresql: Cluster, tmp_path: Path) -> None:
    """More than psycopg's own hundred, and after a change of a table the next process prepares them anew."""
    url = postgresql.make("prepared")
    migrate(url, tmp_path)
    code = (
        "import django; django.setup()\n"
        "from django.db import connection as c\n"
        "from hub.models import Ticket\n"
        "for most in range(1, 151):\n"
        "    for _ in range(5):\n"
        "        assert list(Ticket.objects.filter(pk__gt=most)[:most]) == []\n"
        "with c.cursor() as q:\n"
        "    q.execute('SELECT count(*) FROM pg_prepared_statements')\n"
        "    [found] = q.fetchone()\n"
        "assert 140 < found <= 300, found\n"
        "from hub.models import SearchWord\n"
        "words = [SearchWord(word=f'w{n}') for n in range(70_000)]\n"
        "SearchWord.objects.bulk_create(words)\n"
        "assert len(SearchWord.objects.in_bulk([each.word for each in words])) == 70_000\n"
    )
    direct = {**environment(url, tmp_path), "TICKETHUB_LISTEN_URL": url}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=direct, check=True, timeout=120)
