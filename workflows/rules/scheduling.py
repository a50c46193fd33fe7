"""Schedules the rules that an event triggers, now or later. The `rule` job runs them after the commit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.core.read_once import read_once
from hub.domain import holding
from hub.domain.event_loader import FOLDED
from hub.domain.signals import reacts_to
from hub.models import ActorKind, Calendar, Clock, Event, EventKind, Organisation, State, Ticket, WorkflowVersion
from hub.queries.calendars import calendar_of
from hub.queries.clocks import seconds_used
from workflows.models import Pending, Trigger
from workflows.rules.compiled import CompiledEscalation, CompiledRule, CompiledTransition, Policy, policy_of

ARRIVALS = frozenset(
    {EventKind.TICKET_OPENED, EventKind.TICKET_MOVED, EventKind.STATUS_CHANGED, EventKind.VERSION_MOVED}
)
"""Kinds of events with which a ticket enters a status."""
OWN = frozenset({EventKind.RULE_ACTED, EventKind.ESCALATED, EventKind.ESCALATION_ACKNOWLEDGED, EventKind.ACTION_SENT})
"""Kinds of events that rules themselves record, or that only time brings about; they trigger nothing."""


TRIGGERS = (Trigger.EVENT, Trigger.TIMER, Trigger.CLOCK, Trigger.SILENCE)


def _can_be_set_off(status_id: int) -> bool:
    """Whether the workflow version of a status has rules that events trigger; a draft, which can change, may have."""
    try:
        return _has_rules(status_id)
    except _IsDraft:
        return True


class _IsDraft(Exception):
    """The version can still change."""


@read_once(maxsize=4096)
def _has_rules(status_id: int) -> bool:
    version = State.objects.select_related("version").get(pk=status_id).version
    if not version.fingerprint or version.status == WorkflowVersion.Status.DRAFT:
        raise _IsDraft
    return bool(policy_of(version).set_off_by(*TRIGGERS))


@reacts_to(frozenset(EventKind) - OWN - {EventKind.HISTORY_ROW}, name="rules")
def set_off(event: Event) -> None:
    """Schedule the rules of the ticket's workflow version that this event triggers."""
    if not _can_be_set_off(event.ticket.status_id):
        return
    ticket = Ticket.objects.select_related("status__version", "service").get(pk=event.ticket_id)
    rules = policy_of(ticket.status.version).set_off_by(*TRIGGERS)
    if ticket.is_history:
        return
    for rule in rules:
        _QUEUE[rule.trigger](rule, ticket, event)


def _on_event(rule: CompiledRule, ticket: Ticket, event: Event) -> None:
    if event.kind in rule.trigger_params.get("kinds", ()):
        queue(rule, ticket, key=f"event:{name(rule)}:{event.seq}", due_at=event.recorded_at, made_at=event.recorded_at)


def _on_arrival(rule: CompiledRule, ticket: Ticket, event: Event) -> None:
    if event.kind not in ARRIVALS or not _concerns(rule, ticket):
        return
    due = later(
        event.recorded_at, int(rule.trigger_params.get("minutes", 0)), str(rule.trigger_params.get("hours", ""))
    )
    queue(
        rule,
        ticket,
        key=f"timer:{name(rule)}:{event.seq}",
        due_at=due,
        made_at=event.recorded_at,
        params={"status": ticket.status_id},
    )


def _concerns(rule: CompiledRule, ticket: Ticket) -> bool:
    """Whether a timer rule runs in the ticket's status."""
    if isinstance(rule, CompiledTransition):
        return rule.leaves(ticket.status)
    wanted = rule.trigger_params.get("statuses") or ()
    return ticket.status.slug in wanted if wanted else ticket.is_open


def _on_clock(rule: CompiledRule, ticket: Ticket, event: Event) -> None:
    """Schedule the rule for when a clock will have used that percentage of its goal; updated with every folded event.

    Each level fires once per cycle and revision of the goal (docs/clocks.md). If a change passes several
    levels at once, only the highest fires, marked as late.
    """
    if event.kind not in FOLDED:
        return
    for clock in clocks_of(rule, ticket):
        key, percent = clock_key(rule, clock), int(rule.trigger_params.get("percent", 100))
        due = reaches(clock, percent)
        of_clock = Pending.objects.filter(ticket=ticket, key__startswith=f"{_clock(rule, clock)}:")
        of_clock.filter(state=Pending.State.WAITING).exclude(key=key).delete()
        if due is None:
            of_clock.filter(state=Pending.State.WAITING).delete()
            continue
        if of_clock.filter(key=key, state=Pending.State.WAITING).update(due_at=due):
            continue
        at = event.recorded_at
        is_late = has_reached(clock, percent, at=at)
        if is_late and highest_passed(policy_of(ticket.status.version), rule, clock, at=at) > percent:
            continue
        queue(rule, ticket, key=key, due_at=due, made_at=at, params={"late": True} if is_late else None)


