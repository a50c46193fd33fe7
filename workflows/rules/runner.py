"""Runs scheduled rules that are due: transitions triggered by time, a clock, silence or an event, and escalation steps.

If the ticket's status has changed in the meantime, the rule is dropped with that reason. Every row is run once.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.core.clock import system
from hub.core.sentences import sentence
from hub.core.startup_errors import in_words
from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import EventKind, Target, Ticket, User
from hub.translation import Refusal
from workflows.lifecycle.transitions import MoveRefused
from workflows.models import EscalationRun, Pending, Step, Trigger
from workflows.rules import execution, verbs
from workflows.rules.compiled import CompiledEscalation, CompiledTransition, policy_of
from workflows.rules.context import Context, fresh
from workflows.rules.execution import Execution, Outcome
from workflows.rules.scheduling import clock_key, clocks_of, has_reached, later, reaches

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)
"""How long a worker has to run a row before another worker may run it."""
MOST_ATTEMPTS = 5


class Dropped(Refusal):
    """The rule no longer applies; the message says why."""


class Idle(Exception):
    """The rule's clock is not running. The row is deleted; a new one is created when the clock runs again."""


class Postponed(Exception):
    """The rule is not due yet, because its clock was paused in between."""

    def __init__(self, due_at: datetime) -> None:
        super().__init__()
        self.due_at = due_at


def due_pending(*, at: datetime, limit: int = 50) -> list[int]:
    """Primary keys of the rows due at this time that no worker is running, oldest first."""
    return list(waiting(at=at).order_by("due_at", "pk").values_list("pk", flat=True)[:limit])


def waiting(*, at: datetime) -> QuerySet[Pending]:
    """The rows due at this time that no worker is running."""
    now = system()
    return Pending.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=now),
        state=Pending.State.WAITING,
        due_at__lte=at,
        undo_window="",
    )


