"""Rules in a few words, for the lists of the builder: what sets them off, what they ask, what they do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from workflows.models import Escalation, Transition
from workflows.rules.registry import ACTIONS, GUARDS, Kind
from workflows.rules.triggers import TRIGGERS


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
    parts = [words for param, value in given if (words := param.kind.in_words(param, value))]
    return f"{kind.label}: {', '.join(parts)}" if parts else str(kind.label)
