"""What an event sets off: rows that are due now or later. Nothing is done here; the sweep does it after the commit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.domain.event_loader import FOLDED
from hub.domain.signals import reacts_to
from hub.models import ActorKind, Calendar, Clock, Event, EventKind, Organisation, Ticket
from hub.queries.calendars import calendar_of
from hub.queries.clocks import seconds_used
from workflows.models import Pending, Trigger
from workflows.rules.compiled import CompiledEscalation, CompiledRule, CompiledTransition, Policy, policy_of

ARRIVALS = frozenset(
    {EventKind.TICKET_OPENED, EventKind.TICKET_MOVED, EventKind.STATUS_CHANGED, EventKind.VERSION_MOVED}
)
"""Kinds with which a ticket comes to a status."""
OWN = frozenset({EventKind.RULE_ACTED, EventKind.ESCALATED, EventKind.ESCALATION_ACKNOWLEDGED})
"""Kinds that rules themselves leave: they set nothing off."""


@reacts_to(frozenset(EventKind) - OWN - {EventKind.HISTORY_ROW}, name="rules")
def set_off(event: Event) -> None:
    """Queue the rules of the ticket's version that this event sets off."""
    ticket = Ticket.objects.select_related("status__version", "service").get(pk=event.ticket_id)
    rules = policy_of(ticket.status.version).set_off_by(Trigger.EVENT, Trigger.TIMER, Trigger.CLOCK, Trigger.SILENCE)
    if ticket.is_history or not rules:
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
    """Whether a timer runs in the ticket's status."""
    if isinstance(rule, CompiledTransition):
        return rule.leaves(ticket.status)
    wanted = rule.trigger_params.get("statuses") or ()
    return ticket.status.slug in wanted if wanted else ticket.is_open


def _on_clock(rule: CompiledRule, ticket: Ticket, event: Event) -> None:
    """When a clock will have used so much of its goal: known anew with everything that moves clocks.

    Each level fires once for each cycle and revision (rule 11 of the clocks). Of the levels that a change passes at
    once only the highest fires, marked as late.
    """
    if event.kind not in FOLDED:
        return
    for clock in clocks_of(rule, ticket):
        key, percent = clock_key(rule, clock), int(rule.trigger_params.get("percent", 100))
        due = reaches(clock, percent)
        of_it = Pending.objects.filter(ticket=ticket, key__startswith=f"{_clock(rule, clock)}:")
        of_it.filter(state=Pending.State.WAITING).exclude(key=key).delete()
        if due is None:
            of_it.filter(state=Pending.State.WAITING).delete()
            continue
        if of_it.filter(key=key, state=Pending.State.WAITING).update(due_at=due):
            continue
        is_late = has_used(clock, percent)
        if is_late and highest_passed(policy_of(ticket.status.version), rule, clock) > percent:
            continue
        queue(rule, ticket, key=key, due_at=due, made_at=event.recorded_at, params={"late": True} if is_late else None)


def highest_passed(policy: Policy, rule: CompiledRule, clock: Clock) -> int:
    """The highest level of this clock, of all rules of the workflow, that is passed already; 0 where none is."""
    wanted = [rule.trigger_params.get(name) for name in ("target", "contract")]
    levels = [
        int(each.trigger_params.get("percent", 100))
        for each in policy.set_off_by(Trigger.CLOCK)
        if [each.trigger_params.get(name) for name in ("target", "contract")] == wanted
    ]
    return max((level for level in levels if has_used(clock, level)), default=0)


def has_used(clock: Clock, percent: int) -> bool:
    """Whether the clock, as it was folded last, has used so much of its goal."""
    return 100 * clock.used_seconds >= percent * int(clock.goal_seconds or 0)


