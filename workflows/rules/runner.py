"""Does what is due: transitions that a time, a clock, a silence or an event sets off, and escalations step by step.

A ticket that has moved on is left alone, and the row says so. Every row is done once.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from hub.core.startup_errors import in_words
from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import EventKind, Ticket, User
from workflows.lifecycle.transitions import MoveRefused
from workflows.models import EscalationRun, Pending, Step, Trigger
from workflows.rules import execution, verbs
from workflows.rules.compiled import CompiledEscalation, CompiledTransition, policy_of
from workflows.rules.context import Context, fresh
from workflows.rules.execution import Execution, Outcome
from workflows.rules.scheduling import clock_key, clocks_of, has_reached, later, reaches

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)
MOST_ATTEMPTS = 5


class Dropped(Exception):
    """It is not to be done after all; the message says why."""


class Idle(Exception):
    """Its clock does not run. The row goes; another is made when the clock runs again."""


class Postponed(Exception):
    """It is not due yet: the clock stood still in between."""

    def __init__(self, due_at: datetime) -> None:
        super().__init__()
        self.due_at = due_at


def due_pending(*, at: datetime, limit: int = 50) -> list[int]:
    now = timezone.now()
    rows = Pending.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=now), state=Pending.State.WAITING, due_at__lte=at
    )
    return list(rows.order_by("due_at", "pk").values_list("pk", flat=True)[:limit])


def run(*, pending_id: int, at: datetime) -> None:
    """Do one row that is due, under its ticket's lock; what became of it is written into it."""
    now = timezone.now()
    claimed = Pending.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=now), pk=pending_id, state=Pending.State.WAITING
    ).update(lease_until=now + LEASE, attempts=F("attempts") + 1)
    if not claimed:
        return
    row = Pending.objects.get(pk=pending_id)
    try:
        with transaction.atomic():
            tickets.locked(Ticket(pk=row.ticket_id))
            if not Pending.objects.select_for_update().filter(pk=row.pk, state=Pending.State.WAITING).exists():
                return  # our lease ran out meanwhile, and somebody else has done it
            outcome = _DO[row.rule](row, at)
            _end(row, Pending.State.DONE, outcome, at)
    except Postponed as error:
        rows = Pending.objects.filter(pk=row.pk)
        if not rows.filter(due_at=row.due_at).update(due_at=error.due_at, lease_until=None, attempts=0):
            rows.update(lease_until=None, attempts=0)  # something has made it due earlier meanwhile
    except Idle:
        Pending.objects.filter(pk=row.pk).delete()
    except (Dropped, MoveRefused) as refused:
        _end(row, Pending.State.DROPPED, str(refused), at)
    except Exception as error:  # a rule's fault parks this row and nothing else
        log.exception("Pending %s failed", row.pk)
        told = in_words(error)
        if row.attempts >= MOST_ATTEMPTS:
            _end(row, Pending.State.FAILED, told, at)
        else:
            Pending.objects.filter(pk=row.pk).update(
                due_at=at + timedelta(minutes=2**row.attempts), lease_until=None, outcome=told
            )


def _end(row: Pending, state: Pending.State, outcome: str, at: datetime) -> None:
    Pending.objects.filter(pk=row.pk, state=Pending.State.WAITING).update(
        state=state, outcome=outcome[:2000], ended_at=at, lease_until=None
    )


# -- transitions


def _transition(row: Pending, at: datetime) -> str:
    ticket = fresh(Ticket(pk=row.ticket_id))
    rule = next((each for each in policy_of(ticket.status.version).transitions if each.pk == row.rule_id), None)
    if rule is None:
        raise Dropped(_("%s is on another version of its workflow now.") % ticket.label)
    _still(row, rule, ticket, at)
    outcome = execution.fire(
        ticket=ticket,
        verb=rule.slug,
        actor=Actor.timer(rule.slug, rule.name),
        at=at,
        trigger=rule.trigger,
        reason=_cause(rule, row),
    )
    return _told(outcome)


def _told(outcome: Outcome) -> str:
    failed = f" {_('Not done')}: {'; '.join(outcome.failed)}" if outcome.failed else ""
    return f"{', '.join(outcome.done) or outcome.verb}.{failed}"


def _still(row: Pending, rule: CompiledTransition | CompiledEscalation, ticket: Ticket, at: datetime) -> None:
    """Dropped where what set the rule off is not so any more."""
    status = row.params.get("status")
    if status is not None and status != ticket.status_id:
        raise Dropped(
            _("%(label)s had moved on: it is “%(status)s”.")
            % {
                "label": ticket.label,
                "status": ticket.status,
            }
        )
    if rule.trigger == Trigger.CLOCK:
        _clock_still(row, rule, ticket, at)


def _clock_still(row: Pending, rule: CompiledTransition | CompiledEscalation, ticket: Ticket, at: datetime) -> None:
    percent = int(rule.trigger_params.get("percent", 100))
    clock = next((each for each in clocks_of(rule, ticket) if clock_key(rule, each) == row.key), None)
    if clock is None:
        raise Dropped(_("Its clock is not there any more."))
    if has_reached(clock, percent, at=at):
        return
    due = reaches(clock, percent)
    if due is None:
        raise Idle
    raise Postponed(max(due, at + timedelta(seconds=1)))


