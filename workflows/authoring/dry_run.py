"""Dry run of a version on the real history of one ticket: which transitions were possible, which rules would have run.

Nothing is written. Past states are folded from the ticket's events by the functions that also fold the present one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.core.clock import now
from hub.domain import clock_rows, clocks, event_loader
from hub.domain.event_loader import Facts
from hub.domain.ticket_state import TicketFacts
from hub.models import Clock, Event, EventKind, Leg, Organisation, Phase, State, Ticket, WorkflowVersion
from hub.models.event import undone_by
from hub.queries.event_words import MOVED, acted
from hub.queries.roles import WORKING
from workflows.models import Trigger
from workflows.rules import verbs
from workflows.rules.compiled import (
    CompiledAction,
    CompiledEscalation,
    CompiledRule,
    CompiledTransition,
    Policy,
    compile_version,
)
from workflows.rules.context import Context, fresh
from workflows.rules.roles import MACHINE
from workflows.rules.scheduling import clock_key, has_reached, highest_passed, later, reaches


@dataclass(frozen=True, kw_only=True)
class WouldFire:
    """A rule that would have been triggered."""

    at: datetime
    name: str
    because: str
    why_not: str
    says: tuple[str, ...]
    """What its actions would have done, one text each."""


@dataclass(kw_only=True)
class Moment:
    """One event of the ticket, and what the version would have done."""

    at: datetime
    what: str
    who: str
    status: str
    """The status in this version afterwards."""
    verbs: list[verbs.Verb] = field(default_factory=list)
    fired: list[WouldFire] = field(default_factory=list)
    note: str = ""
    """Set if the version has no transition for what really happened."""


class Past(Context):
    """The facts of a ticket as they were after its first events."""

    def __init__(self, ticket: Ticket, *, at: datetime, events: list[Facts], facts: TicketFacts, said: int, files: int):
        super().__init__(ticket, at=at)
        names = {leg.organisation for leg in facts.legs.values()}
        organisations = Organisation.objects.in_bulk(list(names), field_name="public_id")
        self.legs = [
            Leg(
                ticket=ticket,
                organisation=organisations[leg.organisation],
                stage=leg.stage,
                number=number,
                is_lead=key == facts.lead,
                waits_on=leg.waits_on,
            )
            for number, (key, leg) in enumerate(facts.legs.items(), 1)
            if leg.organisation in organisations
        ]
        self.clocks = _clocks(ticket, events, at)
        self.messages, self.attachments, self.open_children = said, files, 0


def _clocks(ticket: Ticket, events: list[Facts], at: datetime) -> list[Clock]:
    found = []
    for term, state in clocks.fold(ticket, events, as_of=at):
        if state.state.value != Clock.State.NOT_STARTED:
            found += [clock for clock in clock_rows.rows_of(ticket, term, state) if clock.is_current]
    return found


class Rehearsal:
    """The dry run of one version on one ticket."""

    def __init__(self, version: WorkflowVersion, ticket: Ticket) -> None:
        self.policy: Policy = compile_version(version)
        self.real = ticket
        self.ticket = fresh(ticket)
        events = list(Event.objects.filter(ticket=ticket).order_by("occurred_at", "seq"))
        undone = undone_by(events)
        self.events = [event for event in events if event.seq not in undone]
        self.folded = {fact.seq: fact for fact in event_loader.load(ticket)}
        self.fired_once: set[str] = set()
        self.status = self._begins(Phase.NEW)
        self.entered_at = ticket.opened_at
        self.bounces = 0
        self.organisations: dict[str, Organisation | None] = {}
        self.until = now()
        """Rules due later have not run yet."""

    def _begins(self, phase: str) -> State:
        states = [state for state in self.policy.states.values() if state.phase == phase]
        return next((state for state in states if state.is_default), states[0])

    def moments(self, *, most: int = 400) -> Iterator[Moment]:
        """The ticket's first events, at most `most`, in the order in which they occurred."""
        facts, seen, said, files = TicketFacts(), list[Facts](), 0, 0
        last_word = self.real.opened_at
        for number, event in enumerate(self.events[:most]):
            if event.seq in self.folded:
                seen.append(self.folded[event.seq])
                facts.apply(event.kind, event.payload)
            said += event.kind == EventKind.MESSAGE_ADDED
            files += event.kind == EventKind.ATTACHMENT_ADDED
            self.bounces += event.kind in (EventKind.LEG_DECLINED, EventKind.LEG_RETURNED, EventKind.LEG_EXPIRED)
            note = self._follow(event, facts)
            past = self._past(event, facts, seen, said, files)
            following = self.events[number + 1].occurred_at if number + 1 < len(self.events) else self.until
            last_word = event.occurred_at if event.actor_kind in ("person", "vendor") else last_word
            moment = Moment(
                at=event.occurred_at,
                what=_what(event),
                who=event.actor_name,
                status=self.status.name,
                note=note,
                verbs=verbs.available_in(self.policy, past, roles=WORKING),
            )
            moment.fired = [
                *self._by_event(event, past),
                *self._by_vendor(event, past, facts),
                *self._between(event.occurred_at, following, past, last_word),
            ]
            moment.status = self.status.name
            yield moment

    def _past(self, event: Event, facts: TicketFacts, seen: list[Facts], said: int, files: int) -> Past:
        ticket = self.ticket
        ticket.__dict__["phase"] = self.status.phase
        ticket.status, ticket.priority, ticket.bounces = self.status, facts.priority or ticket.priority, self.bounces
        ball = facts.ball()
        ticket.holder, ticket.hold_reason = self._organisation(ball.holder) or ticket.holder, ball.reason
        return Past(ticket, at=event.occurred_at, events=seen, facts=facts, said=said, files=files)

    def _organisation(self, public_id: str) -> Organisation | None:
        if public_id not in self.organisations:
            self.organisations[public_id] = Organisation.objects.filter(public_id=public_id).first()
        return self.organisations[public_id]

    def _follow(self, event: Event, facts: TicketFacts) -> str:
        """Follow a real change of phase in this version; returns a note if the version has no transition for it."""
        if event.kind != EventKind.TICKET_MOVED or facts.phase == self.status.phase:
            return ""
        named = event.payload.get("rule", "")
        ways = [
            rule
            for rule in self.policy.transitions
            if rule.target is not None and rule.target.phase == facts.phase and rule.leaves(self.status)
        ]
        way = next((rule for rule in ways if rule.slug == named), ways[0] if ways else None)
        before = self.status
        self.status = way.target if way is not None and way.target is not None else self._begins(facts.phase)
        self.entered_at = event.occurred_at
        if way is not None or self.policy.is_plain:
            return ""
        return _("This version has no transition from “%(before)s” to “%(after)s”.") % {
            "before": before.name,
            "after": self.status.name,
        }

    # -- what would have been triggered

    def _by_event(self, event: Event, past: Past) -> Iterator[WouldFire]:
        for rule in self.policy.set_off_by(Trigger.EVENT):
            if event.kind in rule.trigger_params.get("kinds", ()):
                yield from self._fire(rule, past, event.occurred_at, str(event.get_kind_display()))

    def _by_vendor(self, event: Event, past: Past, facts: TicketFacts) -> Iterator[WouldFire]:
        """The first transition triggered by what happened to an engagement; as in operation, no other one runs."""
        did = event.kind.removeprefix("leg.") if event.kind.startswith("leg.") else ""
        is_lead = event.payload.get("leg") == facts.lead
        for rule in self.policy.set_off_by(Trigger.VENDOR):
            assert isinstance(rule, CompiledTransition)
            wanted = rule.trigger_params
            if (
                did in wanted.get("did", ())
                and rule.leaves(self.status)
                and (is_lead or not wanted.get("only_lead", True))
            ):
                yield from self._fire(rule, past, event.occurred_at, _what(event))
                return

    def _between(self, start: datetime, end: datetime, past: Past, last_word: datetime) -> Iterator[WouldFire]:
        """What time alone would have triggered before the next event."""
        due: list[tuple[datetime, CompiledRule, str, str]] = []
        for rule in self.policy.set_off_by(Trigger.TIMER, Trigger.CLOCK, Trigger.SILENCE):
            due += [(at, rule, key, why) for at, key, why in self._due(rule, past, last_word)]
        for at, rule, key, why in sorted(due, key=lambda each: each[0]):
            if not start <= at < end or key in self.fired_once:
                continue
            if isinstance(rule, CompiledTransition) and not rule.leaves(self.status):
                continue
            self.fired_once.add(key)
            past.at = at
            yield from self._fire(rule, past, at, why)

    def _due(self, rule: CompiledRule, past: Past, last_word: datetime) -> Iterator[tuple[datetime, str, str]]:
        wanted, name = rule.trigger_params, f"{type(rule).__name__}{rule.pk}"
        number, hours = int(wanted.get("minutes", 0) or 0), str(wanted.get("hours", ""))
        if rule.trigger == Trigger.TIMER and self._concerns(rule):
            at = later(self.entered_at, number, hours)
            because = ngettext("%(n)d minute in this status", "%(n)d minutes in this status", number) % {"n": number}
            yield at, f"{name}:{self.status.pk}:{self.entered_at}", because
        elif rule.trigger == Trigger.SILENCE and self.status.phase in ("new", "active", "waiting"):
            because = ngettext("%(n)d minute of silence", "%(n)d minutes of silence", number) % {"n": number}
            yield later(last_word, number, hours), f"{name}:{last_word}", because
        elif rule.trigger == Trigger.CLOCK:
            for clock in past.clocks:
                is_meant = (clock.target, clock.contract.kind) == (
                    wanted.get("target", "resolve"),
                    wanted.get("contract", "sla"),
                )
                percent = int(wanted.get("percent", 100))
                found = reaches(clock, percent) if is_meant else None
                highest = highest_passed(self.policy, rule, clock, at=past.at)
                is_outdone = has_reached(clock, percent, at=past.at) and highest > percent
                if found is not None and not is_outdone:
                    yield found, clock_key(rule, clock), _("%(percent)s %% of the goal") % {"percent": percent}

    def _concerns(self, rule: CompiledRule) -> bool:
        if isinstance(rule, CompiledTransition):
            return rule.leaves(self.status)
        wanted = rule.trigger_params.get("statuses") or ()
        return self.status.slug in wanted if wanted else self.status.phase in ("new", "active", "waiting")

    def _fire(self, rule: CompiledRule, past: Past, at: datetime, because: str) -> Iterator[WouldFire]:
        if isinstance(rule, CompiledTransition):
            refusal = verbs.why_not(past, rule, roles=frozenset({MACHINE}), trigger=rule.trigger)
            yield WouldFire(at=at, name=rule.name, because=because, why_not=refusal, says=_plans(rule.actions, past))
            if not refusal and rule.target is not None:
                self.status, self.entered_at = rule.target, at
                past.ticket.status = rule.target
                past.ticket.__dict__["phase"] = rule.target.phase
            return
        assert isinstance(rule, CompiledEscalation)
        refusal = verbs.guards_say(past, rule)
        for number, step in enumerate(rule.steps, 1):
            at = later(at, step.wait_minutes, "ours" if step.hours == "ours" and step.wait_minutes else "")
            yield WouldFire(
                at=at,
                name=_("%(escalation)s, step %(number)s") % {"escalation": rule.name, "number": number},
                because=because,
                why_not=refusal,
                says=_plans(step.actions, past),
            )
            if refusal:
                return


