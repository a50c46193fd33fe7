"""A version as a document: exported, imported whole or not at all, compared with another one.

Rows elsewhere (organisations, services, calendars, teams) are named by id and name: an id that is not there is
looked for by its name, so that a workflow can be taken to another installation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from hub.models import Organisation, State, Workflow, WorkflowVersion
from workflows.models import Action, Escalation, Guard, Step, Transition
from workflows.rules.parameters import Param
from workflows.rules.registry import ACTIONS, GUARDS, Kind

FORMAT = "ticket-hub-workflow/1"
LARGEST = 1_000_000
SETTINGS = ("note", "bounce_budget", "triage_minutes", "most_organisations", "accept_minutes", "priority_matrix")
STATE = ("slug", "name", "phase", "position", "colour", "wait_reason", "requester_name", "vendor_name", "is_default")
RULE = ("slug", "name", "trigger", "trigger_params", "position", "help")
TRANSITION = (*RULE, "roles", "required")
ESCALATION = (*RULE, "kind", "ends_with_acknowledgement", "is_quiet_at_night")


class BadDocument(ValueError):
    """A document that cannot be taken in; every mistake is a line, and nothing was taken."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


# -- out


def exported(version: WorkflowVersion) -> dict[str, Any]:
    """Everything in a version, in its order."""
    states = list(State.objects.filter(version=version).select_related("default_holder").order_by("position", "pk"))
    slugs = {state.pk: state.slug for state in states}
    transitions = Transition.objects.filter(version=version).prefetch_related("sources", "guards", "actions")
    escalations = Escalation.objects.filter(version=version).prefetch_related("guards", "steps__actions")
    found = {
        "format": FORMAT,
        "workflow": version.workflow.name,
        "settings": {name: getattr(version, name) for name in SETTINGS},
        "states": [
            {name: getattr(state, name) for name in STATE}
            | {"default_holder": state.default_holder.public_id if state.default_holder else ""}
            for state in states
        ],
        "transitions": [
            {name: getattr(row, name) for name in TRANSITION}
            | {
                "sources": sorted(slugs[each.pk] for each in row.sources.all() if each.pk in slugs),
                "target": slugs.get(row.target_id or 0, ""),
                "guards": _guards(row),
                "actions": _actions(row.actions.all()),
            }
            for row in transitions.order_by("position", "pk")
        ],
        "escalations": [
            {name: getattr(row, name) for name in ESCALATION}
            | {
                "guards": _guards(row),
                "steps": [
                    {"wait_minutes": step.wait_minutes, "hours": step.hours, "actions": _actions(step.actions.all())}
                    for step in sorted(row.steps.all(), key=lambda step: (step.position, step.pk))
                ],
            }
            for row in escalations.order_by("position", "pk")
        ],
    }
    found["names"] = dict(sorted(_names(found).items()))
    return found


def text(version: WorkflowVersion) -> str:
    return json.dumps(exported(version), indent=2, ensure_ascii=False, sort_keys=True)


def digest(version: WorkflowVersion) -> str:
    plain = {name: value for name, value in exported(version).items() if name not in ("names", "workflow")}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _guards(row: Transition | Escalation) -> list[dict[str, Any]]:
    rows = sorted(row.guards.all(), key=lambda guard: (guard.position, guard.pk))
    return [{"kind": guard.kind, "params": guard.params, "is_negated": guard.is_negated} for guard in rows]


def _actions(rows: Any) -> list[dict[str, Any]]:
    ordered = sorted(rows, key=lambda action: (action.position, action.pk))
    return [{"kind": action.kind, "params": action.params} for action in ordered]


def _row_params(document: Mapping[str, Any]) -> Iterator[tuple[Param, dict[str, Any]]]:
    """Every parameter that names a row elsewhere, with the table it stands in."""
    rules = [*document.get("transitions", ()), *document.get("escalations", ())]
    tables: list[tuple[Mapping[str, Kind], dict[str, Any]]] = []
    for rule in rules:
        tables += [(GUARDS, each) for each in rule.get("guards", ())]
        tables += [(ACTIONS, each) for each in rule.get("actions", ())]
        for step in rule.get("steps", ()):
            tables += [(ACTIONS, each) for each in step.get("actions", ())]
    for kinds, each in tables:
        kind = kinds.get(each.get("kind", ""))
        for param in kind.params if kind is not None else ():
            if param.kind.model is not None and each.get("params", {}).get(param.name):
                yield param, each["params"]


