"""What is due and not done yet, by kind of work and connection: whether the workers keep up."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, F, IntegerField, Min, Value
from django.utils.functional import Promise

from hub.core import jobs
from hub.core.jobs import TimedJob


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """The rows of one kind of work that are due, of one connection if the work belongs to one."""

    label: Promise | str
    connection_id: int | None
    count: int
    seconds: int
    """For how long the oldest of them has been due."""


def backlogs() -> list[Backlog]:
    """Everything that is due now, what has waited longest first."""
    found = [backlog for job in jobs.with_work() for backlog in _backlogs_of(job)]
    return sorted(found, key=lambda backlog: -backlog.seconds)


def _backlogs_of(job: TimedJob) -> list[Backlog]:
    rows = (
        job.waiting()
        .order_by()
        .annotate(belongs_to=F(job.connection) if job.connection else Value(None, IntegerField()))
    )
    counted = rows.values_list("belongs_to").annotate(count=Count("pk", distinct=True), oldest=Min(job.since))
    at = job.clock()
    return [
        Backlog(
            label=job.label,
            connection_id=connection_id,
            count=count,
            seconds=max(0, int((at - oldest).total_seconds())) if oldest is not None else 0,
        )
        for connection_id, count, oldest in counted
        if count
    ]
