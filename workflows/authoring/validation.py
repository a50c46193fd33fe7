"""Checks a workflow version before it is published. Every fault names its place and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from hub.models import Membership, Phase, Priority, State, WorkflowVersion
from hub.models.fields import label_of
from workflows.lifecycle import transitions as lifecycle_transitions
from workflows.models import Action, Escalation, Guard, Transition, Trigger
from workflows.rules.registry import ACTIONS, GUARDS, BadParams, Kind
from workflows.rules.triggers import DID, TRIGGERS

ENDS = (Phase.CLOSED, Phase.CANCELLED)
REQUIRABLE = ("reason", "requester", "service", "asset", "site", "impact", "urgency", "description", "title")
ROLES = frozenset({*Membership.Role.values, "requester"})


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong: the place, in the words of the builder, and a sentence."""

    where: str
    what: str

    def __str__(self) -> str:
        return _("%(place)s: %(fault)s") % {"place": self.where, "fault": self.what}


@dataclass(kw_only=True)
class _Draft:
    """The rows of the version, read once."""

    version: WorkflowVersion
    states: list[State]
    transitions: list[Transition]
    escalations: list[Escalation]

    def sources(self, rule: Transition) -> list[State]:
        """The statuses a transition leaves: the chosen ones, or every open one."""
        chosen = [state for state in self.states if state.pk in {each.pk for each in rule.sources.all()}]
        return chosen or [state for state in self.states if state.phase in ("new", "active", "waiting")]

    def target(self, rule: Transition) -> State | None:
        return next((state for state in self.states if state.pk == rule.target_id), None)


def faults(version: WorkflowVersion) -> list[Fault]:
    """Everything that has to be corrected before this version can be published."""
    draft = _Draft(
        version=version,
        states=list(State.objects.filter(version=version).order_by("position", "pk")),
        transitions=list(
            Transition.objects.filter(version=version)
            .prefetch_related("sources", "guards", "actions")
            .order_by("position", "pk")
        ),
        escalations=list(
            Escalation.objects.filter(version=version)
            .prefetch_related("guards", "steps__actions")
            .order_by("position", "pk")
        ),
    )
    found = [*_settings(version), *_states(draft), *_edges(draft), *_rules(draft)]
    if not _without_start(draft):
        found += [*_reachable(draft), *_dead_ends(draft)]
    return [*found, *_vendors(draft), *_loops(draft)]


def _settings(version: WorkflowVersion) -> Iterator[Fault]:
    matrix = version.priority_matrix or {}
    for impact, row in matrix.items() if isinstance(matrix, Mapping) else [("?", {})]:
        cells = row if isinstance(row, Mapping) else {}
        good = (
            impact in ("1", "2", "3")
            and cells
            and all(urgency in ("1", "2", "3") and value in Priority.values for urgency, value in cells.items())
        )
        if not good:
            yield Fault(
                where=_label(WorkflowVersion, "priority_matrix"),
                what=_("Impact and urgency must be 1 to 3, and priorities P1 to P4."),
            )
    if version.most_organisations < 1:
        yield Fault(where=_label(WorkflowVersion, "most_organisations"), what=_("Allow at least one."))


def _label(model: type[WorkflowVersion | State], name: str) -> str:
    """A field as the builder labels it."""
    return capfirst(label_of(model, name))


def _without_start(draft: _Draft) -> list[Phase]:
    """The phases that do not have exactly one first status."""
    first = [state.phase for state in draft.states if state.is_default]
    return [phase for phase in Phase if first.count(phase) != 1]


def _states(draft: _Draft) -> Iterator[Fault]:
    for phase in _without_start(draft):
        yield Fault(
            where=_("Statuses"),
            what=_("The phase “%(phase)s” needs exactly one first status.") % {"phase": phase.label},
        )
    for state in draft.states:
        if state.wait_reason and state.phase != Phase.WAITING:
            yield Fault(
                where=_status(state),
                what=_("Only a status of the phase “%(phase)s” can wait for something. Clear “%(field)s”.")
                % {"phase": Phase.WAITING.label, "field": _label(State, "wait_reason")},
            )
        if state.default_holder is not None and state.phase not in (Phase.NEW, Phase.ACTIVE, Phase.WAITING):
            yield Fault(
                where=_status(state),
                what=_("Only an open ticket can be offered to an organisation. Clear “%(field)s”.")
                % {"field": _label(State, "default_holder")},
            )


def _status(state: State) -> str:
    return _("Status “%(name)s”") % {"name": state.name}


def _where(rule: Transition | Escalation) -> str:
    place = _("Transition “%(name)s”") if isinstance(rule, Transition) else _("Escalation “%(name)s”")
    return place % {"name": rule.name}