def _names(document: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for param, params in _row_params(document):
        value = params[param.name]
        wanted = value if isinstance(value, list) else [value]
        for row in param.kind.model.objects.filter(public_id__in=wanted):
            found[row.public_id] = row.name
    holders = [state["default_holder"] for state in document["states"] if state["default_holder"]]
    found |= dict(Organisation.objects.filter(public_id__in=holders).values_list("public_id", "name"))
    return found


# -- in


def taken_in(document: str | Mapping[str, Any], *, workflow: Workflow | None = None) -> WorkflowVersion:
    """A draft made of a document: whole, or BadDocument says everything that is wrong with it."""
    plain = _parsed(document) if isinstance(document, str) else document
    mistakes = list(_shape(plain))
    if mistakes:
        raise BadDocument(mistakes)
    plain = json.loads(json.dumps(plain))
    mistakes = _resolve(plain)
    if mistakes:
        raise BadDocument(mistakes)
    try:
        with transaction.atomic():
            return _made(plain, workflow)
    except (ValidationError, IntegrityError, KeyError, TypeError, ValueError) as error:
        told = error.messages if isinstance(error, ValidationError) else [str(error)]
        raise BadDocument([str(each) for each in told]) from error


def _parsed(document: str) -> Mapping[str, Any]:
    if len(document) > LARGEST:
        raise BadDocument([_("The document is too long for a workflow.")])
    try:
        found = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise BadDocument([_("Not valid JSON: %(error)s") % {"error": str(error)[:200]}]) from error
    if not isinstance(found, Mapping):
        raise BadDocument([_("Not a workflow: expected an object.")])
    return found


_KEYS = {
    "": {"format", "workflow", "settings", "states", "transitions", "escalations", "names"},
    "states": {*STATE, "default_holder"},
    "transitions": {*TRANSITION, "sources", "target", "guards", "actions"},
    "escalations": {*ESCALATION, "guards", "steps"},
}


def _shape(document: Mapping[str, Any]) -> Iterator[str]:
    """What cannot be read at all; whether it makes sense is asked when it is published."""
    if document.get("format") != FORMAT:
        yield _("It is not of the format %s.") % FORMAT
        return
    yield from (_("There is no key “%s”.") % name for name in document.keys() - _KEYS[""])
    if not isinstance(document.get("workflow"), str) or not document["workflow"].strip():
        yield _("workflow: its name is missing.")
    settings = document.get("settings", {})
    if not isinstance(settings, Mapping) or settings.keys() - set(SETTINGS):
        yield _("settings: there are only: %s.") % ", ".join(SETTINGS)
    for name in ("states", "transitions", "escalations"):
        rows = document.get(name, [])
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows) or len(rows) > 500:
            yield _("%s: this has to be a list of tables.") % name
            return
        for number, row in enumerate(rows):
            yield from (f"{name}.{number}: {_('there is no key')} “{key}”." for key in row.keys() - _KEYS[name])
    states = [state.get("slug") for state in document.get("states", [])]
    if len(set(map(str, states))) != len(states):
        yield _("states: two have the same slug.")
    for number, row in enumerate(document.get("transitions", [])):
        wanted = [*(row.get("sources") or []), *([row["target"]] if row.get("target") else [])]
        yield from (
            f"transitions.{number}: {_('there is no state')} “{each}”." for each in wanted if each not in states
        )
    for name in ("transitions", "escalations"):
        for number, row in enumerate(document.get(name, [])):
            yield from _parts(f"{name}.{number}", row)


def _parts(where: str, row: Mapping[str, Any]) -> Iterator[str]:
    steps = row.get("steps", [])
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        yield f"{where}.steps: {_('this has to be a list of tables.')}"
        return
    for holder in (row, *steps):
        for name, known in (("guards", GUARDS), ("actions", ACTIONS)):
            each_one = holder.get(name, [])
            if not isinstance(each_one, list) or not all(isinstance(each, Mapping) for each in each_one):
                yield f"{where}.{name}: {_('this has to be a list of tables.')}"
                continue
            for each in each_one:
                if each.get("kind") not in known or not isinstance(each.get("params", {}), Mapping):
                    yield f"{where}.{name}: {_('there is no such kind')}: “{str(each.get('kind'))[:60]}”."


