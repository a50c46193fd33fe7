"""Celery's side of the dispatcher: the same functions, started by an id."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from hub.core import jobs
from worker import dispatcher


@shared_task(acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]
def run(*, name: str, row_id: int, **_: Any) -> None:
    """Run one job; rows are claimed, so a task that comes twice does nothing the second time."""
    dispatcher.run(dispatcher.Job(name, row_id))


def publish(job: dispatcher.Job) -> None:
    """Hand a job's id to the broker; a lost one is found again by the next sweep. Raises NoBroker, and nothing else."""
    try:
        run.apply_async(
            kwargs={"name": job.name, "row_id": job.row_id},
            queue=jobs.registered()[job.name].queue,
            expires=60,
            retry=False,  # the dispatcher comes again by itself
        )
    except Exception as error:  # each transport has errors of its own, and none of them may end the dispatcher
        raise dispatcher.NoBroker(f"It did not take what is to be done ({type(error).__name__}).") from error
