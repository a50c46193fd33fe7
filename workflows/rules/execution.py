"""The only way to carry out a transition, for people, mail, timers and vendors alike.

The ticket is locked; then the role, the required fields, the guards and the law are checked, the status changes, and
the actions are performed. The law is always checked, last: rules can only restrict it. Who acts, when and why is one
`Execution`, which is passed to every action and to everything an action triggers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from django.db import transaction
from django.utils.translation import gettext as _

from hub.core.sentences import sentence
from hub.domain import history, messages, tickets
from hub.domain.actors import Actor
from hub.models import ActorKind, Event, EventKind, Leg, Membership, Resolution, ResolutionCode, Ticket
from hub.queries.roles import WORKING, role_labels
from hub.translation import Refusal, localized
from workflows.lifecycle import transitions
from workflows.lifecycle.transitions import MOVES, MoveRefused
from workflows.models import FailedAction, Trigger
from workflows.notifications import notify
from workflows.notifications.notify import Told
from workflows.rules.compiled import CompiledAction, CompiledTransition, Policy, policy_of
from workflows.rules.context import Context, again, context, fresh
from workflows.rules.registry import ACTIONS
from workflows.rules.roles import MACHINE, roles
from workflows.rules.verbs import missing_by_law, why_not

DEEPEST = 5
"""How many transitions may trigger each other in a chain; a circle of rules ends here."""


class ActionRefused(Refusal):
    """An action cannot be performed now; the message tells a person why."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Who acts on a ticket, when, and because of which rule. It is passed on to everything that follows."""

    ticket: Ticket
    actor: Actor
    at: datetime
    occurred_at: datetime | None = None
    origin: str = ""
    rule: str = ""
    """The identifier of the transition or escalation that is carried out; empty if there is none."""
    is_forced: bool = False
    """Guards are not checked; the law always is."""
    depth: int = 0
    """How many transitions have triggered each other to get here."""

    def nested(self, *, actor: Actor) -> Self:
        """The execution of a transition that this one triggers; ActionRefused if the chain is longer than DEEPEST."""
        if self.depth >= DEEPEST:
            raise ActionRefused(sentence("Transitions trigger each other in a circle; the chain was stopped here."))
        return replace(self, actor=actor, occurred_at=None, is_forced=False, depth=self.depth + 1)


