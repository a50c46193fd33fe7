"""The transitions a ticket offers, and why one is not possible now. Only the facts are read; nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import FieldDoesNotExist
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from hub.core.sentences import sentence
from hub.models import Phase, Ticket
from hub.queries.roles import WORKING, role_labels
from hub.translation import localized
from workflows.lifecycle import transitions
from workflows.lifecycle.transitions import MOVES
from workflows.models import Trigger
from workflows.rules.compiled import CompiledRule, CompiledTransition, Policy, policy_of
from workflows.rules.context import Context
from workflows.rules.registry import GuardKind
from workflows.rules.roles import MACHINE

RESOLUTION = ("resolution", "resolution_code")
"""What is entered when a ticket is resolved."""


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One transition of a ticket that a person can use, or why it is not possible now."""

    slug: str
    label: str | Promise
    leads_to: str
    """The phase it leads to; empty if the status stays."""
    why_not: str = ""
    """Why it is not possible now, as a sentence; empty if it is possible."""
    needs: tuple[str, ...] = ()
    """What must be filled in: “reason”, or names of fields."""
    help: str = ""

    @property
    def needs_reason(self) -> bool:
        return "reason" in self.needs


def why_not(
    seen: Context, rule: CompiledTransition, *, roles: frozenset[str], trigger: str, is_forced: bool = False
) -> str:
    """Why a transition is not possible now, as a sentence; empty if it is possible. Reads only the facts."""
    target = rule.target.phase if rule.target is not None and trigger == Trigger.PERSON else ""
    return (
        localized(_not_usable(seen, rule, roles, trigger))
        or ("" if is_forced else guards_say(seen, rule))
        or localized(_law_says(seen, rule))
        or localized(missing_by_law(seen, target, roles))
    )


def _not_usable(seen: Context, rule: CompiledTransition, roles: frozenset[str], trigger: str) -> str:
    """Why the trigger, the status, the role or an empty field rules a transition out."""
    ticket = seen.ticket
    if ticket.is_history:
        return sentence("%(label)s is imported history and cannot be changed.", label=ticket.label)
    if rule.trigger != trigger:
        return sentence("“%(verb)s” is triggered by %(trigger)s.", verb=rule.name, trigger=Trigger(rule.trigger).label)
    if not rule.leaves(ticket.status):
        return sentence(
            "%(label)s is “%(status)s”; “%(verb)s” is not possible in this status.",
            label=ticket.label,
            status=ticket.status,
            verb=rule.name,
        )
    if MACHINE not in roles and not roles & (rule.roles or WORKING) and trigger == Trigger.PERSON:
        who = role_labels(rule.roles or WORKING)
        return sentence("“%(verb)s” is reserved for: %(who)s.", verb=rule.name, who=who)
    return _missing(seen, rule.required)


def asked(ticket: Ticket, target: str, roles: frozenset[str]) -> tuple[str, ...]:
    """What whoever works for us has to enter with a transition to this phase, whatever the workflow requires.

    A resolution says what was done and how, so that no finding is lost; a cancellation says why.
    """
    if not ticket.is_open or not roles & WORKING:
        return ()
    return {str(Phase.RESOLVED): RESOLUTION, str(Phase.CANCELLED): ("reason",)}.get(target, ())


def missing_by_law(seen: Context, target: str, roles: frozenset[str]) -> str:
    """What has to be entered with a transition of the law, as a sentence; empty if nothing is missing."""
    return _missing(seen, asked(seen.ticket, target, roles))


def guards_say(seen: Context, rule: CompiledRule) -> str:
    """The refusal of the first guard that does not hold; empty if all hold."""
    for guard in rule.guards:
        refusal = guard.kind.judge(seen, guard.params)
        if guard.is_negated:
            refusal = "" if refusal else _negated(guard.kind)
        if refusal:
            return localized(refusal)
    return ""


def _negated(kind: GuardKind) -> str:
    """The refusal of a negated guard whose condition holds."""
    return str(kind.negated) or sentence("Not allowed while %(condition)s.", condition=kind.label)


def _missing(seen: Context, required: Sequence[str]) -> str:
    names = []
    for name in required:
        if name == "reason":
            is_filled = bool(seen.reason.strip())
        elif name in RESOLUTION:
            is_filled = bool(str(seen.given.get(name) or "").strip())
        else:
            is_filled = seen.given.get(name) not in (None, "") or getattr(seen.ticket, name, None) not in (None, "")
        if not is_filled:
            names.append(_("a reason") if name == "reason" else _label_of(name))
    return sentence("Fill in first: %(fields)s.", fields=", ".join(names)) if names else ""


def _label_of(name: str) -> str:
    """The label of a field of tickets, in the active language."""
    try:
        return str(getattr(Ticket._meta.get_field(name), "verbose_name", name))
    except FieldDoesNotExist:
        return name


def _law_says(seen: Context, rule: CompiledTransition) -> str:
    """Why the law forbids the change of phase; empty if it allows it. Open engagements are those of the facts."""
    ticket, target = seen.ticket, rule.target
    if target is None or target.phase == ticket.phase:
        return ""
    name = transitions.LAW.get((ticket.phase, target.phase))
    if name is None:
        return sentence(
            "A ticket cannot go from “%(before)s” to “%(after)s”.",
            before=Phase(ticket.phase).label,
            after=Phase(target.phase).label,
        )
    return transitions.why_not(ticket, name, at=seen.at, legs=seen.open_legs)


def available(seen: Context, *, roles: frozenset[str]) -> list[Verb]:
    """Every transition for people, each with why it is not possible now; no query beyond the facts."""
    return available_in(policy_of(seen.ticket.status.version), seen, roles=roles)


def available_in(policy: Policy, seen: Context, *, roles: frozenset[str]) -> list[Verb]:
    """The same by a policy that need not be the ticket's own, as in a dry run."""
    if policy.is_plain and not roles & (WORKING | {MACHINE}):
        return []
    if policy.is_plain:
        return [
            Verb(
                slug=move.verb,
                label=move.label,
                leads_to=str(move.leads_to),
                needs=asked(seen.ticket, move.leads_to, roles),
                why_not=transitions.why_not(seen.ticket, move.verb, at=seen.at, legs=seen.open_legs),
            )
            for move in MOVES.values()
        ]
    # A field that a person fills in with the transition is no reason to hide the transition.
    return [
        Verb(
            slug=rule.slug,
            label=rule.name,
            leads_to=rule.target.phase if rule.target else "",
            why_not=_why_hidden(seen, rule, roles),
            needs=tuple(
                dict.fromkeys((*rule.required, *asked(seen.ticket, rule.target.phase if rule.target else "", roles)))
            ),
            help=rule.help,
        )
        for rule in policy.transitions
        if rule.trigger == Trigger.PERSON
    ]


def _why_hidden(seen: Context, rule: CompiledTransition, roles: frozenset[str]) -> str:
    filled = Context(seen.ticket, at=seen.at, reason="…", given=dict.fromkeys((*rule.required, *RESOLUTION), "…"))
    for name in ("legs", "clocks", "messages", "attachments", "open_children"):
        if name in seen.__dict__:
            setattr(filled, name, seen.__dict__[name])
    return why_not(filled, rule, roles=roles, trigger=Trigger.PERSON)
