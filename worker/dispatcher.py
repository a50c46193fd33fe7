"""The dispatcher, which finds the rows that are due and has them processed. The rows are the queue.

It looks when it is woken (`hub.core.wakeups`) and otherwise once a second: with one query for all kinds of work.
Without a broker, the jobs run in threads of this process. With a broker, only their ids are published, and Celery
workers run the jobs. Any number of dispatchers may run, because rows are claimed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, close_old_connections, connections

from connectors.engine import rate_limits
from connectors.engine.operations import troubles
from connectors.models import Trouble
from hub.core import jobs, wakeups
from hub.core.jobs import Due, TimedJob
from hub.core.sentences import sentence
from hub.egress import kept
from worker.threads import Threads

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
"""How often the dispatcher looks for work if nothing wakes it."""
GAP_SECONDS = 0.01
"""The shortest time between two sweeps."""
MOST_GAP_SECONDS = 0.25
"""The longest time without a sweep while there is work, however long a sweep takes."""
AGAIN_SECONDS = 0.02
"""A row that is due again is not processed again before this time has passed."""
IN_VAIN_SECONDS = 0.2
"""The same for a row whose job had nothing to do, although the row was due."""
PUBLISHED_SECONDS = 10.0
"""An id is not published again before this time has passed: its row stays due until a worker claims it."""
WITHOUT_BROKER_SECONDS = 30.0
"""How long the broker may be unreachable before the dispatcher runs the jobs itself."""
SOON_SECONDS = 0.2
"""A job's end leads to a sweep after this time at the latest; what the job committed has usually led to one before."""
MANY = 20
"""A list of this many due rows may not be the whole list, so the end of a job leads to a sweep at once."""
REFILL = 25
"""While more jobs of a kind than this wait for a thread, only urgent rows of the kind are asked for."""
MAIL_THREADS = 2
"""Mail has threads of its own, so that a message that takes long delays only other mail."""
ASK_BROKER_SECONDS = 5.0
"""How often an unreachable broker is tried again."""


Lane = tuple[int, str]
"""A connection, and what is counted of the calls to its system: see `Due.lane`."""


class NoBroker(Exception):
    """The broker cannot be reached. The message gives the reason without the broker's URL."""


@dataclass(frozen=True)
class Job:
    """One job for one row."""

    name: str
    row_id: int


def due() -> Iterator[Job]:
    """All rows that are due now, of all jobs."""
    for job in jobs.with_work():
        yield from (Job(job.name, row) for row in job.due())