def _cause(rule: CompiledTransition | CompiledEscalation, row: Pending) -> str:
    wanted = rule.trigger_params
    if rule.trigger == Trigger.CLOCK:
        target = str(wanted.get("target", "resolve")).replace("_", " ")
        late = f" ({_('late')})" if row.params.get("late") else ""
        return f"{wanted.get('percent', 100)} % {_('of the time to')} {target} {_('is used')}{late}"
    if rule.trigger == Trigger.SILENCE:
        return str(_("nothing was heard for %s minutes") % wanted.get("minutes", 60))
    if rule.trigger == Trigger.TIMER:
        return str(_("%s minutes in this status") % wanted.get("minutes", 0))
    return rule.name


def _verb(row: Pending, at: datetime) -> str:
    """A verb that a rule put off until now."""
    ticket = fresh(Ticket(pk=row.ticket_id))
    if row.params.get("status") not in (None, ticket.status_id):
        raise Dropped(
            _("%(label)s had moved on: it is “%(status)s”.")
            % {
                "label": ticket.label,
                "status": ticket.status,
            }
        )
    actor = execution.machine("schedule")
    return _told(execution.fire(ticket=ticket, verb=row.params["verb"], actor=actor, at=at, reason=_("as scheduled")))


# -- escalations


def _escalation(row: Pending, at: datetime) -> str:
    """Begin an escalation: once for each reason."""
    ticket = fresh(Ticket(pk=row.ticket_id))
    rule = _escalation_of(ticket, row.rule_id)
    if not ticket.is_open:
        raise Dropped(_("%s is over.") % ticket.label)
    _still(row, rule, ticket, at)
    refusal = verbs.guards_say(Context(ticket, at=at), rule)
    if refusal:
        raise Dropped(refusal)
    cause = _cause(rule, row)[:200]
    run, is_new = EscalationRun.objects.get_or_create(
        ticket=ticket, escalation_id=rule.pk, key=row.key[:120], defaults={"began_at": at, "cause": cause}
    )
    if not is_new:
        raise Dropped(_("It runs for this reason already."))
    if not rule.steps:
        return _("The escalation has no steps.")
    _queue_step(run, rule, 0, at)
    return _("begun")


def _escalation_of(ticket: Ticket, pk: int | None) -> CompiledEscalation:
    found = next((each for each in policy_of(ticket.status.version).escalations if each.pk == pk), None)
    if found is None:
        raise Dropped(_("%s is on another version of its workflow now.") % ticket.label)
    return found


def _queue_step(run: EscalationRun, rule: CompiledEscalation, index: int, at: datetime) -> None:
    step = rule.steps[index]
    due = later(at, step.wait_minutes, "ours" if step.hours == Step.Hours.OURS and step.wait_minutes else "")
    if rule.is_quiet_at_night:
        due = max(due, later(due, 0, "ours"))
    Pending.objects.get_or_create(
        ticket_id=run.ticket_id,
        key=f"step:{run.public_id}:{index}",
        defaults={"rule": "step", "rule_id": run.pk, "params": {"step": index}, "due_at": due, "made_at": at},
    )


def _step(row: Pending, at: datetime) -> str:
    run = EscalationRun.objects.select_for_update().get(pk=row.rule_id or 0)
    ticket = fresh(Ticket(pk=row.ticket_id))
    rule = _escalation_of(ticket, run.escalation_id)
    if not ticket.is_open:
        _finish(run, EscalationRun.State.ENDED, at)
        return str(_("%s is over, and so is its escalation.") % ticket.label)
    if run.state == EscalationRun.State.ACKNOWLEDGED and rule.ends_with_acknowledgement:
        raise Dropped(_("It was acknowledged by %s.") % run.acknowledged_by)
    index = int(row.params["step"])
    doing = Execution(ticket=ticket, actor=Actor.timer(rule.slug, rule.name), at=at, rule=rule.slug)
    outcome = Outcome(ticket, rule.slug)
    history.record(
        ticket=tickets.locked(ticket),
        kind=EventKind.ESCALATED,
        payload={"escalation": rule.slug, "name": rule.name, "step": index + 1, "run": run.public_id},
        texts={"why": run.cause},
        actor=doing.actor,
        at=at,
    )
    execution.run(outcome, rule.steps[index].actions, Context(fresh(ticket), at=at, reason=run.cause), doing)
    run.steps_done = index + 1
    run.save(update_fields=["steps_done"])
    if index + 1 < len(rule.steps):
        _queue_step(run, rule, index + 1, at)
    elif run.state == EscalationRun.State.RUNNING and not rule.ends_with_acknowledgement:
        _finish(run, EscalationRun.State.ENDED, at)
    return _told(outcome)


def _finish(run: EscalationRun, state: EscalationRun.State, at: datetime) -> None:
    EscalationRun.objects.filter(pk=run.pk).update(state=state, ended_at=at)


@transaction.atomic
def acknowledge(*, run: EscalationRun, user: User, actor: Actor, at: datetime) -> EscalationRun:
    """Somebody has seen it and sees to it: no further step, where the escalation says so. Twice is once."""
    ticket = tickets.locked(run.ticket)
    run = EscalationRun.objects.select_for_update().get(pk=run.pk)
    if run.state != EscalationRun.State.RUNNING:
        return run
    run.state, run.acknowledged_by, run.ended_at = EscalationRun.State.ACKNOWLEDGED, user, at
    run.save(update_fields=["state", "acknowledged_by", "ended_at"])
    payload = {"run": run.public_id, "escalation": run.escalation.slug, "name": run.escalation.name}
    history.record(ticket=ticket, kind=EventKind.ESCALATION_ACKNOWLEDGED, payload=payload, actor=actor, at=at)
    return run


_DO = {"transition": _transition, "verb": _verb, "escalation": _escalation, "step": _step}