def _resolve(document: dict[str, Any]) -> list[str]:
    """Ids that are not there are looked for by the names that came along."""
    names = document.get("names") or {}
    mistakes: list[str] = []

    def found(model: Any, public_id: str) -> str:
        if model.objects.filter(public_id=public_id).exists():
            return public_id
        row = model.objects.filter(name=names.get(public_id, "")).order_by("-pk").first()
        if row is None:
            mistakes.append(
                _("There is no %(kind)s “%(name)s” here.")
                % {
                    "kind": model._meta.verbose_name,
                    "name": names.get(public_id, public_id),
                }
            )
            return public_id
        return str(row.public_id)

    for param, params in _row_params(document):
        model, value = param.kind.model, params[param.name]
        many = isinstance(value, list)
        ids = [found(model, str(each)) for each in (value if many else [value])]
        params[param.name] = ids if many else ids[0]
    for state in document["states"]:
        if state.get("default_holder"):
            state["default_holder"] = found(Organisation, str(state["default_holder"]))
    return mistakes


def _made(document: Mapping[str, Any], workflow: Workflow | None) -> WorkflowVersion:
    name = str(document["workflow"]).strip()[:150]
    workflow = workflow or Workflow.objects.filter(name=name).first() or Workflow.objects.create(name=name)
    last = WorkflowVersion.objects.filter(workflow=workflow).aggregate(last=Max("number"))["last"] or 0
    settings = {name: value for name, value in document.get("settings", {}).items() if value is not None}
    version = WorkflowVersion(workflow=workflow, number=last + 1, **settings)
    version.full_clean(exclude=["workflow"])
    version.save()
    holders = Organisation.objects.in_bulk(
        [state["default_holder"] for state in document["states"] if state.get("default_holder")],
        field_name="public_id",
    )
    states: dict[str, State] = {}
    for row in document["states"]:
        state = State(
            version=version,
            default_holder=holders.get(row.get("default_holder", "")),
            **{name: row[name] for name in STATE if name in row},
        )
        state.full_clean(exclude=["version"])
        state.save()
        states[state.slug] = state
    for row in document.get("transitions", []):
        transition_ = Transition(
            version=version,
            target=states.get(row.get("target") or ""),
            **{name: row[name] for name in TRANSITION if name in row},
        )
        transition_.full_clean(exclude=["version"])
        transition_.save()
        transition_.sources.set([states[slug] for slug in row.get("sources") or []])
        _make_guards(row, transition=transition_)
        _make_actions(row, transition=transition_)
    for row in document.get("escalations", []):
        escalation = Escalation(version=version, **{name: row[name] for name in ESCALATION if name in row})
        escalation.full_clean(exclude=["version"])
        escalation.save()
        _make_guards(row, escalation=escalation)
        for position, each in enumerate(row.get("steps", []), 1):
            step = Step(
                escalation=escalation,
                position=position,
                wait_minutes=each.get("wait_minutes", 0),
                hours=each.get("hours", Step.Hours.OURS),
            )
            step.full_clean(exclude=["escalation"])
            step.save()
            _make_actions(each, step=step)
    return version


def _make_guards(row: Mapping[str, Any], **of: Any) -> None:
    for position, each in enumerate(row.get("guards", [])):
        Guard.objects.create(
            kind=each["kind"],
            params=each.get("params", {}),
            position=position,
            is_negated=bool(each.get("is_negated")),
            **of,
        )


def _make_actions(row: Mapping[str, Any], **of: Any) -> None:
    for position, each in enumerate(row.get("actions", [])):
        Action.objects.create(kind=each["kind"], params=each.get("params", {}), position=position, **of)


# -- compared


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing in which two versions differ."""

    where: str
    before: str
    after: str


def differences(before: WorkflowVersion, after: WorkflowVersion) -> list[Change]:
    """What is different in the second, part by part."""
    a, b = exported(before), exported(after)
    found = [
        Change(where=_("setting %s") % name, before=_shown(a["settings"][name]), after=_shown(b["settings"][name]))
        for name in SETTINGS
        if a["settings"][name] != b["settings"][name]
    ]
    for name, label in (("states", _("state")), ("transitions", _("transition")), ("escalations", _("escalation"))):
        mine, theirs = ({row["slug"]: row for row in each[name]} for each in (a, b))
        for slug in [*mine, *(slug for slug in theirs if slug not in mine)]:
            old, new = mine.get(slug), theirs.get(slug)
            if old == new:
                continue
            where = f"{label} “{(new or old or {})['name']}”"
            if old is None or new is None:
                found.append(Change(where=where, before=_there(old), after=_there(new)))
                continue
            found += [
                Change(where=f"{where}, {key.replace('_', ' ')}", before=_shown(old[key]), after=_shown(new[key]))
                for key in new
                if old[key] != new[key]
            ]
    return found


def _there(row: Mapping[str, Any] | None) -> str:
    return _("is there") if row is not None else _("is not there")


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else "–"
    return "–" if value in (None, "") else str(value)