def _edges(draft: _Draft) -> Iterator[Fault]:
    for rule in draft.transitions:
        if rule.target_id and draft.target(rule) is None:
            yield Fault(where=_where(rule), what=_("The target status belongs to another version."))
            continue
        if any(source.version_id != draft.version.pk for source in rule.sources.all()):
            yield Fault(where=_where(rule), what=_("A source status belongs to another version."))
        target = draft.target(rule)
        for source in draft.sources(rule):
            if (
                target is None
                or source.phase == target.phase
                or (source.phase, target.phase) in lifecycle_transitions.LAW
            ):
                continue
            yield Fault(
                where=_where(rule),
                what=_("A ticket cannot go from “%(source)s” (%(before)s) to “%(target)s” (%(after)s).")
                % {
                    "source": source.name,
                    "before": Phase(source.phase).label,
                    "target": target.name,
                    "after": Phase(target.phase).label,
                },
            )


def _rules(draft: _Draft) -> Iterator[Fault]:
    for rule in draft.transitions:
        yield from _trigger(rule)
        yield from _guards(rule, list(rule.guards.all()))
        yield from _actions(rule, list(rule.actions.all()), draft.version)
        for name in rule.required:
            if name not in REQUIRABLE:
                yield Fault(
                    where=_where(rule),
                    what=_("“%(name)s” cannot be required; choose from: %(known)s.")
                    % {
                        "name": name,
                        "known": ", ".join(REQUIRABLE),
                    },
                )
        for role in rule.roles:
            if role not in ROLES:
                yield Fault(where=_where(rule), what=_("There is no role “%s”.") % role)
    for escalation in draft.escalations:
        yield from _trigger(escalation)
        yield from _guards(escalation, list(escalation.guards.all()))
        steps = sorted(escalation.steps.all(), key=lambda step: step.position)
        if not steps:
            yield Fault(where=_where(escalation), what=_("The escalation has no steps."))
        for step in steps:
            if not step.actions.all():
                yield Fault(where=_where(escalation), what=_("Step %s does nothing.") % step.position)
            yield from _actions(escalation, list(step.actions.all()), draft.version)


def _trigger(rule: Transition | Escalation) -> Iterator[Fault]:
    try:
        TRIGGERS[rule.trigger].judged(rule.trigger_params)
    except BadParams as error:
        for name, mistake in error.mistakes.items():
            what = _("%(field)s: %(mistake)s") % {"field": _field(TRIGGERS[rule.trigger], name), "mistake": mistake}
            yield Fault(where=_where(rule), what=what)


def _mistakes(rule: Transition | Escalation, kind: Kind, error: BadParams) -> Iterator[Fault]:
    for name, mistake in error.mistakes.items():
        named = {"kind": kind.label, "field": _field(kind, name), "mistake": mistake}
        yield Fault(where=_where(rule), what=_("%(kind)s, %(field)s: %(mistake)s") % named)


def _field(kind: Kind, name: str) -> str:
    """A parameter as the builder labels it; its name where the kind has no such parameter."""
    return next((str(param.label) for param in kind.params if param.name == name), name)


def _guards(rule: Transition | Escalation, rows: list[Guard]) -> Iterator[Fault]:
    asked: dict[str, bool] = {}
    for row in rows:
        kind = GUARDS.get(row.kind)
        if kind is None:
            yield Fault(where=_where(rule), what=_("There is no guard “%s”.") % row.kind)
            continue
        try:
            params = kind.judged(row.params)
        except BadParams as error:
            yield from _mistakes(rule, kind, error)
            continue
        never = kind.can_hold(params)
        if never and not row.is_negated:
            what = _("The guard “%(guard)s” can never be true. %(reason)s") % {"guard": kind.label, "reason": never}
            yield Fault(where=_where(rule), what=what)
        key = f"{row.kind}:{sorted((name, str(value)) for name, value in params.items())}"
        if asked.get(key, row.is_negated) != row.is_negated:
            what = _("The guard “%(guard)s” and its negation can never both be true. Remove one of them.")
            yield Fault(where=_where(rule), what=what % {"guard": kind.label})
        asked[key] = row.is_negated


def _actions(rule: Transition | Escalation, rows: list[Action], version: WorkflowVersion) -> Iterator[Fault]:
    for row in rows:
        kind = ACTIONS.get(row.kind)
        if kind is None:
            yield Fault(where=_where(rule), what=_("There is no action “%s”.") % row.kind)
            continue
        try:
            kind.judged(row.params, version=version)
        except BadParams as error:
            yield from _mistakes(rule, kind, error)
        if isinstance(rule, Transition) and row.kind == "move" and row.params.get("verb") == rule.slug:
            yield Fault(where=_where(rule), what=_("The transition would trigger itself endlessly."))


# -- the graph


def _ways(draft: _Draft) -> Iterator[tuple[State, State, Transition]]:
    for rule in draft.transitions:
        target = draft.target(rule)
        if target is not None:
            yield from ((source, target, rule) for source in draft.sources(rule) if source.pk != target.pk)