@dataclass
class Outcome:
    """The outcome of a transition or an escalation step."""

    ticket: Ticket
    verb: str
    done: list[str] = field(default_factory=list)
    """What each performed action did, in words."""
    failed: list[str] = field(default_factory=list)
    """Why actions failed, as sentences."""


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
    """Carry out a transition. MoveRefused says why it is not possible, and who changed the status in the meantime.

    `given` are values of fields entered with the transition.
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
    """Carry out a transition within an execution that is under way. MoveRefused says why it is not possible."""
    locked = tickets.locked(execution.ticket)
    execution = replace(execution, ticket=locked, rule=verb)
    seen = Context(fresh(locked), at=execution.at, reason=reason, given=given)
    policy = policy_of(seen.ticket.status.version)
    acts_as = roles(execution.actor, seen.ticket)
    if policy.is_plain and verb in MOVES:
        return _by_law(execution, verb, seen, acts_as if trigger == Trigger.PERSON else frozenset({MACHINE}))
    rule = policy.transition(verb)
    if rule is None:
        raise MoveRefused(
            sentence(
                "%(label)s has no transition “%(verb)s” in %(version)s.",
                label=locked.label,
                verb=verb,
                version=policy.version,
            )
        )
    refusal = why_not(seen, rule, roles=acts_as, trigger=trigger, is_forced=execution.is_forced)
    if refusal:
        raise MoveRefused(_with_last_change(refusal, seen.ticket, rule))
    outcome = Outcome(locked, verb)
    _apply(outcome, rule, seen, execution)
    return outcome


def _may_work(acts_as: frozenset[str]) -> bool:
    return bool(acts_as & (WORKING | {MACHINE}))


def _by_law(execution: Execution, verb: str, seen: Context, acts_as: frozenset[str]) -> Outcome:
    """Carry out a transition of the law, because the workflow has none for people."""
    if not _may_work(acts_as):
        who = role_labels(WORKING)
        raise MoveRefused(sentence("“%(verb)s” is reserved for: %(who)s.", verb=MOVES[verb].label, who=who))
    refusal = transitions.why_not(execution.ticket, verb, at=execution.at) or missing_by_law(
        seen, MOVES[verb].leads_to, acts_as
    )
    if refusal:
        raise MoveRefused(refusal)
    return Outcome(_move(execution, verb, reason=seen.reason, resolution=_resolution(seen)), verb)


def _resolution(seen: Context) -> Resolution:
    """The resolution entered with the transition. MoveRefused if its code is unknown."""
    code = str(seen.given.get("resolution_code") or "")
    if code and code not in ResolutionCode.values:
        known = ", ".join(ResolutionCode.values)
        raise MoveRefused(sentence("“%(code)s” is not a resolution code. Use %(known)s.", code=code, known=known))
    text = str(seen.given.get("resolution") or "").strip()
    return Resolution(text=text, code=code, is_shared=bool(seen.given.get("is_resolution_shared", True)))


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
    _edit_fields(seen, execution)
    if target is not None and target.phase != ticket.phase:
        name = transitions.LAW[ticket.phase, target.phase]
        _move(execution, name, reason=seen.reason, status=target, rule=rule.slug, resolution=_resolution(seen))
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


def _edit_fields(seen: Context, execution: Execution) -> None:
    """Save the fields entered with the transition."""
    changes = {name: value for name, value in seen.given.items() if name in tickets.EDITABLE}
    if changes:
        tickets.edit_ticket(
            ticket=seen.ticket, changes=changes, actor=execution.actor, at=execution.at, origin=execution.origin
        )


def _offer_to_default(outcome: Outcome, public_id: str, seen: Context, execution: Execution) -> None:
    """Hand the ticket over to the default holder of its new status, unless an organisation leads already."""
    after = context(seen.ticket, at=execution.at)
    if any(leg.is_lead for leg in after.open_legs):
        return
    kind = ACTIONS["hand_over"]
    params = kind.judged({"organisation": public_id})
    run(outcome, (CompiledAction(kind=kind, params=params),), seen, execution)


def run(outcome: Outcome, actions: Iterable[CompiledAction], seen: Context, execution: Execution) -> None:
    """Perform the actions of a rule in order. A failed action does not stop the others; a person is notified of it."""
    ticket = seen.ticket
    for each in actions:
        ticket = again(ticket)  # each action sees the ticket as the previous one has left it
        now = Context(ticket, at=execution.at, reason=seen.reason, given=seen.given)
        try:
            outcome.done.append(each.kind.do(now, each.params, execution))
        except (ActionRefused, MoveRefused, tickets.NotEditable, messages.NotSaid) as refused:
            why = localized(str(refused))
            outcome.failed.append(why)
            failed = FailedAction.objects.create(
                ticket=seen.ticket,
                rule=execution.rule,
                kind=each.kind.slug,
                params=dict(each.params),
                why=why,
                at=execution.at,
            )
            _notify_managers(failed)


def _notify_managers(failed: FailedAction) -> None:
    """Notify our managers immediately: nobody else may look at the ticket for hours."""
    why = sentence("A rule failed: %(why)s", why=failed.why)
    notice = Told(key=f"failed:{failed.pk}", kind="escalation", ticket=failed.ticket, why=why, is_urgent=True)
    managers = notify.in_role(Membership.Role.MANAGER)
    notify.tell(notice, notify.people(managers), at=failed.at)


def note(execution: Execution, *, what: str, result: str) -> None:
    """Record in the ticket's history what a rule did, if the action leaves no other event."""
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
    """Move a ticket to a phase without a person's choice: because of a requester's reply or an alert.

    `name` is the law's transition to that phase. The first transition of the workflow to that phase is carried out that
    our people could use now without entering anything, with its actions; if there is none, the law's transition.
    MoveRefused if neither is possible.
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
    """The actor of what a rule does, by the rule's identifier."""
    name = _("rule %(rule)s") % {"rule": rule}
    return Actor(kind=ActorKind.SYSTEM, id=f"rule {rule}"[:64], name=name[:150])


def _with_last_change(refusal: str, ticket: Ticket, rule: CompiledTransition) -> str:
    """The refusal; if the ticket is not in a status the transition starts from, also who changed the status last."""
    if rule.leaves(ticket.status):
        return refusal
    kinds = [EventKind.TICKET_MOVED, EventKind.STATUS_CHANGED]
    event = Event.objects.filter(ticket=ticket, kind__in=kinds).order_by("-seq").first()
    if event is None or not event.actor_name:
        return refusal
    return sentence(
        "%(refusal)s %(who)s changed the status at %(when)s.",
        refusal=refusal,
        who=event.actor_name,
        when=f"{event.recorded_at:%Y-%m-%d %H:%M} UTC",
    )


def vendor_did(leg: Leg, did: str, execution: Execution) -> bool:
    """Carry out the workflow's transition for what a vendor did with its engagement; False if there is none.

    `did` is what became of the engagement: accepted, started, waiting, resumed, done, reopened, declined, returned or
    expired. MoveRefused if the transition is not possible now.
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
