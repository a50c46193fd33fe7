"""The kinds of guards and actions there are, each with its typed parameters. Nothing else can stand in a rule.

A kind's parameters make its form in the admin, are judged when they are saved and when a version is published,
and are all that its function is given besides the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from hub.expressions import BadExpression, expression
from hub.models import Calendar, Membership, Organisation, Priority, Publication, Service, Team
from workflows.notifications import templates

if TYPE_CHECKING:
    from workflows.rules.context import Context

Words = str | Promise


class BadParams(ValueError):
    """Parameters that do not fit their kind; `mistakes` names each by its parameter."""

    def __init__(self, mistakes: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {what}" for name, what in mistakes.items()))
        self.mistakes = dict(mistakes)


@dataclass(frozen=True, kw_only=True)
class Param:
    """One parameter: what it is, and how it is entered."""

    name: str
    label: Words
    kind: str = "text"
    """``text``, ``long``, ``number``, ``flag``, ``choice``, ``choices``, ``organisation``, ``organisations``,
    ``service``, ``calendar``, ``team``, ``role``, ``priority``, ``endpoint``, ``expression``, ``template``, ``verb``
    or ``state``."""
    help: Words = ""
    is_needed: bool = True
    default: Any = None
    choices: tuple[tuple[str, Words], ...] = ()
    groups: tuple[tuple[Words, tuple[str, ...]], ...] = ()
    """Headings of the choices, each with how the values under it begin; together they hold every choice."""
    least: int = 0
    most: int = 1_000_000


ROWS: Mapping[str, Any] = {
    "organisation": Organisation,
    "service": Service,
    "calendar": Calendar,
    "team": Team,
}
"""Kinds whose value is the public id of a row."""
EXPRESSION_NAMES = ("ticket", "lead", "requester", "legs", "clocks")
"""What an expression of a rule may name."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of guard or action."""

    slug: str
    label: Words
    params: tuple[Param, ...] = ()
    help: Words = ""

    def judged(self, params: Mapping[str, Any], *, verbs: set[str] | None = None) -> dict[str, Any]:
        """The parameters as they are used, defaults filled in; BadParams for what does not fit."""
        mistakes: dict[str, str] = {}
        known = {param.name: param for param in self.params}
        for name in params.keys() - known.keys():
            mistakes[name] = _("There is no such parameter.")
        found: dict[str, Any] = {}
        for name, param in known.items():
            value = params.get(name)
            if value in (None, "", []):
                if param.is_needed and param.default is None:
                    mistakes[name] = _("This is missing.")
                found[name] = param.default
                continue
            what = _wrong(param, value, verbs)
            if what:
                mistakes[name] = what
            found[name] = value
        if mistakes:
            raise BadParams(mistakes)
        return found


def _wrong(param: Param, value: Any, verbs: set[str] | None) -> str:
    """What is wrong with a value; empty where nothing is."""
    judge = _JUDGES.get(param.kind, _judge_text)
    if param.kind == "verb" and verbs is not None and value not in verbs:
        return str(_("There is no verb “%s” in this version.") % value)
    return judge(param, value)


def _judge_text(param: Param, value: Any) -> str:
    if not isinstance(value, str):
        return _("This has to be a text.")
    return _("It is too long.") if len(value) > 4000 else ""


def _judge_number(param: Param, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return _("This has to be a whole number.")
    if not param.least <= value <= param.most:
        return _("%(value)s is not between %(least)s and %(most)s.") % {
            "value": value,
            "least": param.least,
            "most": param.most,
        }
    return ""


def _judge_flag(_param: Param, value: Any) -> str:
    return "" if isinstance(value, bool) else _("This has to be true or false.")


def _judge_choice(param: Param, value: Any) -> str:
    known = [name for name, _label in choices_of(param)]
    if not isinstance(value, str) or value not in known:
        return _("“%(value)s” is none of: %(known)s.") % {"value": str(value)[:60], "known": ", ".join(known)}
    return ""


def _judge_choices(param: Param, value: Any) -> str:
    if not isinstance(value, list):
        return _("This has to be a list.")
    return next((wrong for each in value if (wrong := _judge_choice(param, each))), "")


def _judge_texts(_param: Param, value: Any) -> str:
    is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return "" if is_list else _("This has to be a list of texts.")


def _judge_row(param: Param, value: Any) -> str:
    model = ROWS[param.kind.removesuffix("s") if param.kind.endswith("s") else param.kind]
    wanted = value if isinstance(value, list) else [value]
    if param.kind.endswith("s") != isinstance(value, list):
        return _("This has to be a list.") if param.kind.endswith("s") else _("This has to be one row.")
    if not all(isinstance(each, str) for each in wanted):
        return _("This has to be the id of a row.")
    found = set(model.objects.filter(public_id__in=wanted).values_list("public_id", flat=True))
    gone = [each for each in wanted if each not in found]
    return _("There is no row with the id %s any more.") % gone[0] if gone else ""


def _judge_expression(_param: Param, value: Any) -> str:
    try:
        expression(str(value), names=EXPRESSION_NAMES)
    except BadExpression as error:
        return str(error)
    return ""


def _judge_template(_param: Param, value: Any) -> str:
    try:
        templates.check(str(value))
    except templates.BadTemplate as error:
        return str(error)
    return ""


_JUDGES: dict[str, Callable[[Param, Any], str]] = {
    "text": _judge_text,
    "long": _judge_text,
    "number": _judge_number,
    "flag": _judge_flag,
    "choice": _judge_choice,
    "choices": _judge_choices,
    "role": _judge_choice,
    "priority": _judge_choice,
    "organisation": _judge_row,
    "organisations": _judge_row,
    "service": _judge_row,
    "calendar": _judge_row,
    "team": _judge_row,
    "expression": _judge_expression,
    "template": _judge_template,
    "verb": _judge_text,
    "state": _judge_text,
    "endpoint": _judge_text,
    "texts": _judge_texts,
}


def choices_of(param: Param) -> list[tuple[str, Words]]:
    """What can be chosen for a parameter, as they are now."""
    if param.kind == "role":
        return [(value, label) for value, label in Membership.Role.choices if value != "vendor"]
    if param.kind == "priority":
        return list(Priority.choices)
    base = param.kind.removesuffix("s") if param.kind == "organisations" else param.kind
    if base in ROWS:
        rows = ROWS[base].objects.all()
        if base == "calendar":
            rows = rows.filter(status=Publication.PUBLISHED)
        if base == "organisation":
            rows = rows.filter(archived_at=None).exclude(kind=Organisation.Kind.CUSTOMER)
        return [(row.public_id, str(row)) for row in rows.order_by("name", "pk")]
    return list(param.choices)


# -- guards


Judge = Callable[["Context", Mapping[str, Any]], str]
"""Why it is not so, in a sentence; empty where it is. Pure: it looks at the facts and its parameters."""


@dataclass(frozen=True, kw_only=True)
class GuardKind(Kind):
    judge: Judge = field(compare=False)
    can_hold: Callable[[Mapping[str, Any]], str] = field(default=lambda params: "", compare=False)
    """Why it could never hold with these parameters; empty where it can."""
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
