"""The one way to use a verb: for people, the API, mail, timers and vendors alike.

Lock, ask who may, ask what it needs, ask the guards, ask the law; then the status, then what follows from it. The
law is asked last and always: rules only narrow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from hub.domain import history, messages, tickets
from hub.domain.actors import Actor
from hub.models import ActorKind, Event, EventKind, Leg, Membership, Phase, Ticket, User
from workflows.lifecycle import transitions
from workflows.lifecycle.transitions import MOVES, MoveRefused
from workflows.models import FailedAction, Trigger
from workflows.notifications import notify
from workflows.notifications.notify import Told
from workflows.rules.compiled import CompiledAction, CompiledRule, CompiledTransition, Policy, policy_of
from workflows.rules.context import Context, context, fresh, roles_of
from workflows.rules.registry import ACTIONS

WORKERS = frozenset({Membership.Role.MANAGER, Membership.Role.AGENT, Membership.Role.ADMIN})
MACHINES = frozenset({ActorKind.TIMER, ActorKind.SYSTEM})


class ActionRefused(Exception):
    """An action cannot be done now; the message says why, in words for a person."""


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One thing that can be done with a ticket, or why it cannot be done now."""

    slug: str
    label: str | Promise
    leads_to: str
    """The phase it leads to; empty where the status stays."""
    why_not: str = ""
    needs: tuple[str, ...] = ()
    help: str = ""

    @property
    def needs_reason(self) -> bool:
        return "reason" in self.needs


class Doing(NamedTuple):
    """Who acts when, and because of which rule."""

    ticket: Ticket
    actor: Actor
    at: datetime
    origin: str
    rule: str


@dataclass
class Fired:
    """What came of a verb."""

    ticket: Ticket
    verb: str
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@transaction.atomic
def fire(
    *,
    ticket: Ticket,
    verb: str,
    actor: Actor,
    at: datetime,
    reason: str = "",
    given: Mapping[str, Any] | None = None,
    trigger: str = Trigger.PERSON,
    is_forced: bool = False,
    occurred_at: datetime | None = None,
    origin: str = "",
) -> Fired:
    """Use a verb on a ticket; MoveRefused says why not, and by whom somebody was quicker.

    `given` are fields that come with it. Forced, guards are not asked; the law always is.
    """
    locked = tickets.locked(ticket)
    seen = Context(fresh(locked), at=at, reason=reason, given=given)
    policy = policy_of(seen.ticket.status.version)
    if policy.is_plain and verb in MOVES:
        if trigger == Trigger.PERSON and not roles(actor, seen.ticket) & (WORKERS | {"machine"}):
            raise MoveRefused(
                _("“%(verb)s” is for %(who)s.")
                % {
                    "verb": MOVES[verb].label,
                    "who": ", ".join(sorted(WORKERS)),
                }
            )
        moved = transitions.move(
            ticket=locked, name=verb, actor=actor, at=at, reason=reason, occurred_at=occurred_at, origin=origin
        )
        return Fired(moved, verb)
    rule = policy.transition(verb)
    if rule is None:
        raise MoveRefused(
            _("%(label)s has no verb “%(verb)s” in %(version)s.")
            % {
                "label": locked.label,
                "verb": verb,
                "version": policy.version,
            }
        )
    refusal = why_not(seen, rule, roles=roles(actor, seen.ticket), trigger=trigger, is_forced=is_forced)
    if refusal:
        raise MoveRefused(f"{refusal}{_by_whom(seen.ticket, rule)}")
    fired = Fired(locked, verb)
    _apply(fired, rule, seen, Doing(locked, actor, at, origin, verb), occurred_at)
    return fired


def _apply(fired: Fired, rule: CompiledTransition, seen: Context, doing: Doing, occurred_at: datetime | None) -> None:
    ticket, target = seen.ticket, rule.target
    _take(seen, doing)
    if target is not None and target.phase != ticket.phase:
        name = transitions.LAW[ticket.phase, target.phase]
        transitions.move(
            ticket=ticket,
            name=name,
            actor=doing.actor,
            at=doing.at,
            reason=seen.reason,
            occurred_at=occurred_at,
            origin=doing.origin,
            status=target,
            rule=rule.slug,
        )
    elif target is not None and target.pk != ticket.status_id:
        tickets.set_status(
            ticket=ticket,
            status=target,
            verb=rule.slug,
            reason=seen.reason,
            actor=doing.actor,
            at=doing.at,
            origin=doing.origin,
        )
    else:
        note(doing, what=rule.name, result=seen.reason)
    run(fired, rule.actions, seen, doing)
    if target is not None and target.default_holder is not None and target.pk != ticket.status_id:
        _offer_to_default(fired, target.default_holder.public_id, seen, doing)


