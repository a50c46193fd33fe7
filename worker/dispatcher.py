"""The dispatcher, which repeatedly finds the rows that are due. The rows are the queue.

Without a broker, the jobs run in threads of this process. With a broker, only their ids are published,
and Celery workers run the jobs. Any number of dispatchers may run, because rows are claimed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from django.db import Error as DatabaseError
from django.db import close_old_connections, connections

from connectors.engine.operations import troubles
from connectors.models import Trouble
from hub.core import jobs
from hub.core.sentences import sentence

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.2
PUBLISHED_SECONDS = 10.0
"""An id is not published again before this time has passed: its row stays due until a worker claims it."""
WITHOUT_BROKER_SECONDS = 30.0
"""How long the broker may be unreachable before the dispatcher runs the jobs itself."""
MAIL_THREADS = 2
"""Mail has threads of its own, so that a message that takes long delays only other mail."""
ASK_BROKER_SECONDS = 5.0
"""How often an unreachable broker is tried again."""


class NoBroker(Exception):
    """The broker cannot be reached. The message gives the reason without the broker's URL."""


@dataclass(frozen=True)
class Job:
    """One job for one row."""

    name: str
    row_id: int


def due() -> Iterator[Job]:
    """All rows that are due now, of all jobs."""
    for job in jobs.registered().values():
        yield from (Job(job.name, row) for row in job.due())


class Dispatcher:
    """Starts jobs that are due until it is stopped; each row at most once at a time in this process."""

    def __init__(self, *, threads: int, publish: Callable[[Job], None] | None = None) -> None:
        self.stopped = threading.Event()
        self.publish = publish
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="work")
        self.mail_pool = ThreadPoolExecutor(MAIL_THREADS, thread_name_prefix="mail")
        self.running: dict[Job, Future[None]] = {}
        self.published: dict[Job, float] = {}
        self.chores: list[Callable[[], object]] = []
        self.chores_at = 0.0
        self.lost_at: float | None = None
        """Since when the broker has been unreachable, in monotonic seconds."""
        self.asked_at = 0.0

    def every_minute(self, chore: Callable[[], object]) -> None:
        """Call this now and about once a minute, in the dispatcher's own thread. It must be quick."""
        self.chores.append(chore)

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                self.sweep()
                self._do_chores()
            except DatabaseError as error:
                log.warning("The database is not responding: %s", str(error).splitlines()[0] if str(error) else "")
                connections.close_all()
                self.stopped.wait(2)
            except Exception:  # last resort: no error may end the dispatcher
                log.exception("A sweep failed")
                self.stopped.wait(2)
            self.stopped.wait(PAUSE_SECONDS)
        for pool in (self.pool, self.mail_pool):
            pool.shutdown(wait=True, cancel_futures=True)

    def sweep(self) -> int:
        """Start all jobs that are due and not running; returns the number started."""
        close_old_connections()
        at = time.monotonic()
        self.running = {job: future for job, future in self.running.items() if not future.done()}
        self.published = {job: when for job, when in self.published.items() if at - when < PUBLISHED_SECONDS}
        started = 0
        for job in due():
            if job in self.running or job in self.published:
                continue
            if self._is_published(job, at):
                self.published[job] = at
            elif self.publish is None or self._is_alone(at):
                pool = self.mail_pool if jobs.registered()[job.name].queue == "mail" else self.pool
                self.running[job] = pool.submit(_run, job)
            else:
                continue
            started += 1
        return started

    def _is_published(self, job: Job, at: float) -> bool:
        """Whether the broker accepted the job. An unreachable broker is not tried again for a few seconds."""
        if self.publish is None or (self.lost_at is not None and at - self.asked_at < ASK_BROKER_SECONDS):
            return False
        try:
            self.publish(job)
        except NoBroker as error:
            self.asked_at = time.monotonic()
            if self.lost_at is None:
                self.lost_at = at
            troubles.begin(
                Trouble.Kind.BROKER,
                sentence(
                    "%(reason)s After %(seconds)s seconds, the dispatcher runs the jobs itself.",
                    reason=str(error),
                    seconds=int(WITHOUT_BROKER_SECONDS),
                ),
            )
            return False
        if self.lost_at is not None:
            self.lost_at = None
            troubles.end(Trouble.Kind.BROKER)
        return True

    def _is_alone(self, at: float) -> bool:
        """Whether the broker has been unreachable for so long that the jobs run here."""
        return self.lost_at is not None and at - self.lost_at >= WITHOUT_BROKER_SECONDS

    def _do_chores(self) -> None:
        if time.monotonic() < self.chores_at:
            return
        self.chores_at = time.monotonic() + 60
        for chore in self.chores:
            chore()

    def stop(self) -> None:
        self.stopped.set()


def run(job: Job) -> None:
    """Run one job for one row, in this thread."""
    jobs.registered()[job.name].run(job.row_id)


def _run(job: Job) -> None:
    try:
        run(job)
    except Exception:  # last resort: no error may end the worker
        log.exception("%s %s failed", job.name, job.row_id)
    finally:
        connections.close_all()


def drain(*, most: int = 200) -> int:
    """Run all jobs that are due in this thread, until none is; for tests and commands."""
    done = 0
    for _ in range(most):
        jobs = list(due())
        if not jobs:
            return done
        for job in jobs:
            run(job)
            done += 1
    return done
