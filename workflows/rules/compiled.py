"""Compiled workflow versions: the rules of a version with their guards and actions, read once and cached.

A published version never changes, so it is cached by its fingerprint; a draft is read again each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from hub.core.sentences import sentence
from hub.models import State, WorkflowVersion
from workflows.models import Action, Escalation, Guard, Transition, Trigger
from workflows.rules.registry import ACTIONS, GUARDS, ActionKind, BadParams, GuardKind


@dataclass(frozen=True, kw_only=True)
class CompiledGuard:
    kind: GuardKind
    params: Mapping[str, Any] = field(compare=False)
    is_negated: bool = False


@dataclass(frozen=True, kw_only=True)
class CompiledAction:
    kind: ActionKind
    params: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class CompiledRule:
    """One transition, or one escalation without its steps."""

    pk: int
    slug: str
    name: str
    trigger: str
    trigger_params: Mapping[str, Any] = field(compare=False)
    guards: tuple[CompiledGuard, ...] = ()
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class CompiledTransition(CompiledRule):
    sources: frozenset[int]
    """Primary keys of statuses; empty for every open status."""
    target: State | None
    roles: frozenset[str]
    required: tuple[str, ...]
    actions: tuple[CompiledAction, ...] = ()

    def leaves(self, state: State) -> bool:
        """Whether the transition is possible from this status."""
        return state.pk in self.sources if self.sources else state.phase in ("new", "active", "waiting")


@dataclass(frozen=True, kw_only=True)
class CompiledStep:
    position: int
    wait_minutes: int
    hours: str
    actions: tuple[CompiledAction, ...]


@dataclass(frozen=True, kw_only=True)
class CompiledEscalation(CompiledRule):
    kind: str
    ends_with_acknowledgement: bool
    is_quiet_at_night: bool
    steps: tuple[CompiledStep, ...]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """All rules and statuses of one workflow version."""

    version: WorkflowVersion
    transitions: tuple[CompiledTransition, ...]
    escalations: tuple[CompiledEscalation, ...]
    states: Mapping[int, State] = field(compare=False)

    def transition(self, slug: str) -> CompiledTransition | None:
        """The transition with this identifier, whatever triggers it."""
        return next((each for each in self.transitions if each.slug == slug), None)

    @property
    def is_plain(self) -> bool:
        """Whether people use the transitions of the law because the version has none for people."""
        return not any(each.trigger == Trigger.PERSON for each in self.transitions)

    def set_off_by(self, *triggers: str) -> list[CompiledRule]:
        """Rules with one of these triggers, transitions first."""
        rules: list[CompiledRule] = [*self.transitions, *self.escalations]
        return [rule for rule in rules if rule.trigger in triggers]


def policy_of(version: WorkflowVersion) -> Policy:
    """The compiled version, from the cache unless it is a draft."""
    if version.fingerprint and version.status != WorkflowVersion.Status.DRAFT:
        return _cached(version.pk, version.fingerprint)
    return compile_version(version)


@lru_cache(maxsize=256)
def _cached(pk: int, _fingerprint: str) -> Policy:
    return compile_version(WorkflowVersion.objects.get(pk=pk))


def compile_version(version: WorkflowVersion) -> Policy:
    """Read a version's rows. A guard of an unknown kind or with invalid parameters refuses, with the reason."""
    states = {state.pk: state for state in State.objects.filter(version=version).select_related("default_holder")}
    transitions = Transition.objects.filter(version=version).prefetch_related("sources", "guards", "actions")
    escalations = Escalation.objects.filter(version=version).prefetch_related("guards", "steps__actions")
    return Policy(
        version=version,
        transitions=tuple(_transition(row, states) for row in transitions.order_by("position", "pk")),
        escalations=tuple(_escalation(row) for row in escalations.order_by("position", "pk")),
        states=states,
    )


def _transition(row: Transition, states: Mapping[int, State]) -> CompiledTransition:
    return CompiledTransition(
        pk=row.pk,
        slug=row.slug,
        name=row.name,
        trigger=row.trigger,
        trigger_params=dict(row.trigger_params),
        help=row.help,
        guards=guards_of(row),
        actions=actions_of(row.actions.all()),
        sources=frozenset(state.pk for state in row.sources.all()),
        target=states.get(row.target_id) if row.target_id else None,
        roles=frozenset(row.roles),
        required=tuple(row.required),
    )


def _escalation(row: Escalation) -> CompiledEscalation:
    steps = sorted(row.steps.all(), key=lambda step: (step.position, step.pk))
    return CompiledEscalation(
        pk=row.pk,
        slug=row.slug,
        name=row.name,
        trigger=row.trigger,
        trigger_params=dict(row.trigger_params),
        help=row.help,
        guards=guards_of(row),
        kind=row.kind,
        ends_with_acknowledgement=row.ends_with_acknowledgement,
        is_quiet_at_night=row.is_quiet_at_night,
        steps=tuple(
            CompiledStep(
                position=step.position,
                wait_minutes=step.wait_minutes,
                hours=step.hours,
                actions=actions_of(step.actions.all()),
            )
            for step in steps
        ),
    )


def _broken(why: str) -> GuardKind:
    """A guard that never holds, for this reason."""
    return GuardKind(slug="broken", label="broken", judge=lambda _context, _params: why)


def guards_of(row: Transition | Escalation) -> tuple[CompiledGuard, ...]:
    """The guards of a rule, in order."""
    found = []
    for each in sorted(row.guards.all(), key=lambda guard: (guard.position, guard.pk)):
        found.append(_guard(each))
    return tuple(found)


def _guard(row: Guard) -> CompiledGuard:
    kind = GUARDS.get(row.kind)
    if kind is None:
        return CompiledGuard(kind=_broken(sentence("The guard “%(kind)s” no longer exists.", kind=row.kind)), params={})
    try:
        return CompiledGuard(kind=kind, params=kind.judged(row.params), is_negated=row.is_negated)
    except BadParams as error:
        why = sentence("The guard “%(guard)s” is invalid: %(error)s", guard=kind.label, error=str(error))
        return CompiledGuard(kind=_broken(why), params={})


def actions_of(rows: Any) -> tuple[CompiledAction, ...]:
    """The actions of a rule or step, in order; kinds that no longer exist are left out."""
    found = []
    for row in sorted(rows, key=lambda action: (action.position, action.pk)):
        kind = ACTIONS.get(row.kind)
        if kind is not None:
            found.append(CompiledAction(kind=kind, params=_params(kind, row)))
    return tuple(found)


def _params(kind: ActionKind, row: Action) -> Mapping[str, Any]:
    try:
        return kind.judged(row.params)
    except BadParams:
        # A row that the parameters name has been deleted since; the action fails with the reason when it is performed.
        return {param.name: row.params.get(param.name, param.default) for param in kind.params}
