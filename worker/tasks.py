"""The Celery task, which runs the same jobs by their ids."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.db import close_old_connections

from hub.core import jobs, wakeups
from hub.core.sentences import sentence
from worker import dispatcher


@shared_task(acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]
def run(*, name: str, row_id: int, **_: Any) -> None:
    """Run one job. Rows are claimed, so a task that is delivered twice does nothing the second time."""
    try:
        dispatcher.run(dispatcher.Job(name, row_id))
        wakeups.wake()  # it may have made work for another job
    finally:
        close_old_connections()  # on PostgreSQL this returns the session to the pool


def publish(job: dispatcher.Job) -> None:
    """Publish a job's id to the broker; if it is lost, the next sweep finds the row again. Raises only NoBroker."""
    try:
        run.apply_async(
            kwargs={"name": job.name, "row_id": job.row_id},
            queue=jobs.registered()[job.name].queue,
            expires=60,
            retry=False,  # the dispatcher tries again
        )
    except Exception as error:  # each transport has its own errors, and none of them may end the dispatcher
        raise dispatcher.NoBroker(
            sentence("The broker did not accept a job (%(kind)s).", kind=type(error).__name__)
        ) from error
