"""Timed jobs: work that is due at a time, each row of it by itself.

An app registers its jobs when it is ready; the worker reads them from here and names none. The rows are the queue: a
job's query finds those that are due, and its function claims one, so that a row handed out twice is run once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class TimedJob:
    """One kind of timed work."""

    name: str
    """Names the job in the broker's messages: it never changes."""
    due: Callable[[], Iterable[int]]
    """The primary keys of the rows that are due now, the most urgent first. One that is not about a row yields 0."""
    run: Callable[[int], object]
    """Run one row; claims it first, and does nothing where it is not due any more."""
    queue: str = "sync"
    """The queue of the broker, and so which workers take it."""
    reads: bool = False
    """Whether it reads what others wrote. Such jobs come first: an answer that is here counts before a deadline."""


_jobs: dict[str, TimedJob] = {}


def register(*jobs: TimedJob) -> None:
    """Make jobs known to the worker. Raises ValueError for a name that is taken."""
    for job in jobs:
        if job.name in _jobs:
            raise ValueError(f"There is a timed job named “{job.name}” already.")
        _jobs[job.name] = job


def registered() -> Mapping[str, TimedJob]:
    """Every job by its name: those that read first, otherwise in the order in which they were registered."""
    return MappingProxyType(dict(sorted(_jobs.items(), key=lambda item: not item[1].reads)))
