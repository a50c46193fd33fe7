"""The worker looks when there is work, not all the time: wake-ups, the one query of a sweep, and who goes first."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.models import Connection
from hub.core import jobs, wakeups
from hub.models import Organisation
from tests import factories
from worker import dispatcher
from worker.dispatcher import Dispatcher, Job
from worker.threads import Threads

ROOT = Path(__file__).resolve().parents[2]
WITHIN = 10.0
"""Seconds after which something that should happen at once counts as not happened."""


@pytest.fixture(autouse=True)
def _nothing_has_woken() -> Iterator[None]:
    wakeups.woken.clear()
    yield
    wakeups.woken.clear()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_wake_up_follows_the_commit_and_no_rollback() -> None:
    with transaction.atomic():
        wakeups.wake()
        assert not wakeups.woken.is_set()
    assert wakeups.woken.is_set()

    wakeups.woken.clear()
    with transaction.atomic():
        wakeups.wake()
        transaction.set_rollback(True)
    assert not wakeups.woken.is_set()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.postgresql
def test_another_process_wakes_the_worker_over_its_own_session(settings: Any) -> None:
    settings.LISTEN_URL = _direct_url()
    with wakeups.listening():
        assert wakeups.woken.wait(WITHIN)  # it listens
        wakeups.woken.clear()
        code = (
            "import django; django.setup()\nfrom hub.core import wakeups\nwakeups.wake()\n"
            "import threading; threading.Event().wait(2)"  # the thread that tells ends with its process
        )
        env = {"TICKETHUB_LISTEN_URL": _direct_url(), "DATABASE_URL": _direct_url()}
        _python(code, env)
        assert wakeups.woken.wait(WITHIN)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.postgresql
def test_a_lost_session_is_opened_again_and_looks_at_once(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeups, "RECONNECT_SECONDS", 0.1)
    settings.LISTEN_URL = _direct_url()
    with wakeups.listening():
        assert wakeups.woken.wait(WITHIN)
        wakeups.woken.clear()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'")
            assert cursor.rowcount >= 1
        assert wakeups.woken.wait(WITHIN)


def test_a_commit_of_another_process_to_sqlite_wakes_the_worker(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hub.sqlite3"
    monkeypatch.setattr(wakeups, "_log_file", lambda: Path(f"{path}-wal"))
    settings.LISTEN_URL = ""
    opened = f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('PRAGMA journal_mode=WAL'); "
    write = opened + "c.execute(%r); c.commit()"
    _python(write % "CREATE TABLE t (x)", {})
    with wakeups.listening():
        code = (write % "INSERT INTO t VALUES (1)") + "; import threading; threading.Event().wait(1)"
        _python(code, {})
        assert wakeups.woken.wait(WITHIN)


def _direct_url() -> str:
    at = connection.settings_dict
    return f"postgresql://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT'] or 5432}/{at['NAME']}"


def _python(code: str, env: dict[str, str]) -> None:
    full = {**os.environ, "DJANGO_SETTINGS_MODULE": "hub.settings", **env}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=full, check=True, timeout=120)


@pytest.mark.django_db
def test_a_sweep_without_work_is_one_query(us: Organisation) -> None:
    for number in range(5):
        vendor = factories.OrganisationFactory()
        Connection.objects.create(
            name=f"Idle {number}",
            organisation=vendor,
            connector="autotask",
            state="active",
            next_poll_at=timezone.now() + timedelta(hours=1),
        )
    with CaptureQueriesContext(connection) as captured:
        assert list(dispatcher.due()) == []
    assert len(captured) == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_idle_hub_costs_one_transaction_a_sweep(us: Organisation) -> None:
    """The dispatcher keeps its session from sweep to sweep; taking one from the pool sends a statement to check it."""
    worker = Dispatcher(threads=1)
    worker._do_chores()
    worker.sweep()
    taken = connection.pool.get_stats()["requests_num"]  # type: ignore[attr-defined]
    for _ in range(3):
        worker.sweep()
        worker._do_chores()
    assert connection.pool.get_stats()["requests_num"] == taken  # type: ignore[attr-defined]
    worker.chores_at = 0.0
    worker._do_chores()  # once a minute it goes back
    assert connection.connection is None


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_session_that_ended_between_two_sweeps_costs_no_pause(
    us: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Dispatcher(threads=1)
    worker.sweep()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [number] = cursor.fetchone()
    with psycopg.connect(_direct_url(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [number])
    assert worker._swept() == 0  # over a new session
    end = "SELECT pg_terminate_backend(pg_backend_pid())"
    monkeypatch.setattr(worker, "sweep", lambda: connection.cursor().execute(end))
    with pytest.raises(OperationalError):  # a database that stays away is for `_look`, which pauses
        worker._swept()
    connection.close()


@pytest.mark.django_db
def test_the_query_finds_exactly_the_jobs_with_rows(us: Organisation) -> None:
    vendor = factories.OrganisationFactory()
    made = Connection.objects.create(name="Due", organisation=vendor, connector="autotask", state="active")
    assert [job.name for job in jobs.with_work()] == ["poll"]
    assert list(dispatcher.due()) == [Job("poll", made.pk)]


def test_urgent_work_overtakes_what_waits() -> None:
    threads = Threads(1, name="test")
    go_on, done = threading.Event(), []
    threads.submit(lambda: go_on.wait(WITHIN))
    for number in range(3):
        threads.submit(lambda number=number: done.append(number) is None)  # type: ignore[misc]
    urgent = threads.submit(lambda: done.append("urgent") is None, is_urgent=True)
    go_on.set()
    urgent.result(WITHIN)
    threads.submit(lambda: True).result(WITHIN)
    threads.stop()
    assert done == ["urgent", 0, 1, 2]


def test_threads_end_what_has_begun_and_drop_the_rest() -> None:
    threads = Threads(1, name="test")
    begun, go_on = threading.Event(), threading.Event()
    first = threads.submit(lambda: begun.set() is None and go_on.wait(WITHIN))
    assert begun.wait(WITHIN)
    second = threads.submit(lambda: True)
    ending = threading.Thread(target=threads.stop)
    ending.start()
    while not second.cancelled():
        go_on.wait(0.01)
    go_on.set()
    ending.join(WITHIN)
    assert (first.result(), second.cancelled(), ending.is_alive()) == (True, True, False)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_row_that_is_due_in_vain_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a row that another worker holds nor one that is due again at once keeps the dispatcher busy."""
    worker = Dispatcher(threads=1)
    started = []
    kind = jobs.registered()["poll"]
    idle = dataclasses.replace(kind, due=lambda: [7], calls=None, run=lambda pk: started.append(pk) or 0)
    monkeypatch.setattr(jobs, "with_work", lambda **_more: [idle])
    monkeypatch.setattr(jobs, "registered", lambda: {"poll": idle})
    worker.sweep()
    worker.running[Job("poll", 7)].result(WITHIN)
    assert wakeups.woken.wait(WITHIN)  # its end wakes the dispatcher

    assert worker.sweep() == 0
    assert Job("poll", 7) in worker.handed_out
    assert started == [7]
    worker.pool.stop()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_wake_up_looks_only_for_what_a_commit_can_make_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """All kinds are looked for once a second, however often the dispatcher is woken."""
    asked: list[bool] = []
    monkeypatch.setattr(jobs, "with_work", lambda *, by_time=True: asked.append(by_time) or [])
    worker = Dispatcher(threads=1)
    for _ in range(3):
        worker.sweep()
    worker.swept_at -= dispatcher.SWEEP_SECONDS
    worker.sweep()
    assert asked == [True, False, False, True]


