"""Timed jobs: work that becomes due at a time and is processed row by row.

An app registers its jobs when it is ready, so the worker needs no list of jobs. The rows are the queue: a job's query
finds the rows that are due, and its function claims one, so that a row handed out twice is processed once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet
from django.utils.functional import Promise

from hub.core import among
from hub.core import clock as clocks
from hub.core.compiled import Compiled


class Due(NamedTuple):
    """A row that is due, for a job that calls other systems."""

    row_id: int
    system: int
    """The connection whose system is called."""
    most: int
    """How many such jobs one process runs for this system at once."""
    lane: str = "in"
    """What `most` counts: jobs that read do not keep those from running that write."""
    is_urgent: bool = False
    """Whether a person waits for it. Such a row overtakes everything else that waits."""
    others: tuple[int, ...] = ()
    """More rows of the same system that are run together with this one."""


@dataclass(frozen=True, kw_only=True)
class TimedJob:
    """One kind of timed work."""

    name: str
    """The job's name in the broker's messages. It must never change."""
    waiting: Callable[[], QuerySet[Any]]
    """The rows among which `due` chooses; `due` is called only if there are any. Asked often, so it needs an index.

    The query is compiled once per process: it reads the time from `hub.core.clock` and nothing else that changes.
    """
    due: Callable[[], Iterable[int]]
    """The primary keys of the rows that are due now, most urgent first; called only if `waiting` has rows."""
    run: Callable[[int], object]
    """Claims and processes one row; does nothing if the row is no longer due, and may then return 0 or False."""
    label: Promise | str
    """What the work is called on pages."""
    since: str
    """The field of `waiting` rows since when a row is due."""
    connection: str = ""
    """The field of `waiting` rows that names the connection; empty if the work belongs to none."""
    clock: Callable[[], datetime] = clocks.system
    """The time that `since` is compared with: system time, or the time of the record (`hub.core.clock.now`)."""
    queue: str = "sync"
    """The broker's queue, which decides which workers take the job."""
    reads: bool = False
    """Whether the job reads input from others. Such jobs run first, so that an answer counts before a deadline."""
    by_time: bool = False
    """Whether time alone makes its rows due: a wake-up is no reason to look for them, the sweep of each second is."""
    calls: Callable[[Collection[int]], Sequence[Due]] | None = None
    """For a job that calls other systems: the rows that are due, except those of the connections given."""
    run_all: Callable[[Sequence[int]], object] | None = None
    """Like `run`, for the rows of one `Due` that has others."""
    is_for_people: bool = False
    """Whether its rows can be urgent. Urgent rows come first in what `calls` returns."""


_jobs: dict[str, TimedJob] = {}


def register(*jobs: TimedJob) -> None:
    """Register jobs for the worker. Raises ValueError if a name is already registered."""
    for job in jobs:
        if job.name in _jobs:
            raise ValueError(f"A timed job named “{job.name}” is already registered.")
        _jobs[job.name] = job


def registered() -> Mapping[str, TimedJob]:
    """All jobs by name: jobs that read first, then the others, each in the order of registration."""
    return MappingProxyType(dict(sorted(_jobs.items(), key=lambda item: not item[1].reads)))


def with_work(*, by_time: bool = True) -> list[TimedJob]:
    """The jobs that have waiting rows, found by one query; without `by_time` only those that a commit can make due."""
    asked = tuple(job for job in registered().values() if by_time or not job.by_time)
    if not asked:
        return []
    [found] = _which(asked, connection.vendor).rows()
    return [job for job, has_rows in zip(asked, found, strict=True) if has_rows]


@lru_cache(maxsize=8)
def _which(asked: tuple[TimedJob, ...], _vendor: str) -> Compiled:
    """The query that says of each job whether it has waiting rows."""
    return Compiled(lambda: among.statement(job.waiting() for job in asked))
