"""Timed jobs: work that becomes due at a time and is processed row by row.

An app registers its jobs when it is ready, so the worker needs no list of jobs. The rows are the queue: a job's query
finds the rows that are due, and its function claims one, so that a row handed out twice is processed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class TimedJob:
    """One kind of timed work."""

    name: str
    """The job's name in the broker's messages. It must never change."""
    due: Callable[[], Iterable[int]]
    """The primary keys of the rows that are due now, most urgent first. A job that has no rows yields 0."""
    run: Callable[[int], object]
    """Claims and processes one row; does nothing if the row is no longer due."""
    queue: str = "sync"
    """The broker's queue, which decides which workers take the job."""
    reads: bool = False
    """Whether the job reads input from others. Such jobs run first, so that an answer counts before a deadline."""


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
