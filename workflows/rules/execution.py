"""The one way to use a verb: for people, the API, mail, timers and vendors alike.

Lock, ask who may, ask what it needs, ask the guards, ask the law; then the status, then what follows from it. The
law is asked last and always: rules only narrow it. Who acts, when and why is one `Execution`, which is handed to
every action and on to whatever the action sets off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from django.db import transaction
from django.utils.translation import gettext as _

from hub.domain import history, messages, tickets
from hub.domain.actors import Actor
from hub.models import Event, EventKind, Leg, Membership, Ticket
from hub.queries.roles import WORKING
from workflows.lifecycle import transitions
from workflows.lifecycle.transitions import MOVES, MoveRefused
from workflows.models import FailedAction, Trigger
from workflows.notifications import notify
from workflows.notifications.notify import Told
from workflows.rules.compiled import CompiledAction, CompiledTransition, Policy, policy_of
from workflows.rules.context import Context, context, fresh
from workflows.rules.registry import ACTIONS
from workflows.rules.roles import MACHINE, roles
from workflows.rules.verbs import why_not

DEEPEST = 5
"""How many verbs may set each other off: rules that go in a circle end here."""


class ActionRefused(Exception):
    """An action cannot be done now; the message says why, in words for a person."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Who acts on a ticket, when, and because of what. It is handed down to everything that follows."""

    ticket: Ticket
    actor: Actor
    at: datetime
    occurred_at: datetime | None = None
    origin: str = ""
    rule: str = ""
    """The verb or escalation that is carried out; empty where nobody's rule is."""
    is_forced: bool = False
    """The guards are not asked; the law always is."""
    depth: int = 0
    """How many verbs have set each other off to come here."""

    def nested(self, *, actor: Actor) -> Self:
        """The execution of a verb that this one sets off by itself; ActionRefused where rules go in a circle."""
        if self.depth >= DEEPEST:
            raise ActionRefused(_("Transitions trigger each other in a circle; the chain was stopped here."))
        return replace(self, actor=actor, occurred_at=None, is_forced=False, depth=self.depth + 1)


@dataclass
class Outcome:
    """What came of a verb."""

    ticket: Ticket
    verb: str
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def fire(
    *,
    ticket: Ticket,
    verb: str,
    actor: Actor,
    at: datetime,
    reason: str = "",
    given: Mapping[str, Any] | None = None,
    trigger: str = Trigger.PERSON,
    origin: str = "",
) -> Outcome:
    """Use a verb on a ticket; MoveRefused says why not, and by whom somebody was quicker.

    `given` are fields that come with it.
    """
    execution = Execution(ticket=ticket, actor=actor, at=at, origin=origin)
    return carry_out(execution, verb, reason=reason, given=given, trigger=trigger)


@transaction.atomic
def carry_out(
    execution: Execution,
    verb: str,
    *,
    reason: str = "",
    given: Mapping[str, Any] | None = None,
    trigger: str = Trigger.PERSON,
) -> Outcome:
    """Use a verb as part of an execution that is under way; MoveRefused says why not."""
    locked = tickets.locked(execution.ticket)
    execution = replace(execution, ticket=locked, rule=verb)
    seen = Context(fresh(locked), at=execution.at, reason=reason, given=given)
    policy = policy_of(seen.ticket.status.version)
    acts_as = roles(execution.actor, seen.ticket)
    if policy.is_plain and verb in MOVES:
        return _by_law(execution, verb, reason=reason, is_allowed=trigger != Trigger.PERSON or _may_work(acts_as))
    rule = policy.transition(verb)
    if rule is None:
        raise MoveRefused(
            _("%(label)s has no transition “%(verb)s” in %(version)s.")
            % {"label": locked.label, "verb": verb, "version": policy.version}
        )
    refusal = why_not(seen, rule, roles=acts_as, trigger=trigger, is_forced=execution.is_forced)
    if refusal:
        raise MoveRefused(f"{refusal}{_by_whom(seen.ticket, rule)}")
    outcome = Outcome(locked, verb)
    _apply(outcome, rule, seen, execution)
    return outcome


def _may_work(acts_as: frozenset[str]) -> bool:
    return bool(acts_as & (WORKING | {MACHINE}))


def _by_law(execution: Execution, verb: str, *, reason: str, is_allowed: bool) -> Outcome:
    """A verb of the law, where the workflow has none of its own."""
    if not is_allowed:
        who = ", ".join(sorted(WORKING))
        raise MoveRefused(_("“%(verb)s” is reserved for: %(who)s.") % {"verb": MOVES[verb].label, "who": who})
    return Outcome(_move(execution, verb, reason=reason), verb)


def _move(execution: Execution, name: str, *, reason: str, **more: Any) -> Ticket:
    return transitions.move(
        ticket=execution.ticket,
        name=name,
        actor=execution.actor,
        at=execution.at,
        reason=reason,
        occurred_at=execution.occurred_at,
        origin=execution.origin,
        **more,
    )


def _apply(outcome: Outcome, rule: CompiledTransition, seen: Context, execution: Execution) -> None:
    ticket, target = seen.ticket, rule.target
    _take(seen, execution)
    if target is not None and target.phase != ticket.phase:
        name = transitions.LAW[ticket.phase, target.phase]
        _move(execution, name, reason=seen.reason, status=target, rule=rule.slug)
    elif target is not None and target.pk != ticket.status_id:
        tickets.set_status(
            ticket=ticket,
            status=target,
            verb=rule.slug,
            reason=seen.reason,
            actor=execution.actor,
            at=execution.at,
            origin=execution.origin,
        )
    else:
        note(execution, what=rule.name, result=seen.reason)
    run(outcome, rule.actions, seen, execution)
    if target is not None and target.default_holder is not None and target.pk != ticket.status_id:
        _offer_to_default(outcome, target.default_holder.public_id, seen, execution)