@pytest.mark.django_db
def test_what_becomes_due_by_time_is_found_by_the_whole_sweep_alone(us: Organisation) -> None:
    vendor = factories.OrganisationFactory()
    Connection.objects.create(name="Due", organisation=vendor, connector="autotask", state="active")
    assert [job.name for job in jobs.with_work()] == ["poll"]
    assert jobs.with_work(by_time=False) == []
    assert {job.name for job in jobs.registered().values() if not job.by_time} == {
        "mail", "read", "send", "look", "file", "acknowledge", "try", "rule", "notify", "react", "switch", "bulk",
        "workbook",
    }  # fmt: skip


class _Rows:
    """Rows of one kind of work; what a job does with its row is up to the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *due: int) -> None:
        self.due, self.begun = list(due), list[int]()
        self.changed = threading.Condition()
        self.then: dict[int, Any] = {}
        kind = dataclasses.replace(jobs.registered()["rule"], due=lambda: list(self.due), run=self.run)
        monkeypatch.setattr(jobs, "with_work", lambda **_more: [kind])
        monkeypatch.setattr(jobs, "registered", lambda: {"rule": kind})

    def run(self, row: int) -> int:
        self.due.remove(row)
        self.then.get(row, lambda: None)()
        with self.changed:
            self.begun.append(row)
            self.changed.notify_all()
        return 1

    def until(self, *rows: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.begun == list(rows), WITHIN), self.begun


@pytest.fixture
def made() -> Iterator[Dispatcher]:
    """A dispatcher whose threads end with the test."""
    made = Dispatcher(threads=2)
    yield made
    made.pool.stop()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_a_job_leaves_behind_is_found_soon_though_nothing_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for the whole sweep: rows that were hidden while the job held their record."""
    monkeypatch.setattr(dispatcher, "SWEEP_SECONDS", 1000.0)
    rows = _Rows(monkeypatch, 1)
    rows.then[1] = lambda: rows.due.append(2)
    worker = Dispatcher(threads=1)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        rows.until(1, 2)
    finally:
        worker.stop()
        thread.join(WITHIN)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_end_of_a_job_wakes_the_dispatcher_only_if_the_job_was_in_the_way(
    made: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, worker = _Rows(monkeypatch, 1), made
    begun, go_on = threading.Event(), threading.Event()
    worker.sweep()
    rows.until(1)
    worker.running[Job("rule", 1)].result(WITHIN)
    worker.pool.stop()
    assert not wakeups.woken.is_set()

    rows.due.append(3)
    rows.then[3] = lambda: begun.set() is None and go_on.wait(WITHIN)
    worker.sweep()
    assert begun.wait(WITHIN)
    rows.due.append(3)
    worker.sweep()
    assert worker.is_short
    go_on.set()
    assert wakeups.woken.wait(WITHIN)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_row_that_is_due_again_at_once_is_waited_for_and_others_are_not(
    made: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, worker = _Rows(monkeypatch, 1, 2), made
    rows.then[1] = lambda: rows.due.append(1)
    worker.sweep()
    for job in list(worker.running.values()):
        job.result(WITHIN)
    worker.sweep()
    assert worker.left_alone == {Job("rule", 1)}
    assert Job("rule", 2) in worker.handed_out
    assert worker._until_next(worker.handed_out[Job("rule", 1)]) == 0.0