class Dispatcher:
    """Starts jobs that are due until it is stopped; each row at most once at a time in this process."""

    def __init__(self, *, threads: int, calls: int = 4, publish: Callable[[Job], None] | None = None) -> None:
        """`threads` jobs run at once that only use the database, and `calls` jobs that call other systems."""
        self.stopped = threading.Event()
        self.publish = publish
        self.pool = Threads(threads, name="work")
        self.mail_pool = Threads(MAIL_THREADS, name="mail")
        self.call_pool = Threads(calls, name="call")
        self.running: dict[Job, Future[bool]] = {}
        self.called: dict[Job, Lane] = {}
        """Of the running jobs those that call other systems."""
        self.turn = 0
        self.swept_at = -SWEEP_SECONDS
        """When all kinds of work were looked for, in monotonic seconds."""
        self.in_vain = 0
        """How many sweeps in a row were woken and found nothing to start."""
        self.handed_out: dict[Job, float] = {}
        """Until when a row is left alone although it is due, in monotonic seconds."""
        self.left_alone: set[Job] = set()
        """The rows that were due in the last sweep although they had just been processed."""
        self.is_short = False
        """Whether the last sweep left work that can start as soon as a job ends."""
        self.chores: list[Callable[[], object]] = []
        self.chores_at = 0.0
        self.lost_at: float | None = None
        """Since when the broker has been unreachable, in monotonic seconds."""
        self.asked_at = 0.0

    def every_minute(self, chore: Callable[[], object]) -> None:
        """Call this now and about once a minute, in the dispatcher's own thread. It must be quick."""
        self.chores.append(chore)

    def run(self) -> None:
        try:
            with wakeups.listening(), rate_limits.passing_slots_on(), kept.on():
                while not self.stopped.is_set():
                    self._look()
        finally:
            pools = (self.pool, self.mail_pool, self.call_pool)
            for pool in pools:
                pool.cancel()
            for pool in pools:
                pool.stop()

    def _look(self) -> None:
        """Sweep once, and wait until there may be something to do again."""
        is_woken = wakeups.woken.is_set()
        wakeups.woken.clear()
        began = time.monotonic()
        try:
            started = self._swept()
            self.in_vain = 0 if started or not is_woken else min(self.in_vain + 1, 5)
            rate_limits.give_back_idle()
            kept.close_idle()
            self._do_chores()
        except DatabaseError as error:
            log.warning("The database is not responding: %s", _first_line(error))
            connections.close_all()
            self.stopped.wait(2)
        except Exception:  # last resort: no error may end the dispatcher
            log.exception("A sweep failed")
            connections.close_all()
            self.stopped.wait(2)
        # However much there is to do, sweeps take at most a quarter of this thread's time; and less while commits
        # that make no work for us wake it, such as those of an import.
        gap = max(GAP_SECONDS * 2**self.in_vain, 3 * (time.monotonic() - began))
        self.stopped.wait(min(MOST_GAP_SECONDS, gap))
        while not wakeups.woken.wait(min(SOON_SECONDS, self._until_next(time.monotonic()))):
            if self._until_next(time.monotonic()) <= 0 or any(job.done() for job in self.running.values()):
                return

    def _until_next(self, at: float) -> float:
        """How many seconds may pass until the next sweep if nothing wakes the dispatcher."""
        again = [self.handed_out[job] for job in self.left_alone if job in self.handed_out]
        return max(0.0, min([self.swept_at + SWEEP_SECONDS, *again]) - at)

    def _swept(self) -> int:
        """Sweep; once more over a new session if the one that was kept since the last sweep has ended meanwhile."""
        try:
            return self.sweep()
        except (OperationalError, InterfaceError) as error:
            log.info("The dispatcher's database session has ended: %s", _first_line(error))
            connections.close_all()
            self.swept_at = 0.0
            return self.sweep()

    def sweep(self) -> int:
        """Start all jobs that are due and not running; returns the number started."""
        at = time.monotonic()
        for job, future in list(self.running.items()):
            if future.done():
                del self.running[job]
                self.called.pop(job, None)
                self.handed_out[job] = at + (AGAIN_SECONDS if future.result() else IN_VAIN_SECONDS)
                if future.result() and (kind := jobs.registered().get(job.name)) and kind.by_time:
                    self.swept_at = at - SWEEP_SECONDS  # there may be more of what was processed in part
        self.handed_out = {job: until for job, until in self.handed_out.items() if until > at}
        self.left_alone, self.is_short = set(), False
        if at - self.swept_at >= SWEEP_SECONDS:
            self.swept_at, kinds = at, jobs.with_work()
        else:  # woken in between
            kinds = jobs.with_work(by_time=False)
        is_here = self.publish is None or self._is_alone(at)
        calling = [kind for kind in kinds if kind.calls is not None and is_here]
        started = self._start_calls(calling, at) if calling else 0
        for kind in kinds:
            if kind not in calling:
                rows = list(kind.due())
                self.is_short |= len(rows) >= MANY
                started += sum(self._start(Job(kind.name, row_id), kind, at) for row_id in rows)
        return started

    def _start_calls(self, kinds: Sequence[TimedJob], at: float) -> int:
        """Start jobs that call other systems: first what people wait for, then the kinds in turn."""
        self.turn += 1
        first = self.turn % len(kinds)
        kinds = [*kinds[first:], *kinds[:first]]  # each sweep another kind gets the places that have become free
        in_flight = Counter(self.called.values())
        waits = Counter(job.name for job in self.called if not self.running[job].running())
        started, known = 0, dict[str, Sequence[Due]]()
        for is_urgent in (True, False):
            for kind in kinds:
                self.is_short |= waits[kind.name] >= REFILL
                if kind.is_for_people if is_urgent else waits[kind.name] < REFILL:
                    if kind.name not in known and kind.calls is not None:
                        known[kind.name] = kind.calls(())
                    started += self._start_kind(kind, known[kind.name], in_flight, at, only_urgent=is_urgent)
        return started

    def _start_kind(
        self, kind: TimedJob, calls: Sequence[Due], in_flight: Counter[Lane], at: float, *, only_urgent: bool
    ) -> int:
        """Start jobs of one kind, so many for each system that the others get their turn."""
        assert kind.calls is not None
        started, full, is_limited = 0, set[int](), True
        self.is_short |= len(calls) >= MANY
        while is_limited:
            is_limited = False
            for call in calls:
                if only_urgent and not call.is_urgent:
                    break
                lane = (call.system, call.lane)
                if in_flight[lane] >= call.most:
                    is_limited |= call.system not in full
                    full.add(call.system)
                    self.is_short = True
                else:
                    for job in self._start_call(kind, call, at):
                        self.called[job] = lane
                        in_flight[lane] += 1
                        started += 1
            calls = kind.calls(full) if is_limited else ()
        return started

    def _start_call(self, kind: TimedJob, call: Due, at: float) -> list[Job]:
        """The jobs that run here now for those rows of the call that did not run already; one for all its rows."""
        jobs_left = [Job(kind.name, row_id) for row_id in (call.row_id, *call.others)]
        jobs_left = [job for job in jobs_left if not self._is_taken(job)]
        if len(jobs_left) <= 1 or kind.run_all is None or self.publish is not None:
            started = [job for job in jobs_left if self._start(job, kind, at, is_urgent=call.is_urgent)]
            return [job for job in started if job in self.running]  # not those that the broker took
        future = self._submit(kind, lambda: _run_all(jobs_left), is_urgent=call.is_urgent)
        self.running |= dict.fromkeys(jobs_left, future)
        return jobs_left[:1]

    def _is_taken(self, job: Job) -> bool:
        """Whether the row's job runs or has just run. The row is due all the same, so it is looked at again."""
        if job in self.running:
            self.is_short = True
            return True
        if job in self.handed_out:
            self.left_alone.add(job)
            return True
        return False

    def _start(self, job: Job, kind: TimedJob, at: float, *, is_urgent: bool = False) -> bool:
        """Whether the job was started, here or by the broker. One that runs is not started again."""
        if self._is_taken(job):
            return False
        if self._is_published(job, at):
            # Row 0 stands for whatever is due of a kind, and more may be due at once.
            self.handed_out[job] = at + (PUBLISHED_SECONDS if job.row_id else SWEEP_SECONDS)
            return True
        if self.publish is None or self._is_alone(at):
            self.running[job] = self._submit(kind, lambda: _run_all([job]), is_urgent=is_urgent)
            return True
        return False

    def _submit(self, kind: TimedJob, call: Callable[[], bool], *, is_urgent: bool) -> Future[bool]:
        calling = self.pool if kind.calls is None else self.call_pool
        pool = self.mail_pool if kind.queue == "mail" else calling
        future = pool.submit(call, is_urgent=is_urgent)
        future.add_done_callback(lambda _future: self._wake_after(kind))
        return future

    def _wake_after(self, kind: TimedJob) -> None:
        """Sweep at once after a job if it was in the way of another, or may have left rows that are due by time."""
        if self.is_short or kind.by_time:
            wakeups.woken.set()

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
        # Between two sweeps the dispatcher keeps its session: to check it each time would double the idle hub's work.
        close_old_connections()
        for chore in self.chores:
            chore()

    def stop(self) -> None:
        self.stopped.set()
        wakeups.woken.set()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")


def run(job: Job) -> bool:
    """Run one job for one row, in this thread; False if the job says that there was nothing to do."""
    done = jobs.registered()[job.name].run(job.row_id)
    return done is None or bool(done)


def _run_all(together: Sequence[Job]) -> bool:
    """Run one job, or several of one kind together; False if there was nothing to do."""
    close_old_connections()
    try:
        if len(together) == 1:
            return run(together[0])
        run_all = jobs.registered()[together[0].name].run_all
        assert run_all is not None
        done = run_all([job.row_id for job in together])
        return done is None or bool(done)
    except Exception:  # last resort: no error may end the worker
        log.exception("%s failed", ", ".join(f"{job.name} {job.row_id}" for job in together))
        return False
    finally:
        close_old_connections()  # on PostgreSQL this returns the session to the pool


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
