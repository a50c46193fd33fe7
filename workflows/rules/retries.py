"""Failed actions of rules: retried or dismissed by a person."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from hub.core.sentences import sentence
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import User
from workflows.lifecycle.transitions import MoveRefused
from workflows.models import FailedAction, Pending
from workflows.rules.context import context
from workflows.rules.execution import ActionRefused, Execution
from workflows.rules.registry import ACTIONS, BadParams


def retry(failed: FailedAction, *, actor: Actor, at: datetime) -> str:
    """Perform the action now; returns what was done, in words. ActionRefused says why it still fails."""
    try:
        return _perform(failed, actor=actor, at=at)
    except ActionRefused as refused:
        FailedAction.objects.filter(pk=failed.pk, resolved_at=None).update(why=str(refused))
        raise


@transaction.atomic
def _perform(failed: FailedAction, *, actor: Actor, at: datetime) -> str:
    failed = FailedAction.objects.select_for_update(of=("self",)).select_related("ticket").get(pk=failed.pk)
    if failed.resolved_at is not None:
        return failed.resolution
    kind = ACTIONS.get(failed.kind)
    if kind is None:
        raise ActionRefused(sentence("The action “%(kind)s” no longer exists.", kind=failed.kind))
    seen = context(tickets.locked(failed.ticket), at=at)
    try:
        with transaction.atomic():
            params = kind.judged(failed.params)
            done = str(kind.do(seen, params, Execution(ticket=seen.ticket, actor=actor, at=at, rule=failed.rule)))
    except (ActionRefused, MoveRefused, tickets.NotEditable, messages.NotSaid, BadParams) as refused:
        raise ActionRefused(str(refused)) from refused
    return _resolve(failed, done or _("done"), at)


@transaction.atomic
def dismiss(failed: FailedAction, *, user: User, reason: str, at: datetime) -> str:
    """Mark a failed action as handled without performing it, with a reason."""
    return _resolve(failed, f"{user}: {reason}", at)


def _resolve(failed: FailedAction, resolution: str, at: datetime) -> str:
    FailedAction.objects.filter(pk=failed.pk, resolved_at=None).update(resolved_at=at, resolution=resolution[:300])
    return resolution[:300]


def again(pending: Pending, *, at: datetime) -> None:
    """Schedule a failed rule again, at this time."""
    Pending.objects.filter(pk=pending.pk, state=Pending.State.FAILED).update(
        state=Pending.State.WAITING, due_at=at, lease_until=None, outcome="", ended_at=None, attempts=0
    )