def _is_plain(draft: _Draft) -> bool:
    return not any(rule.trigger == Trigger.PERSON for rule in draft.transitions)


def _reachable(draft: _Draft) -> Iterator[Fault]:
    """Statuses no ticket can reach.

    The first statuses of the open phases count as reached: the law moves a ticket there with its leading engagement.
    """
    by_law = (Phase.NEW, Phase.ACTIVE, Phase.WAITING)
    begins = [s for s in draft.states if s.is_default and (s.phase in by_law or _is_plain(draft))]
    seen = {state.pk for state in begins}
    waiting = list(begins)
    ways = list(_ways(draft))
    while waiting:
        here = waiting.pop()
        for source, target, _rule in ways:
            if source.pk == here.pk and target.pk not in seen:
                seen.add(target.pk)
                waiting.append(target)
    for state in draft.states:
        if state.pk not in seen and state.phase != Phase.CANCELLED:
            yield Fault(where=_status(state), what=_("No transition leads to this status."))


def _dead_ends(draft: _Draft) -> Iterator[Fault]:
    if _is_plain(draft):
        return
    ways = list(_ways(draft))
    for state in draft.states:
        if state.phase not in ENDS and not any(source.pk == state.pk for source, _target, _rule in ways):
            yield Fault(
                where=_status(state), what=_("No transition leaves this status, so a ticket would be stuck in it.")
            )
    people = [(source.pk, target.pk) for source, target, rule in ways]
    ends = {state.pk for state in draft.states if state.phase in (Phase.RESOLVED, *ENDS)}
    for state in draft.states:
        if state.phase not in (Phase.RESOLVED, *ENDS) and not _leads_to(state.pk, ends, people):
            yield Fault(where=_status(state), what=_("A ticket in this status can never be resolved."))


def _leads_to(start: int, ends: set[int], ways: list[tuple[int, int]]) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        if here in ends:
            return True
        for source, target in ways:
            if source == here and target not in seen:
                seen.add(target)
                waiting.append(target)
    return False


def _vendors(draft: _Draft) -> Iterator[Fault]:
    """Two transitions for the same action of a vendor in the same status: it would be unclear which one applies."""
    known: dict[tuple[str, int], Transition] = {}
    words = dict(DID)
    for rule in draft.transitions:
        if rule.trigger != Trigger.VENDOR:
            continue
        for did in rule.trigger_params.get("did") or ():
            clashes: dict[int, list[str]] = {}
            for source in draft.sources(rule):
                other = known.setdefault((did, source.pk), rule)
                if other.pk != rule.pk:
                    clashes.setdefault(other.pk, []).append(source.name)
            for pk, states in clashes.items():
                other = next(each for each in draft.transitions if each.pk == pk)
                yield Fault(
                    where=_where(rule),
                    what=_(
                        "“%(other)s” is already triggered when a vendor “%(did)s” in: %(states)s. Untick the action "
                        "in one of the two transitions, or give them different source statuses."
                    )
                    % {
                        "states": ", ".join(states),
                        "did": words.get(did, did),
                        "other": other.name,
                    },
                )


def _loops(draft: _Draft) -> Iterator[Fault]:
    """Timers of zero minutes that form a loop, and transitions whose own actions trigger them: both would never end."""
    ways: dict[int, set[int]] = {}
    for source, target, rule in _ways(draft):
        if rule.trigger == Trigger.TIMER and not rule.trigger_params.get("minutes"):
            ways.setdefault(source.pk, set()).add(target.pk)
    pairs = [(source, target) for source, targets in ways.items() for target in targets]
    for state in draft.states:
        if any(_leads_to(target, {state.pk}, pairs) for target in ways.get(state.pk, ())):
            yield Fault(where=_status(state), what=_("Timers of zero minutes form a loop through this status."))
    for rule in draft.transitions:
        if rule.trigger == Trigger.EVENT and set(_leaves(draft, rule)) & set(rule.trigger_params.get("kinds") or ()):
            yield Fault(where=_where(rule), what=_("The transition's own actions trigger it again, endlessly."))


def _leaves(draft: _Draft, rule: Transition) -> Iterator[str]:
    """The kinds of events a transition records and after which it is possible again."""
    target = draft.target(rule)
    if target is not None and target.pk in {state.pk for state in draft.sources(rule)}:
        yield from ("ticket.moved", "ticket.status_changed")
    if target is None:
        said: dict[str, Any] = {
            "set_priority": "ticket.priority_changed",
            "raise_priority": "ticket.priority_changed",
            "set_field": "ticket.edited",
            "comment": "message.added",
            "ask_update": "message.added",
            "hand_over": "leg.offered",
            "offer": "leg.offered",
            "offer_next": "leg.offered",
            "recall_legs": "leg.recalled",
            "assign_team": "ticket.assigned",
            "assign_person": "ticket.assigned",
        }
        yield from (said[action.kind] for action in rule.actions.all() if action.kind in said)