def clocks_of(rule: CompiledRule, ticket: Ticket) -> Iterator[Clock]:
    wanted = rule.trigger_params
    rows = Clock.objects.filter(
        ticket=ticket,
        is_current=True,
        target=wanted.get("target", "resolve"),
        contract__kind=wanted.get("contract", "sla"),
    )
    yield from rows.select_related("contract__calendar", "calendar", "party").order_by("pk")


def clock_key(rule: CompiledRule, clock: Clock) -> str:
    return f"{_clock(rule, clock)}:{clock.cycle}:{clock.revision}"


def _clock(rule: CompiledRule, clock: Clock) -> str:
    return f"clock:{name(rule)}:{clock.contract_id}:{clock.party_id}"


def reaches(clock: Clock, percent: int) -> datetime | None:
    """When a clock that runs on like now has used so much of its goal; None where it does not run."""
    if clock.state != Clock.State.ACTIVE or not clock.goal_seconds:
        return None
    left = -(-clock.goal_seconds * percent // 100) - clock.used_seconds
    if left <= 0:
        return clock.as_of
    found = calendar_of(clock.hours).add(int(clock.as_of.timestamp()), left)
    return None if found is None else datetime.fromtimestamp(found, UTC)


def has_reached(clock: Clock, percent: int, *, at: datetime) -> bool:
    return bool(clock.goal_seconds) and 100 * seconds_used(clock, at=at) >= percent * int(clock.goal_seconds or 0)


def _on_word(rule: CompiledRule, ticket: Ticket, event: Event) -> None:
    """Somebody said or did something: the silence begins anew. It ends with the ticket."""
    waiting = Pending.objects.filter(ticket=ticket, key__startswith=f"silence:{name(rule)}:", state="waiting")
    if not ticket.is_open:
        waiting.delete()
        return
    if event.kind != EventKind.TICKET_OPENED and not _breaks(rule, event):
        return
    waiting.delete()
    due = later(
        event.recorded_at, int(rule.trigger_params.get("minutes", 60)), str(rule.trigger_params.get("hours", ""))
    )
    queue(rule, ticket, key=f"silence:{name(rule)}:{event.seq}", due_at=due, made_at=event.recorded_at)


def _breaks(rule: CompiledRule, event: Event) -> bool:
    """Whether this was a word of those whose silence counts."""
    who = rule.trigger_params.get("who", "anybody")
    if event.actor_kind in (ActorKind.SYSTEM, ActorKind.TIMER):
        return False
    ours = bool(event.actor_organisation and event.actor_organisation.is_us)
    return bool(who == "anybody" or (who == "us") == ours)


_QUEUE: dict[str, Any] = {
    Trigger.EVENT: _on_event,
    Trigger.TIMER: _on_arrival,
    Trigger.CLOCK: _on_clock,
    Trigger.SILENCE: _on_word,
}


def name(rule: CompiledRule) -> str:
    """A rule among those of all versions."""
    return f"{'e' if isinstance(rule, CompiledEscalation) else 't'}{rule.pk}"


def queue(
    rule: CompiledRule, ticket: Ticket, *, key: str, due_at: datetime, made_at: datetime, params: Any = None
) -> None:
    Pending.objects.get_or_create(
        ticket=ticket,
        key=key,
        defaults={
            "rule": "escalation" if isinstance(rule, CompiledEscalation) else "transition",
            "rule_id": rule.pk,
            "params": params or {},
            "due_at": due_at,
            "made_at": made_at,
        },
    )


def later(at: datetime, minutes: int, hours: str) -> datetime:
    """So many minutes on: around the clock, or in our own working hours."""
    calendar = _ours() if hours == "ours" else None
    if calendar is None:
        return at + timedelta(minutes=minutes)
    found = calendar_of(calendar).add(int(at.timestamp()), 60 * minutes)
    return at + timedelta(minutes=minutes) if found is None else datetime.fromtimestamp(found, UTC)


def _ours() -> Calendar | None:
    us = Organisation.objects.select_related("calendar").filter(is_us=True).first()
    return us.calendar if us is not None else None