def _plans(actions: tuple[CompiledAction, ...], past: Past) -> tuple[str, ...]:
    found = []
    for each in actions:
        effect = each.kind.plan(past, each.params)
        if effect.why_not:
            values = {"action": effect.says, "reason": effect.why_not}
            found.append(_("%(action)s (not possible: %(reason)s)") % values)
        else:
            found.append(effect.says)
    return tuple(found)


def _what(event: Event) -> str:
    if event.kind == EventKind.TICKET_MOVED:
        verb = str(event.payload.get("verb", ""))
        return str(MOVED.get(verb, verb))
    if event.kind == EventKind.RULE_ACTED:
        return _("%(event)s: %(details)s") % {"event": event.get_kind_display(), "details": acted(event.payload)}
    leg = event.payload.get("organisation", "") if event.kind.startswith("leg.") else ""
    name = Organisation.objects.filter(public_id=leg).values_list("name", flat=True).first() if leg else ""
    if not name:
        return str(event.get_kind_display())
    return _("%(organisation)s: %(event)s") % {"organisation": name, "event": event.get_kind_display()}


def rehearse(version: WorkflowVersion, ticket: Ticket) -> list[Moment]:
    """The dry run of a version on a ticket, event by event."""
    return list(Rehearsal(version, ticket).moments())


def summary(moments: list[Moment]) -> dict[str, Any]:
    """How many rules would have run or been refused, and how many real changes the version does not allow."""
    fired = [each for moment in moments for each in moment.fired]
    return {
        "fired": len([each for each in fired if not each.why_not]),
        "refused": len([each for each in fired if each.why_not]),
        "gaps": len([moment for moment in moments if moment.note]),
        "until": moments[-1].at if moments else datetime.now(UTC),
    }
