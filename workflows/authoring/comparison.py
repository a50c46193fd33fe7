"""What differs between two versions of a workflow, in the words of the builder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import label_for_field
from django.db.models import Model
from django.utils.translation import gettext as _

from hub.models import State, WorkflowVersion
from workflows.authoring.serialization import SETTINGS, exported
from workflows.models import Action, Escalation, Guard, Step, Transition


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing in which two versions differ."""

    where: str
    before: str
    after: str


def differences(before: WorkflowVersion, after: WorkflowVersion) -> list[Change]:
    """What differs in the second version: settings, then statuses, transitions and escalations."""
    a, b = exported(before), exported(after)
    found = [
        Change(
            where=_("Setting “%(name)s”") % {"name": _label(WorkflowVersion, name)},
            before=_shown(a["settings"][name]),
            after=_shown(b["settings"][name]),
        )
        for name in SETTINGS
        if a["settings"][name] != b["settings"][name]
    ]
    for name, model, place in (
        ("states", State, _("Status “%(name)s”")),
        ("transitions", Transition, _("Transition “%(name)s”")),
        ("escalations", Escalation, _("Escalation “%(name)s”")),
    ):
        mine, theirs = ({row["slug"]: row for row in each[name]} for each in (a, b))
        for slug in [*mine, *(slug for slug in theirs if slug not in mine)]:
            old, new = mine.get(slug), theirs.get(slug)
            if old == new:
                continue
            where = place % {"name": (new or old or {})["name"]}
            if old is None or new is None:
                found.append(Change(where=where, before=_there(old), after=_there(new)))
                continue
            found += [
                Change(
                    where=_("%(place)s, %(field)s") % {"place": where, "field": _label(model, key)},
                    before=_shown(old[key]),
                    after=_shown(new[key]),
                )
                for key in new
                if old[key] != new[key]
            ]
    return found


def _label(model: type[Model], key: str) -> str:
    """A key of the document as the builder labels it."""
    parts: dict[str, type[Model]] = {"guards": Guard, "actions": Action, "steps": Step}
    return str(parts[key]._meta.verbose_name_plural if key in parts else label_for_field(key, model))


def _there(row: Mapping[str, Any] | None) -> str:
    return _("present") if row is not None else _("not present")


def _shown(value: Any) -> str:
    """A value as the comparison shows it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else "–"
    return "–" if value in (None, "") else str(value)
