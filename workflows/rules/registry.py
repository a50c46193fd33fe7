"""The kinds of guards and actions there are, each with its typed parameters. Nothing else can stand in a rule.

A kind's parameters make its form in the admin, are judged when they are saved and when a version is published,
and are all that its function is given besides the facts.
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
    """Parameters that do not fit their kind; `mistakes` names each by its parameter."""

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
        """The parameters as they are used, defaults filled in; BadParams for what does not fit.

        With a version, the verbs that parameters name have to be verbs of it.
        """
        known = {param.name: param for param in self.params}
        mistakes = {name: _("There is no such parameter.") for name in params.keys() - known.keys()}
        found: dict[str, Any] = {}
        for name, param in known.items():
            value = params.get(name)
            if value in NOTHING:
                if param.is_required:
                    mistakes[name] = _("This is missing.")
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
"""Why it is not so, in a sentence; empty where it is. Pure: it looks at the facts and its parameters."""


@dataclass(frozen=True, kw_only=True)
class GuardKind(Kind):
    judge: Judge = field(compare=False)
    can_hold: Callable[[Mapping[str, Any]], str] = field(default=lambda params: "", compare=False)
    """Why it could never hold with these parameters; empty where it can."""
    negated: Label = ""
    """The refusal of a negated guard that holds; empty where the label reads right in the usual sentence."""
    needs: frozenset[str] = frozenset()
    """Which facts beyond the ticket's own row it looks at."""


GUARDS: dict[str, GuardKind] = {}


def guard(kind: GuardKind) -> GuardKind:
    GUARDS[kind.slug] = kind
    return kind


# -- actions


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What an action would do, in words; nothing has happened yet."""

    says: str
    why_not: str = ""
    """Why it could not be done with these facts, as far as that shows."""


Plan = Callable[["Context", Mapping[str, Any]], Effect]
Do = Callable[["Context", Mapping[str, Any], Any], str]
"""Does it, given the facts, the parameters and who acts when (an `Execution`); what was done, in words."""


@dataclass(frozen=True, kw_only=True)
class ActionKind(Kind):
    plan: Plan = field(compare=False)
    do: Do = field(compare=False)


ACTIONS: dict[str, ActionKind] = {}


def action(kind: ActionKind) -> ActionKind:
    ACTIONS[kind.slug] = kind
    return kind
