"""A draft tried on one ticket, with its real history: which verbs would have been there, what would have fired, when.

Nothing is written. The past is folded from the ticket's events with the functions that fold the present.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from hub.core.clock import now
from hub.domain import clocks, event_loader
from hub.domain.event_loader import Facts
from hub.domain.ticket_state import TicketFacts
from hub.models import Clock, Event, EventKind, Leg, Organisation, Phase, State, Ticket, WorkflowVersion
from hub.queries.roles import WORKING
from hub.queries.timeline import MOVED, acted
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
from workflows.rules.scheduling import clock_key, has_used, highest_passed, later, reaches


@dataclass(frozen=True, kw_only=True)
class WouldFire:
    """A rule that would have been set off."""

    at: datetime
    name: str
    because: str
    why_not: str
    says: tuple[str, ...]
    """What its actions would have done, in words."""


@dataclass(kw_only=True)
class Moment:
    """One thing that really happened, and what the draft says of it."""

    at: datetime
    what: str
    who: str
    status: str
    """The draft's own status after it."""
    verbs: list[verbs.Verb] = field(default_factory=list)
    fired: list[WouldFire] = field(default_factory=list)
    note: str = ""
    """What the draft has no way for."""


class Past(Context):
    """The facts of a ticket as they were after some of its events."""

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
            found += [clock for clock in clocks.rows_of(ticket, term, state) if clock.is_current]
    return found


class Rehearsal:
    """One draft, one ticket."""

    def __init__(self, version: WorkflowVersion, ticket: Ticket) -> None:
        self.policy: Policy = compile_version(version)
        self.real = ticket
        self.ticket = fresh(ticket)
        self.events = list(Event.objects.filter(ticket=ticket).order_by("occurred_at", "seq"))
        self.folded = {fact.seq: fact for fact in event_loader.load(ticket)}
        self.fired_once: set[str] = set()
        self.status = self._begins(Phase.NEW)
        self.entered_at = ticket.opened_at
        self.bounces = 0
        self.organisations: dict[str, Organisation | None] = {}
        self.until = now()
        """What has not come yet has not fired."""

    def _begins(self, phase: str) -> State:
        states = [state for state in self.policy.states.values() if state.phase == phase]
        return next((state for state in states if state.is_default), states[0])

    def moments(self, *, most: int = 400) -> Iterator[Moment]:
        """Event by event, in the order in which things happened."""
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
        """The draft's status after what really happened."""
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
        return _("The draft has no way from “%(before)s” to here.") % {"before": before.name}

    # -- what would have been set off

    def _by_event(self, event: Event, past: Past) -> Iterator[WouldFire]:
        for rule in self.policy.set_off_by(Trigger.EVENT):
            if event.kind in rule.trigger_params.get("kinds", ()):
                yield from self._fire(rule, past, event.occurred_at, str(event.get_kind_display()))

    def _by_vendor(self, event: Event, past: Past, facts: TicketFacts) -> Iterator[WouldFire]:
        """What the version answers to what became of an engagement: the first rule that is for it, as it is live."""
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
        """What time alone would have set off before the next thing happened."""
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
            yield at, f"{name}:{self.status.pk}:{self.entered_at}", _("%s minutes in this status") % number
        elif rule.trigger == Trigger.SILENCE and self.status.phase in ("new", "active", "waiting"):
            yield later(last_word, number, hours), f"{name}:{last_word}", _("%s minutes of silence") % number
        elif rule.trigger == Trigger.CLOCK:
            for clock in past.clocks:
                is_meant = (clock.target, clock.contract.kind) == (
                    wanted.get("target", "resolve"),
                    wanted.get("contract", "sla"),
                )
                percent = int(wanted.get("percent", 100))
                found = reaches(clock, percent) if is_meant else None
                is_outdone = has_used(clock, percent) and highest_passed(self.policy, rule, clock) > percent
                if found is not None and not is_outdone:
                    yield found, clock_key(rule, clock), f"{percent} %"

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
                name=f"{rule.name}, {_('step')} {number}",
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
        found.append(f"{effect.says} ({effect.why_not})" if effect.why_not else effect.says)
    return tuple(found)


def _what(event: Event) -> str:
    if event.kind == EventKind.TICKET_MOVED:
        verb = str(event.payload.get("verb", ""))
        return str(MOVED.get(verb, verb))
    if event.kind == EventKind.RULE_ACTED:
        return f"{event.get_kind_display()}: {acted(event.payload)}"
    leg = event.payload.get("organisation", "") if event.kind.startswith("leg.") else ""
    name = Organisation.objects.filter(public_id=leg).values_list("name", flat=True).first() if leg else ""
    return f"{name}: {event.get_kind_display()}" if name else str(event.get_kind_display())


def rehearse(version: WorkflowVersion, ticket: Ticket) -> list[Moment]:
    return list(Rehearsal(version, ticket).moments())


def summary(moments: list[Moment]) -> dict[str, Any]:
    """How often the draft would have acted, and where it has no way."""
    fired = [each for moment in moments for each in moment.fired]
    return {
        "fired": len([each for each in fired if not each.why_not]),
        "refused": len([each for each in fired if each.why_not]),
        "gaps": len([moment for moment in moments if moment.note]),
        "until": moments[-1].at if moments else datetime.now(UTC),
    }
