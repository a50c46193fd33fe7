"""The sweep that finds every row that is due: the rows are the queue.

Embedded, the functions run in threads of this process. With a broker only their ids are published,
and Celery workers run the same functions. Any number of dispatchers may run: rows are claimed.
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
from django.utils import timezone

from connectors.engine import acknowledging, alerts, awaited, inbox, polling, sending, trials, troubles
from connectors.models import Inbound, Trouble
from hub.clock import now
from hub.domain import clocks
from hub.signals import failed_receivers_due, retry_failed_receivers
from workflows import digests, posting, running, switching, timers, triage

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.2
PUBLISHED_SECONDS = 10.0
"""An id that was handed to the broker is not handed over again sooner: its row stays due until a worker claims it."""
WITHOUT_BROKER_SECONDS = 30.0
"""So long without a broker, and the dispatcher does the work itself."""
MAIL_THREADS = 2
"""Mail has a lane of its own: a message that takes long may hold up other mail for a while, and nothing else."""
ASK_BROKER_SECONDS = 5.0
"""A broker that cannot be reached is tried again so often."""


class NoBroker(Exception):
    """The broker cannot be reached; the message says why, without its address."""


@dataclass(frozen=True)
class Job:
    """One function for one row."""

    name: str
    row_id: int


RUN: dict[str, Callable[[int], object]] = {
    "poll": lambda row_id: polling.poll(connection_id=row_id),
    "read": lambda row_id: inbox.read(inbound_id=row_id),
    "mail": lambda row_id: inbox.read(inbound_id=row_id),
    "look": lambda row_id: inbox.look(link_id=row_id),
    "file": lambda row_id: awaited.fetch(awaited_id=row_id),
    "send": lambda row_id: sending.send(link_id=row_id),
    "expire": lambda row_id: timers.expire(leg_id=row_id, at=now()),
    "fire": lambda row_id: clocks.fire(clock_id=row_id, at=now()),
    "rule": lambda row_id: running.run(pending_id=row_id, at=now()),
    "triage": lambda row_id: triage.remind(triage_id=row_id, at=now()),
    "switch": lambda row_id: switching.run(switch_id=row_id, at=now()),
    "notify": lambda row_id: posting.send(notice_id=row_id),
    "digest": lambda row_id: digests.run(digest_id=row_id, at=now()),
    "try": lambda row_id: trials.run(trial_id=row_id),
    "silent": lambda row_id: alerts.tell_silent(alert_id=row_id, at=now()),
    "acknowledge": lambda row_id: acknowledging.send(alert_id=row_id),
    "react": lambda _row_id: retry_failed_receivers(),
}


def due() -> Iterator[Job]:
    """Every row that is due now."""
    at = timezone.now()
    yield from (Job("mail" if kind == Inbound.Kind.MAIL else "read", row) for row, kind in inbox.due_inbound(at=at))
    yield from (Job("send", row) for row in sending.due_links(at=at))
    yield from (Job("look", row) for row in inbox.due_looks(at=at))
    yield from (Job("file", row) for row in awaited.due(at=at))
    yield from (Job("poll", row) for row in polling.due_connections(at=at))
    yield from (Job("expire", row) for row in timers.due_legs(at=now()))
    yield from (Job("fire", row) for row in clocks.due_clocks(at=now()))
    yield from (Job("rule", row) for row in running.due_pending(at=now()))
    yield from (Job("triage", row) for row in triage.due(at=now()))
    yield from (Job("switch", row) for row in switching.due(at=now()))
    yield from (Job("notify", row) for row in posting.due_notices(at=at))
    yield from (Job("digest", row) for row in digests.due_digests())
    yield from (Job("silent", row) for row in alerts.due_silent(at=now()))
    yield from (Job("acknowledge", row) for row in acknowledging.due(at=at))
    yield from (Job("try", row) for row in trials.due(at=at))
    if failed_receivers_due():
        yield Job("react", 0)


class Dispatcher:
    """Sweeps until it is stopped; each row at most once at a time in this process."""

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
        """Since when the broker could not be reached, by the time since start."""
        self.asked_at = 0.0

    def every_minute(self, chore: Callable[[], object]) -> None:
        """Call this now and about once a minute, in the dispatcher's own thread: it has to be quick."""
        self.chores.append(chore)

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                self.sweep()
                self._do_chores()
            except DatabaseError as error:
                log.warning("The database did not answer: %s", str(error).splitlines()[0] if str(error) else "")
                connections.close_all()
                self.stopped.wait(2)
            except Exception:  # the top: nothing may end the dispatcher
                log.exception("A sweep failed")
                self.stopped.wait(2)
            self.stopped.wait(PAUSE_SECONDS)
        for pool in (self.pool, self.mail_pool):
            pool.shutdown(wait=True, cancel_futures=True)

    def sweep(self) -> int:
        """Start what is due and not running; how many were started."""
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
                pool = self.mail_pool if job.name == "mail" else self.pool
                self.running[job] = pool.submit(_run, job)
            else:
                continue
            started += 1
        return started

    def _is_published(self, job: Job, at: float) -> bool:
        """Whether the broker took it; one that cannot be reached is left alone for a few seconds."""
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
                f"{error} After {WITHOUT_BROKER_SECONDS:.0f} seconds the dispatcher does the work itself.",
            )
            return False
        if self.lost_at is not None:
            self.lost_at = None
            troubles.end(Trouble.Kind.BROKER)
        return True

    def _is_alone(self, at: float) -> bool:
        """Whether the broker has been away for so long that the work is done here."""
        return self.lost_at is not None and at - self.lost_at >= WITHOUT_BROKER_SECONDS

    def _do_chores(self) -> None:
        if time.monotonic() < self.chores_at:
            return
        self.chores_at = time.monotonic() + 60
        for chore in self.chores:
            chore()

    def stop(self) -> None:
        self.stopped.set()


def _run(job: Job) -> None:
    try:
        RUN[job.name](job.row_id)
    except Exception:  # the top: nothing may end the worker
        log.exception("%s %s failed", job.name, job.row_id)
    finally:
        connections.close_all()


def drain(*, most: int = 200) -> int:
    """Run everything that is due in this thread until nothing is; for tests and commands."""
    done = 0
    for _ in range(most):
        jobs = list(due())
        if not jobs:
            return done
        for job in jobs:
            RUN[job.name](job.row_id)
            done += 1
    return done
