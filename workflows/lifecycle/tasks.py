"""Tasks of our own people on a ticket: added, completed, and with a reminder when they are due."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from hub.core.sentences import sentence
from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import EventKind, Phase, Ticket, User
from hub.translation import Refusal
from workflows.models import Task
from workflows.notifications import notify
from workflows.notifications.notify import Told


class NotPossible(Refusal):
    """The task cannot be added or changed; the message says why."""


@transaction.atomic
def add(
    *, ticket: Ticket, title: str, assignee: User | None, due_at: datetime | None, actor: Actor, at: datetime
) -> Task:
    """Add a task. NotPossible for a cancelled ticket or without a text."""
    ticket = tickets.locked(ticket)
    if ticket.phase == Phase.CANCELLED:
        raise NotPossible(sentence("%(label)s is cancelled; nothing can be added to it.", label=ticket.label))
    if not title.strip():
        raise NotPossible(sentence("Enter what has to be done."))
    task = Task.objects.create(ticket=ticket, title=title.strip()[:255], assignee=assignee, due_at=due_at)
    _record(task, EventKind.TASK_ADDED, actor, at)
    return task


@transaction.atomic
def complete(*, task: Task, actor: Actor, at: datetime) -> Task:
    """Mark a task as done. A task that is done already stays as it is."""
    task.ticket = tickets.locked(task.ticket)
    if Task.objects.filter(pk=task.pk, done_at=None).update(done_at=at):
        _record(task, EventKind.TASK_DONE, actor, at)
    return task


def _record(task: Task, kind: EventKind, actor: Actor, at: datetime) -> None:
    history.record(
        ticket=task.ticket,
        kind=kind,
        payload={
            "task": task.public_id,
            "assignee": task.assignee.public_id if task.assignee else "",
            "due": task.due_at.isoformat() if task.due_at else "",
        },
        texts={"title": task.title},
        actor=actor,
        at=at,
    )


# -- what is due


def waiting(*, at: datetime) -> QuerySet[Task]:
    """Open tasks that are due and for which no reminder has been sent."""
    return Task.objects.filter(done_at=None, reminded_at=None, due_at__lte=at)


def due(*, at: datetime, limit: int = 50) -> list[int]:
    """The primary keys of these tasks, longest due first."""
    return list(waiting(at=at).order_by("due_at", "pk").values_list("pk", flat=True)[:limit])


@transaction.atomic
def remind(*, task_id: int, at: datetime) -> bool:
    """Notify the assignee of a task that is due, once; False if somebody else was quicker."""
    tickets.locked(Ticket.objects.get(tasks=task_id))  # always before its tasks
    if not Task.objects.filter(pk=task_id, done_at=None, reminded_at=None).update(reminded_at=at):
        return False
    task = Task.objects.select_related("ticket__status", "ticket__service", "ticket__holder", "assignee").get(
        pk=task_id
    )
    if task.assignee is not None and task.ticket.phase != Phase.CANCELLED:
        why = sentence("A task of yours is due: %(task)s", task=task.title)
        told = Told(key=f"task:{task.public_id}", kind="task", ticket=task.ticket, why=why)
        notify.tell(told, notify.people([task.assignee]), at=at)
    return True
