"""The registry of guards and actions, each with its typed parameters. A rule can contain nothing else.

A kind's parameters make its form in the admin and are checked when they are saved and when a version is published.
Besides the facts, they are all that the kind's function receives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from hub.models import WorkflowVersion
from workflows.rules.parameters import NOTHING, Label, Param, ParameterField

if TYPE_CHECKING:
    from workflows.rules.context import Context


class BadParams(ValueError):
    """Parameters that are invalid for their kind; `mistakes` has a sentence for each, by parameter."""

    def __init__(self, mistakes: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {what}" for name, what in mistakes.items()))
        self.mistakes = dict(mistakes)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of guard, action or trigger."""

    slug: str
    label: Label
    params: tuple[Param, ...] = ()
    help: Label = ""

    def __post_init__(self) -> None:
        for param in self.params:
            if not (isinstance(param.kind, type) and issubclass(param.kind, ParameterField)):
                raise ImproperlyConfigured(
                    f"“{self.slug}”: the parameter “{param.name}” is of the unknown kind {param.kind!r}. "
                    "Use one of the classes in workflows.rules.parameters."
                )

    def judged(self, params: Mapping[str, Any], *, version: WorkflowVersion | None = None) -> dict[str, Any]:
        """The parameters with defaults filled in; BadParams if any is invalid.

        With a version, transitions named by parameters must be transitions of that version.
        """
        known = {param.name: param for param in self.params}
        mistakes = {name: _("Unknown parameter.") for name in params.keys() - known.keys()}
        found: dict[str, Any] = {}
        for name, param in known.items():
            value = params.get(name)
            if value in NOTHING:
                if param.is_required:
                    mistakes[name] = _("A value is required.")
                found[name] = param.default
                continue
            if fault := param.field(version).fault(value):
                mistakes[name] = fault
            found[name] = value
        if mistakes:
            raise BadParams(mistakes)
        return found


# -- guards


Judge = Callable[["Context", Mapping[str, Any]], str]
"""Why the condition does not hold, as a sentence; empty if it holds. A pure function of the facts and parameters."""


@dataclass(frozen=True, kw_only=True)
class GuardKind(Kind):
    judge: Judge = field(compare=False)
    can_hold: Callable[[Mapping[str, Any]], str] = field(default=lambda params: "", compare=False)
    """Why the condition could never hold with these parameters; empty if it can."""
    negated: Label = ""
    """The refusal if a negated guard holds; empty if the label reads well in “Not allowed while …”."""


GUARDS: dict[str, GuardKind] = {}


def guard(kind: GuardKind) -> GuardKind:
    """Register a guard."""
    GUARDS[kind.slug] = kind
    return kind


# -- actions


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A description of what an action would do; nothing has happened yet."""

    says: str
    why_not: str = ""
    """Why the action would fail with these facts, as far as that can be known."""


Plan = Callable[["Context", Mapping[str, Any]], Effect]
Do = Callable[["Context", Mapping[str, Any], Any], str]
"""Performs the action, given the facts, the parameters and an `Execution`; returns a description of what was done."""


@dataclass(frozen=True, kw_only=True)
class ActionKind(Kind):
    plan: Plan = field(compare=False)
    do: Do = field(compare=False)


ACTIONS: dict[str, ActionKind] = {}


def action(kind: ActionKind) -> ActionKind:
    """Register an action."""
    ACTIONS[kind.slug] = kind
    return kind