def highest_passed(policy: Policy, rule: CompiledRule, clock: Clock, *, at: datetime) -> int:
    """The highest percentage, of all rules of the workflow for this clock, reached at this time; 0 if none is."""
    wanted = [rule.trigger_params.get(name) for name in ("target", "contract")]
    levels = [
        int(each.trigger_params.get("percent", 100))
        for each in policy.set_off_by(Trigger.CLOCK)
        if [each.trigger_params.get(name) for name in ("target", "contract")] == wanted
    ]
    return max((level for level in levels if has_reached(clock, level, at=at)), default=0)


def clocks_of(rule: CompiledRule, ticket: Ticket) -> Iterator[Clock]:
    """The ticket's current clocks with the target and kind of contract that the rule names."""
    wanted = rule.trigger_params
    rows = Clock.objects.filter(
        ticket=ticket,
        is_current=True,
        target=wanted.get("target", "resolve"),
        contract__kind=wanted.get("contract", "sla"),
    )
    yield from rows.select_related("contract__calendar", "calendar", "party").order_by("pk")


def clock_key(rule: CompiledRule, clock: Clock) -> str:
    """The key under which a rule fires once for one cycle and one revision of a clock's goal."""
    return f"{_clock(rule, clock)}:{clock.cycle}:{clock.revision}"


def _clock(rule: CompiledRule, clock: Clock) -> str:
    return f"clock:{name(rule)}:{clock.contract_id}:{clock.party_id}"


def reaches(clock: Clock, percent: int) -> datetime | None:
    """When the clock will have used this percentage of its goal if it keeps running; None if it is not running."""
    if clock.state != Clock.State.ACTIVE or not clock.goal_seconds:
        return None
    left = -(-clock.goal_seconds * percent // 100) - clock.used_seconds
    if left <= 0:
        return clock.as_of
    found = calendar_of(clock.hours).add(int(clock.as_of.timestamp()), left)
    return None if found is None else datetime.fromtimestamp(found, UTC)


def has_reached(clock: Clock, percent: int, *, at: datetime) -> bool:
    """Whether the clock has used this percentage of its goal at this time."""
    return bool(clock.goal_seconds) and 100 * seconds_used(clock, at=at) >= percent * int(clock.goal_seconds or 0)


def _on_activity(rule: CompiledRule, ticket: Ticket, event: Event) -> None:
    """Restart the silence after an activity; end it when the ticket is no longer open."""
    waiting = Pending.objects.filter(ticket=ticket, key__startswith=f"silence:{name(rule)}:", state="waiting")
    if not ticket.is_open:
        waiting.delete()
        return
    if event.kind == EventKind.ACTION_UNDONE and not waiting.exists():
        pass  # what was undone had ended the silence
    elif event.kind != EventKind.TICKET_OPENED and not _breaks(rule, event):
        return
    waiting.delete()
    due = later(
        event.recorded_at, int(rule.trigger_params.get("minutes", 60)), str(rule.trigger_params.get("hours", ""))
    )
    queue(rule, ticket, key=f"silence:{name(rule)}:{event.seq}", due_at=due, made_at=event.recorded_at)


def _breaks(rule: CompiledRule, event: Event) -> bool:
    """Whether the event is an activity of the side whose silence counts."""
    who = rule.trigger_params.get("who", "anybody")
    if event.actor_kind in (ActorKind.SYSTEM, ActorKind.TIMER):
        return False
    ours = bool(event.actor_organisation and event.actor_organisation.is_us)
    return bool(who == "anybody" or (who == "us") == ours)


_QUEUE: dict[str, Any] = {
    Trigger.EVENT: _on_event,
    Trigger.TIMER: _on_arrival,
    Trigger.CLOCK: _on_clock,
    Trigger.SILENCE: _on_activity,
}


def name(rule: CompiledRule) -> str:
    """A name that identifies the rule among those of all versions."""
    return f"{'e' if isinstance(rule, CompiledEscalation) else 't'}{rule.pk}"


def queue(
    rule: CompiledRule, ticket: Ticket, *, key: str, due_at: datetime, made_at: datetime, params: Any = None
) -> None:
    """Schedule a rule; no change if the ticket already has a row with this key."""
    Pending.objects.get_or_create(
        ticket=ticket,
        key=key,
        defaults={
            "rule": "escalation" if isinstance(rule, CompiledEscalation) else "transition",
            "rule_id": rule.pk,
            "params": params or {},
            "due_at": due_at,
            "made_at": made_at,
            **holding.mark(),
        },
    )


def later(at: datetime, minutes: int, hours: str) -> datetime:
    """The time that many minutes later, counted around the clock or (`hours` is “ours”) in our working hours."""
    calendar = _ours() if hours == "ours" else None
    if calendar is None:
        return at + timedelta(minutes=minutes)
    found = calendar_of(calendar).add(int(at.timestamp()), 60 * minutes)
    return at + timedelta(minutes=minutes) if found is None else datetime.fromtimestamp(found, UTC)


def _ours() -> Calendar | None:
    us = Organisation.objects.select_related("calendar").filter(is_us=True).first()
    return us.calendar if us is not None else None
