"""Which verbs a ticket has, and why one cannot be used now. Nothing is changed, and nothing is read but the facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from hub.models import Phase
from hub.queries.roles import WORKING
from workflows.lifecycle import transitions
from workflows.lifecycle.transitions import MOVES
from workflows.models import Trigger
from workflows.rules.compiled import CompiledRule, CompiledTransition, Policy, policy_of
from workflows.rules.context import Context
from workflows.rules.registry import GuardKind
from workflows.rules.roles import MACHINE


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


def why_not(
    seen: Context, rule: CompiledTransition, *, roles: frozenset[str], trigger: str, is_forced: bool = False
) -> str:
    """Why a verb cannot be used now, in a sentence; empty where it can. Reads nothing that is not in the facts."""
    ticket = seen.ticket
    if ticket.is_history:
        return _("%(label)s is imported history and cannot be changed.") % {"label": ticket.label}
    if rule.trigger != trigger:
        return _("“%(verb)s” is triggered by %(trigger)s.") % {
            "verb": rule.name,
            "trigger": Trigger(rule.trigger).label,
        }
    if not rule.leaves(ticket.status):
        return _("%(label)s is “%(status)s”; “%(verb)s” is not possible from there.") % {
            "label": ticket.label,
            "status": ticket.status,
            "verb": rule.name,
        }
    if MACHINE not in roles and not roles & (rule.roles or WORKING) and trigger == Trigger.PERSON:
        return _("“%(verb)s” is reserved for: %(who)s.") % {
            "verb": rule.name,
            "who": ", ".join(sorted(rule.roles or WORKING)),
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
            said = "" if said else _negated(guard.kind)
        if said:
            return said
    return ""


def _negated(kind: GuardKind) -> str:
    """Why a negated guard that holds refuses, as a sentence."""
    return str(kind.negated) or _("Not allowed while %(condition)s.") % {"condition": kind.label}


def _missing(seen: Context, required: Sequence[str]) -> str:
    names = []
    for name in required:
        if name == "reason":
            there = bool(seen.reason.strip())
        else:
            there = seen.given.get(name) not in (None, "") or getattr(seen.ticket, name, None) not in (None, "")
        if not there:
            names.append(str(_("a reason")) if name == "reason" else name)
    return _("Fill in first: %(fields)s.") % {"fields": ", ".join(names)} if names else ""


def _law_says(seen: Context, rule: CompiledTransition) -> str:
    """The law's own word on where the verb leads; the open legs it asks about are those of the facts."""
    ticket, target = seen.ticket, rule.target
    if target is None or target.phase == ticket.phase:
        return ""
    name = transitions.LAW.get((ticket.phase, target.phase))
    if name is None:
        return _("A ticket cannot go from “%(before)s” to “%(after)s”.") % {
            "before": Phase(ticket.phase).label,
            "after": Phase(target.phase).label,
        }
    return transitions.why_not(ticket, name, at=seen.at, legs=seen.open_legs)


def available(seen: Context, *, roles: frozenset[str]) -> list[Verb]:
    """Every verb a person could use, each with why it cannot be used now; no query beyond the facts."""
    return available_in(policy_of(seen.ticket.status.version), seen, roles=roles)


def available_in(policy: Policy, seen: Context, *, roles: frozenset[str]) -> list[Verb]:
    """The same by another policy than the ticket's own, as when a draft is tried."""
    if policy.is_plain and not roles & (WORKING | {MACHINE}):
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
