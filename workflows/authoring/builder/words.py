"""Rules in a few words, for the lists of the builder: what sets them off, what they ask, what they do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext as _

from workflows.models import Escalation, Transition
from workflows.rules.registry import ACTIONS, GUARDS, ROWS, Kind, Param, choices_of
from workflows.rules.triggers import TRIGGERS

LONGEST = 60


def trigger(rule: Transition | Escalation) -> str:
    """What sets a rule off: the trigger, and what it needs."""
    return said(TRIGGERS[rule.trigger], rule.trigger_params)


def guards(rows: Iterable[Any]) -> list[str]:
    found = []
    for row in sorted(rows, key=lambda row: (row.position, row.pk)):
        if row.kind in GUARDS:
            words = said(GUARDS[row.kind], row.params)
            found.append(_("not: %s") % words if row.is_negated else words)
    return found


def actions(rows: Iterable[Any]) -> list[str]:
    ordered = sorted(rows, key=lambda row: (row.position, row.pk))
    return [said(ACTIONS[row.kind], row.params) for row in ordered if row.kind in ACTIONS]


def said(kind: Kind, params: Mapping[str, Any]) -> str:
    """A kind with its parameters, those that were left as they are included; flags only where they were changed."""
    given = ((param, params.get(param.name, param.default)) for param in kind.params)
    parts = [words for param, value in given if (words := _of(param, value))]
    return f"{kind.label}: {', '.join(parts)}" if parts else str(kind.label)


def _of(param: Param, value: Any) -> str:
    if param.kind == "flag":
        told = str(param.label) if value else _("not %s") % param.label
        return "" if value == param.default else told
    if value in (None, "", []):
        return ""
    if param.kind == "number":
        return f"{param.label} {value}"
    values = value if isinstance(value, list) else [value]
    names = _names(param, values)
    return Truncator(", ".join(names.get(str(each), str(each)) for each in values)).chars(LONGEST)


def _names(param: Param, values: list[Any]) -> dict[str, str]:
    base = param.kind.removesuffix("s") if param.kind == "organisations" else param.kind
    if base in ROWS:
        return dict(ROWS[base].objects.filter(public_id__in=values).values_list("public_id", "name"))
    return {str(key): str(label) for key, label in choices_of(param)}