def _take(seen: Context, execution: Execution) -> None:
    """Fields that came with the verb."""
    changes = {name: value for name, value in seen.given.items() if name in tickets.EDITABLE}
    if changes:
        tickets.edit_ticket(
            ticket=seen.ticket, changes=changes, actor=execution.actor, at=execution.at, origin=execution.origin
        )


def _offer_to_default(outcome: Outcome, public_id: str, seen: Context, execution: Execution) -> None:
    after = context(seen.ticket, at=execution.at)
    if any(leg.is_lead for leg in after.open_legs):
        return
    kind = ACTIONS["hand_over"]
    params = kind.judged({"organisation": public_id})
    run(outcome, (CompiledAction(kind=kind, params=params),), seen, execution)


def run(outcome: Outcome, actions: Iterable[CompiledAction], seen: Context, execution: Execution) -> None:
    """Do what a rule says, in order. One that cannot be done stops no other, and is put where a person sees it."""
    for each in actions:
        # Each sees the ticket as the one before has left it.
        now = Context(fresh(seen.ticket), at=execution.at, reason=seen.reason, given=seen.given)
        try:
            outcome.done.append(each.kind.do(now, each.params, execution))
        except (ActionRefused, MoveRefused, tickets.NotEditable, messages.NotSaid) as refused:
            outcome.failed.append(str(refused))
            failed = FailedAction.objects.create(
                ticket=seen.ticket,
                rule=execution.rule,
                kind=each.kind.slug,
                params=dict(each.params),
                why=str(refused),
                at=execution.at,
            )
            _tell_of(failed)


def _tell_of(failed: FailedAction) -> None:
    """Whoever can decide hears at once that a rule is stuck: nobody else may look at the ticket for hours."""
    why = _("A rule failed: %(why)s") % {"why": failed.why}
    told = Told(key=f"failed:{failed.pk}", kind="escalation", ticket=failed.ticket, why=why, is_urgent=True)
    managers = notify.in_role(Membership.Role.MANAGER)
    notify.tell(told, notify.people(managers), at=failed.at)


def note(execution: Execution, *, what: str, result: str) -> None:
    """Remember on the ticket what a rule did that leaves no other trace."""
    history.record(
        ticket=tickets.locked(execution.ticket),
        kind=EventKind.RULE_ACTED,
        payload={"rule": execution.rule, "what": str(what)[:200], "result": str(result)[:500]},
        actor=execution.actor,
        at=execution.at,
        origin=execution.origin,
    )


@transaction.atomic
def bring(*, ticket: Ticket, name: str, actor: Actor, at: datetime, reason: str = "", origin: str = "") -> Ticket:
    """Bring a ticket to a phase by what nobody pressed: a requester's answer, an alert, the law's name for it.

    The workflow's own verb is used where there is one that anybody of ours could use now without filling in anything,
    with what follows from it; else the law's. MoveRefused where neither leads there.
    """
    seen = context(tickets.locked(ticket), at=at, reason=reason)
    for rule in policy_of(seen.ticket.status.version).transitions:
        if rule.trigger != Trigger.PERSON or rule.target is None or rule.target.phase != MOVES[name].leads_to:
            continue
        if rule.roles and not rule.roles & WORKING:
            continue
        if not why_not(seen, rule, roles=frozenset({MACHINE}), trigger=Trigger.PERSON):
            execution = Execution(ticket=seen.ticket, actor=actor, at=at, origin=origin, rule=rule.slug)
            outcome = Outcome(seen.ticket, rule.slug)
            _apply(outcome, rule, seen, execution)
            return fresh(ticket)
    return transitions.move(ticket=ticket, name=name, actor=actor, at=at, reason=reason, origin=origin)


def machine(rule: str) -> Actor:
    """Who acts where a rule does."""
    return Actor.system(f"rule {rule}"[:64])


def _by_whom(ticket: Ticket, rule: CompiledTransition) -> str:
    """Who was quicker, where the status is not the one the verb leads on from."""
    if rule.leaves(ticket.status):
        return ""
    kinds = [EventKind.TICKET_MOVED, EventKind.STATUS_CHANGED]
    event = Event.objects.filter(ticket=ticket, kind__in=kinds).order_by("-seq").first()
    if event is None or not event.actor_name:
        return ""
    return " " + _("%(who)s changed the status at %(when)s.") % {
        "who": event.actor_name,
        "when": f"{event.recorded_at:%Y-%m-%d %H:%M} UTC",
    }


def vendor_did(leg: Leg, did: str, execution: Execution) -> bool:
    """Let policy answer what a vendor did with its leg; whether it had an answer. MoveRefused where it says no.

    `did` is what became of the leg: accepted, started, waiting, resumed, done, reopened, declined, returned, expired.
    """
    ticket = fresh(leg.ticket)
    rule = next(iter(_vendor_rules(policy_of(ticket.status.version), ticket, leg, did)), None)
    if rule is None:
        return False
    execution = replace(execution, ticket=ticket)
    carry_out(execution, rule.slug, trigger=Trigger.VENDOR, reason=leg.wait_reason or leg.reason)
    return True


def _vendor_rules(policy: Policy, ticket: Ticket, leg: Leg, did: str) -> list[CompiledTransition]:
    return [
        rule
        for rule in policy.transitions
        if rule.trigger == Trigger.VENDOR
        and did in rule.trigger_params.get("did", ())
        and rule.leaves(ticket.status)
        and (leg.is_lead or not rule.trigger_params.get("only_lead", True))
    ]