def run(*, pending_id: int, at: datetime) -> None:
    """Run one due row under its ticket's lock and save the outcome in the row. An error is retried, then parked."""
    now = system()
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
                return  # our lease expired in the meantime, and another worker has run the row
            outcome = _DO[row.rule](row, at)
            _end(row, Pending.State.DONE, outcome, at)
    except Postponed as error:
        rows = Pending.objects.filter(pk=row.pk)
        if not rows.filter(due_at=row.due_at).update(due_at=error.due_at, lease_until=None, attempts=0):
            rows.update(lease_until=None, attempts=0)  # the row was made due earlier in the meantime
    except Idle:
        Pending.objects.filter(pk=row.pk).delete()
    except (Dropped, MoveRefused) as refused:
        _end(row, Pending.State.DROPPED, str(refused), at)
    except Exception as error:  # a failing rule parks this row and nothing else
        log.exception("Scheduled rule %s failed", row.pk)
        reason = in_words(error)
        if row.attempts >= MOST_ATTEMPTS:
            _end(row, Pending.State.FAILED, reason, at)
        else:
            Pending.objects.filter(pk=row.pk).update(
                due_at=at + timedelta(minutes=2**row.attempts), lease_until=None, outcome=reason
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
        raise _another_version(ticket)
    _check_still_applies(row, rule, ticket, at)
    outcome = execution.fire(
        ticket=ticket,
        verb=rule.slug,
        actor=Actor.timer(rule.slug, rule.name),
        at=at,
        trigger=rule.trigger,
        reason=_cause(rule, row),
    )
    return _summary(outcome)


def _summary(outcome: Outcome) -> str:
    """What was done and what failed, in words."""
    done = ", ".join(outcome.done) or outcome.verb
    if outcome.failed:
        return sentence("%(done)s. Failed: %(failed)s", done=done, failed="; ".join(outcome.failed))
    return f"{done}."


def _another_version(ticket: Ticket) -> Dropped:
    return Dropped(sentence("%(ticket)s now follows another version of its workflow.", ticket=ticket.label))


def _check_still_applies(
    row: Pending, rule: CompiledTransition | CompiledEscalation, ticket: Ticket, at: datetime
) -> None:
    """Dropped, Idle or Postponed if the condition that triggered the rule no longer holds."""
    _check_status(row, ticket)
    if rule.trigger == Trigger.CLOCK:
        _check_clock(row, rule, ticket, at)


def _check_status(row: Pending, ticket: Ticket) -> None:
    """Dropped if the ticket is no longer in the status in which the row was scheduled."""
    if row.params.get("status") not in (None, ticket.status_id):
        raise Dropped(
            sentence("The status of %(ticket)s has changed to “%(status)s”.", ticket=ticket.label, status=ticket.status)
        )


def _check_clock(row: Pending, rule: CompiledTransition | CompiledEscalation, ticket: Ticket, at: datetime) -> None:
    percent = int(rule.trigger_params.get("percent", 100))
    clock = next((each for each in clocks_of(rule, ticket) if clock_key(rule, each) == row.key), None)
    if clock is None:
        raise Dropped(sentence("The clock no longer exists."))
    if has_reached(clock, percent, at=at):
        return
    due = reaches(clock, percent)
    if due is None:
        raise Idle
    raise Postponed(max(due, at + timedelta(seconds=1)))


def _cause(rule: CompiledTransition | CompiledEscalation, row: Pending) -> str:
    """Why the rule was triggered, in words."""
    params = rule.trigger_params
    if rule.trigger == Trigger.CLOCK:
        target = params.get("target", "resolve")
        facts = {"percent": params.get("percent", 100), "target": dict(Target.Kind.choices).get(target, target)}
        if row.params.get("late"):
            return _("%(percent)s%% of the time to %(target)s is used (late)") % facts
        return _("%(percent)s%% of the time to %(target)s is used") % facts
    if rule.trigger == Trigger.SILENCE:
        minutes = int(params.get("minutes", 60))
        text = ngettext("no activity for %(minutes)d minute", "no activity for %(minutes)d minutes", minutes)
        return text % {"minutes": minutes}
    if rule.trigger == Trigger.TIMER:
        minutes = int(params.get("minutes", 0))
        text = ngettext("%(minutes)d minute in this status", "%(minutes)d minutes in this status", minutes)
        return text % {"minutes": minutes}
    return rule.name


def _verb(row: Pending, at: datetime) -> str:
    """Carry out a transition that an action scheduled for now."""
    ticket = fresh(Ticket(pk=row.ticket_id))
    _check_status(row, ticket)
    actor = execution.machine("schedule")
    return _summary(
        execution.fire(ticket=ticket, verb=row.params["verb"], actor=actor, at=at, reason=_("as scheduled"))
    )


# -- escalations


def _escalation(row: Pending, at: datetime) -> str:
    """Start an escalation, once per reason."""
    ticket = fresh(Ticket(pk=row.ticket_id))
    rule = _escalation_of(ticket, row.rule_id)
    if not ticket.is_open:
        raise Dropped(sentence("%(ticket)s is no longer open.", ticket=ticket.label))
    _check_still_applies(row, rule, ticket, at)
    refusal = verbs.guards_say(Context(ticket, at=at), rule)
    if refusal:
        raise Dropped(refusal)
    cause = _cause(rule, row)[:200]
    run, is_new = EscalationRun.objects.get_or_create(
        ticket=ticket, escalation_id=rule.pk, key=row.key[:120], defaults={"began_at": at, "cause": cause}
    )
    if not is_new:
        raise Dropped(sentence("The escalation is already running for this reason."))
    if not rule.steps:
        return sentence("The escalation has no steps.")
    _queue_step(run, rule, 0, at)
    return sentence("started")


def _escalation_of(ticket: Ticket, pk: int | None) -> CompiledEscalation:
    found = next((each for each in policy_of(ticket.status.version).escalations if each.pk == pk), None)
    if found is None:
        raise _another_version(ticket)
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
        return sentence("%(ticket)s is no longer open; its escalation has ended.", ticket=ticket.label)
    if run.state == EscalationRun.State.ACKNOWLEDGED and rule.ends_with_acknowledgement:
        raise Dropped(sentence("The escalation was acknowledged by %(user)s.", user=run.acknowledged_by))
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
    return _summary(outcome)


def _finish(run: EscalationRun, state: EscalationRun.State, at: datetime) -> None:
    EscalationRun.objects.filter(pk=run.pk).update(state=state, ended_at=at)


@transaction.atomic
def acknowledge(*, run: EscalationRun, user: User, actor: Actor, at: datetime) -> EscalationRun:
    """Record that a user takes care of an escalation; further steps are dropped if the escalation is set to stop.

    No change if the escalation is no longer running.
    """
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
