"""The timed jobs of the record: breaches of clocks, and retries of failed receivers."""

from __future__ import annotations

from collections.abc import Iterator

from hub.core.clock import now
from hub.core.jobs import TimedJob, register
from hub.domain import clocks
from hub.domain.signals import failed_receivers_due, retry_failed_receivers


def _failed_receivers() -> Iterator[int]:
    if failed_receivers_due():
        yield 0


register(
    TimedJob(name="fire", due=lambda: clocks.due_clocks(at=now()), run=lambda pk: clocks.fire(clock_id=pk, at=now())),
    TimedJob(name="react", due=_failed_receivers, run=lambda _pk: retry_failed_receivers()),
)