def _take(seen: Context, doing: Doing) -> None:
    """Fields that came with the verb."""
    changes = {name: value for name, value in seen.given.items() if name in tickets.EDITABLE}
    if changes:
        tickets.edit_ticket(ticket=seen.ticket, changes=changes, actor=doing.actor, at=doing.at, origin=doing.origin)


def _offer_to_default(fired: Fired, public_id: str, seen: Context, doing: Doing) -> None:
    after = context(seen.ticket, at=doing.at)
    if any(leg.is_lead for leg in after.open_legs):
        return
    kind = ACTIONS["hand_over"]
    params = kind.judged({"organisation": public_id})
    run(fired, (CompiledAction(kind=kind, params=params),), seen, doing)


def run(fired: Fired, actions: Iterable[CompiledAction], seen: Context, doing: Doing) -> None:
    """Do what a rule says, in order. One that cannot be done stops no other, and is put where a person sees it."""
    for each in actions:
        # Each sees the ticket as the one before has left it.
        now = Context(fresh(seen.ticket), at=doing.at, reason=seen.reason, given=seen.given)
        try:
            fired.done.append(each.kind.do(now, each.params, doing))
        except (ActionRefused, MoveRefused, tickets.NotEditable, messages.NotSaid) as refused:
            fired.failed.append(str(refused))
            failed = FailedAction.objects.create(
                ticket=seen.ticket,
                rule=doing.rule,
                kind=each.kind.slug,
                params=dict(each.params),
                why=str(refused),
                at=doing.at,
            )
            _tell_of(failed)


def _tell_of(failed: FailedAction) -> None:
    """Whoever can decide hears at once that a rule is stuck: nobody else may look at the ticket for hours."""
    why = _("A rule could not be done: %(why)s") % {"why": failed.why}
    told = Told(key=f"failed:{failed.pk}", kind="escalation", ticket=failed.ticket, why=why, is_urgent=True)
    managers = notify.in_role(Membership.Role.MANAGER)
    notify.tell(told, notify.people(managers), at=failed.at)


