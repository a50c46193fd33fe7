"""Rules in a few words, for the lists of the builder: their trigger, guards and actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from workflows.models import Escalation, Transition
from workflows.rules.registry import ACTIONS, GUARDS, Kind
from workflows.rules.triggers import TRIGGERS


def trigger(rule: Transition | Escalation) -> str:
    """The trigger of a rule, with its parameters."""
    return said(TRIGGERS[rule.trigger], rule.trigger_params)


def guards(rows: Iterable[Any]) -> list[str]:
    """The guards of a rule, in order."""
    found = []
    for row in sorted(rows, key=lambda row: (row.position, row.pk)):
        if row.kind in GUARDS:
            words = said(GUARDS[row.kind], row.params)
            found.append(_("not: %(guard)s") % {"guard": words} if row.is_negated else words)
    return found


def actions(rows: Iterable[Any]) -> list[str]:
    """The actions of a transition or step, in order."""
    ordered = sorted(rows, key=lambda row: (row.position, row.pk))
    return [said(ACTIONS[row.kind], row.params) for row in ordered if row.kind in ACTIONS]


def said(kind: Kind, params: Mapping[str, Any]) -> str:
    """A kind with its parameters, defaults included; flags only if they differ from their default."""
    given = ((param, params.get(param.name, param.default)) for param in kind.params)
    parts = [words for param, value in given if (words := param.kind.in_words(param, value))]
    if not parts:
        return str(kind.label)
    return _("%(kind)s: %(parameters)s") % {"kind": kind.label, "parameters": ", ".join(parts)}