def note(doing: Doing, *, what: str, result: str) -> None:
    """Remember on the ticket what a rule did that leaves no other trace."""
    history.record(
        ticket=tickets.locked(doing.ticket),
        kind=EventKind.RULE_ACTED,
        payload={"rule": doing.rule, "what": str(what)[:200], "result": str(result)[:500]},
        actor=doing.actor,
        at=doing.at,
        origin=doing.origin,
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
        if rule.roles and not rule.roles & WORKERS:
            continue
        if not why_not(seen, rule, roles=frozenset({"machine"}), trigger=Trigger.PERSON):
            fired = Fired(seen.ticket, rule.slug)
            _apply(fired, rule, seen, Doing(seen.ticket, actor, at, origin, rule.slug), None)
            return fresh(ticket)
    return transitions.move(ticket=ticket, name=name, actor=actor, at=at, reason=reason, origin=origin)


# -- asking


def machine(rule: str) -> Actor:
    """Who acts where a rule does."""
    return Actor.system(f"rule {rule}"[:64])


def roles(actor: Actor, ticket: Ticket) -> frozenset[str]:
    """As what somebody acts on this ticket."""
    if actor.kind in MACHINES:
        return frozenset({"machine"})
    if actor.kind == ActorKind.VENDOR:
        return frozenset({"vendor"})
    user = User.objects.filter(public_id=actor.id).first() if actor.kind == ActorKind.PERSON else None
    if user is None:
        return frozenset(WORKERS) if actor.kind == ActorKind.API else frozenset()
    return roles_on(user, ticket)


def roles_on(user: User, ticket: Ticket) -> frozenset[str]:
    found = set(roles_of(user))
    if ticket.requester is not None and ticket.requester.user_id == user.pk:
        found.add("requester")
    return frozenset(found)


def why_not(
    seen: Context, rule: CompiledTransition, *, roles: frozenset[str], trigger: str, is_forced: bool = False
) -> str:
    """Why a verb cannot be used now, in a sentence; empty where it can. Reads nothing that is not in the facts."""
    ticket = seen.ticket
    if ticket.is_history:
        return _("%(label)s was imported; its history stays as it is.") % {"label": ticket.label}
    if rule.trigger != trigger:
        return _("“%(verb)s” is set off by %(trigger)s.") % {
            "verb": rule.name,
            "trigger": Trigger(rule.trigger).label,
        }
    if not rule.leaves(ticket.status):
        return _("%(label)s is “%(status)s”; “%(verb)s” does not lead on from there.") % {
            "label": ticket.label,
            "status": ticket.status,
            "verb": rule.name,
        }
    if "machine" not in roles and not roles & (rule.roles or WORKERS) and trigger == Trigger.PERSON:
        return _("“%(verb)s” is for %(who)s.") % {
            "verb": rule.name,
            "who": ", ".join(sorted(rule.roles or WORKERS)),
        }
    missing = _missing(seen, rule.required)
    if missing:
        return missing
    return ("" if is_forced else guards_say(seen, rule)) or _law_says(seen, rule)


def guards_say(seen: Context, rule: CompiledRule) -> str:
    """The first guard that does not hold, in its own words."""
    for guard in rule.guards:
        said = guard.kind.judge(seen, guard.params)
        if guard.is_negated:
            said = "" if said else _("It is so that %s.") % guard.kind.label
        if said:
            return said
    return ""


def _missing(seen: Context, required: Sequence[str]) -> str:
    names = []
    for name in required:
        if name == "reason":
            there = bool(seen.reason.strip())
        else:
            there = seen.given.get(name) not in (None, "") or getattr(seen.ticket, name, None) not in (None, "")
        if not there:
            names.append(str(_("a reason")) if name == "reason" else name)
    return _("It needs %s first.") % ", ".join(names) if names else ""


def _law_says(seen: Context, rule: CompiledTransition) -> str:
    """The law's own word on where the verb leads; the open legs it asks about are those of the facts."""
    ticket, target = seen.ticket, rule.target
    if target is None or target.phase == ticket.phase:
        return ""
    name = transitions.LAW.get((ticket.phase, target.phase))
    if name is None:
        return _("The law has no way from “%(before)s” to “%(after)s”.") % {
            "before": Phase(ticket.phase).label,
            "after": Phase(target.phase).label,
        }
    return transitions.why_not(ticket, name, at=seen.at, legs=seen.open_legs)


def _by_whom(ticket: Ticket, rule: CompiledTransition) -> str:
    """Who was quicker, where the status is not the one the verb leads on from."""
    if rule.leaves(ticket.status):
        return ""
    kinds = [EventKind.TICKET_MOVED, EventKind.STATUS_CHANGED]
    event = Event.objects.filter(ticket=ticket, kind__in=kinds).order_by("-seq").first()
    if event is None or not event.actor_name:
        return ""
    return " " + _("%(who)s brought it there at %(when)s.") % {
        "who": event.actor_name,
        "when": f"{event.recorded_at:%Y-%m-%d %H:%M} UTC",
    }


def available(seen: Context, *, roles: frozenset[str]) -> list[Verb]:
    """Every verb a person could use, each with why it cannot be used now; no query beyond the facts."""
    return available_in(policy_of(seen.ticket.status.version), seen, roles=roles)


def available_in(policy: Policy, seen: Context, *, roles: frozenset[str]) -> list[Verb]:
    """The same by another policy than the ticket's own, as when a draft is tried."""
    if policy.is_plain and not roles & (WORKERS | {"machine"}):
        return []
    if policy.is_plain:
        return [
            Verb(
                slug=move.verb,
                label=move.label,
                leads_to=str(move.leads_to),
                why_not=transitions.why_not(seen.ticket, move.verb, at=seen.at, legs=seen.open_legs),
            )
            for move in MOVES.values()
        ]
    # What a person fills in with the verb is no reason to hide it.
    return [
        Verb(
            slug=rule.slug,
            label=rule.name,
            leads_to=rule.target.phase if rule.target else "",
            why_not=_why_hidden(seen, rule, roles),
            needs=rule.required,
            help=rule.help,
        )
        for rule in policy.transitions
        if rule.trigger == Trigger.PERSON
    ]


def _why_hidden(seen: Context, rule: CompiledTransition, roles: frozenset[str]) -> str:
    filled = Context(seen.ticket, at=seen.at, reason="…", given=dict.fromkeys(rule.required, "…"))
    for name in ("legs", "clocks", "messages", "attachments", "open_children"):
        if name in seen.__dict__:
            setattr(filled, name, seen.__dict__[name])
    return why_not(filled, rule, roles=roles, trigger=Trigger.PERSON)


# -- what a vendor does


def vendor_did(
    *,
    leg: Leg,
    did: str,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    is_forced: bool = False,
) -> bool:
    """Let policy answer what a vendor did with its leg; whether it had an answer. MoveRefused where it says no.

    `did` is what became of the leg: accepted, started, waiting, resumed, done, reopened, declined, returned, expired.
    """
    ticket = fresh(leg.ticket)
    policy = policy_of(ticket.status.version)
    for rule in _vendor_rules(policy, ticket, leg, did):
        fire(
            ticket=ticket,
            verb=rule.slug,
            actor=actor,
            at=at,
            trigger=Trigger.VENDOR,
            is_forced=is_forced,
            occurred_at=occurred_at,
            origin=origin,
            reason=leg.wait_reason or leg.reason,
        )
        return True
    return False


def _vendor_rules(policy: Policy, ticket: Ticket, leg: Leg, did: str) -> list[CompiledTransition]:
    return [
        rule
        for rule in policy.transitions
        if rule.trigger == Trigger.VENDOR
        and did in rule.trigger_params.get("did", ())
        and rule.leaves(ticket.status)
        and (leg.is_lead or not rule.trigger_params.get("only_lead", True))
    ]
