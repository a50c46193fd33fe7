"""A version as a JSON document: exported, and imported completely or not at all.

References to organisations, services, calendars and teams carry an id and a name. An id that does not exist here is
resolved by its name, so that a workflow can be transferred to another installation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from hub.models import Organisation, State, Workflow, WorkflowVersion
from workflows.models import Action, Escalation, Guard, Step, Transition
from workflows.rules.parameters import Param, row_names, rows_named
from workflows.rules.registry import ACTIONS, GUARDS, Kind

FORMAT = "ticket-hub-workflow/1"
LARGEST = 1_000_000
SETTINGS = ("note", "bounce_budget", "triage_minutes", "most_organisations", "accept_minutes", "priority_matrix")
STATE = ("slug", "name", "phase", "position", "colour", "wait_reason", "requester_name", "vendor_name", "is_default")
RULE = ("slug", "name", "trigger", "trigger_params", "position", "help")
TRANSITION = (*RULE, "roles", "required")
ESCALATION = (*RULE, "kind", "ends_with_acknowledgement", "is_quiet_at_night")


class BadDocument(ValueError):
    """The document cannot be imported, and nothing of it was; `mistakes` lists everything that is wrong with it."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


# -- export


def exported(version: WorkflowVersion) -> dict[str, Any]:
    """The document of a version: its settings, statuses, transitions and escalations, in order."""
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
    """The document of a version as JSON."""
    return json.dumps(exported(version), indent=2, ensure_ascii=False, sort_keys=True)


def digest(version: WorkflowVersion) -> str:
    """The SHA-256 of a version's rules, equal for equal versions whatever their workflow is called."""
    plain = {name: value for name, value in exported(version).items() if name not in ("names", "workflow")}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _guards(row: Transition | Escalation) -> list[dict[str, Any]]:
    rows = sorted(row.guards.all(), key=lambda guard: (guard.position, guard.pk))
    return [{"kind": guard.kind, "params": guard.params, "is_negated": guard.is_negated} for guard in rows]


def _actions(rows: Any) -> list[dict[str, Any]]:
    ordered = sorted(rows, key=lambda action: (action.position, action.pk))
    return [{"kind": action.kind, "params": action.params} for action in ordered]


def _row_params(document: Mapping[str, Any]) -> Iterator[tuple[Param, dict[str, Any]]]:
    """Every parameter that refers to a row of another table, with the parameters of its guard or action."""
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
        found |= row_names(param.kind.model, wanted)
    holders = [state["default_holder"] for state in document["states"] if state["default_holder"]]
    found |= dict(Organisation.objects.filter(public_id__in=holders).values_list("public_id", "name"))
    return found


# -- import


def taken_in(document: str | Mapping[str, Any], *, workflow: Workflow | None = None) -> WorkflowVersion:
    """Create a draft from a document. BadDocument lists everything that is wrong with it."""
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
        if isinstance(error, ValidationError):
            raise BadDocument([str(each) for each in error.messages]) from error
        raise BadDocument([_("The document could not be imported: %(error)s") % {"error": error}]) from error


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
    """What makes the document unreadable. Whether its rules make sense is checked when it is published."""
    if document.get("format") != FORMAT:
        yield _("Expected the format %(format)s.") % {"format": FORMAT}
        return
    yield from (_("Unknown key “%(key)s”.") % {"key": name} for name in document.keys() - _KEYS[""])
    if not isinstance(document.get("workflow"), str) or not document["workflow"].strip():
        yield _("workflow: the name is missing.")
    settings = document.get("settings", {})
    if not isinstance(settings, Mapping) or settings.keys() - set(SETTINGS):
        yield _("settings: only these keys are allowed: %(keys)s.") % {"keys": ", ".join(SETTINGS)}
    for name in ("states", "transitions", "escalations"):
        rows = document.get(name, [])
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows) or len(rows) > 500:
            yield _("%(place)s: expected a list of at most 500 objects.") % {"place": name}
            return
        for number, row in enumerate(rows):
            for key in row.keys() - _KEYS[name]:
                yield _("%(place)s: unknown key “%(key)s”.") % {"place": f"{name}.{number}", "key": key}
    states = [state.get("slug") for state in document.get("states", [])]
    if len(set(map(str, states))) != len(states):
        yield _("states: two entries have the same slug.")
    for number, row in enumerate(document.get("transitions", [])):
        wanted = [*(row.get("sources") or []), *([row["target"]] if row.get("target") else [])]
        for slug in [each for each in wanted if each not in states]:
            yield _("%(place)s: there is no status “%(slug)s”.") % {"place": f"transitions.{number}", "slug": slug}
    for name in ("transitions", "escalations"):
        for number, row in enumerate(document.get(name, [])):
            yield from _parts(f"{name}.{number}", row)


def _parts(where: str, row: Mapping[str, Any]) -> Iterator[str]:
    steps = row.get("steps", [])
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        yield _("%(place)s: expected a list of objects.") % {"place": f"{where}.steps"}
        return
    for holder in (row, *steps):
        for name, known in (("guards", GUARDS), ("actions", ACTIONS)):
            each_one = holder.get(name, [])
            if not isinstance(each_one, list) or not all(isinstance(each, Mapping) for each in each_one):
                yield _("%(place)s: expected a list of objects.") % {"place": f"{where}.{name}"}
                continue
            for each in each_one:
                named = {"place": f"{where}.{name}", "kind": str(each.get("kind"))[:60]}
                if each.get("kind") not in known:
                    yield _("%(place)s: there is no kind “%(kind)s”.") % named
                elif not isinstance(each.get("params", {}), Mapping):
                    yield _("%(place)s: the parameters of “%(kind)s” must be an object.") % named


def _resolve(document: dict[str, Any]) -> list[str]:
    """Replace ids that do not exist here, using the names in the document; returns those that were not found."""
    names = document.get("names") or {}
    mistakes: list[str] = []

    def found(model: Any, public_id: str) -> str:
        if model.objects.filter(public_id=public_id).exists():
            return public_id
        rows = _named(model, names.get(public_id, ""))
        if len(rows) == 1:
            return str(rows[0].public_id)
        named = {"kind": model._meta.verbose_name, "name": names.get(public_id, public_id)}
        if rows:
            mistakes.append(_("There are several of the kind %(kind)s named “%(name)s”; rename all but one.") % named)
        else:
            mistakes.append(_("There is no %(kind)s “%(name)s” here.") % named)
        return public_id

    for param, params in _row_params(document):
        model, value = param.kind.model, params[param.name]
        many = isinstance(value, list)
        ids = [found(model, str(each)) for each in (value if many else [value])]
        params[param.name] = ids if many else ids[0]
    for state in document["states"]:
        if state.get("default_holder"):
            state["default_holder"] = found(Organisation, str(state["default_holder"]))
    return mistakes


def _named(model: Any, name: str) -> list[Any]:
    """The rows with this full name; of several versions, only the newest."""
    rows = rows_named(model, name)
    return rows[:1] if hasattr(model, "version") else rows


def _made(document: Mapping[str, Any], workflow: Workflow | None) -> WorkflowVersion:
    """Create the draft and all of its rows."""
    version = _make_version(document, workflow)
    states = _make_states(document, version)
    for row in document.get("transitions", []):
        _make_transition(row, version, states)
    for row in document.get("escalations", []):
        _make_escalation(row, version)
    return version


def _make_version(document: Mapping[str, Any], workflow: Workflow | None) -> WorkflowVersion:
    name = str(document["workflow"]).strip()[:150]
    workflow = workflow or Workflow.objects.filter(name=name).first() or Workflow.objects.create(name=name)
    last = WorkflowVersion.objects.filter(workflow=workflow).aggregate(last=Max("number"))["last"] or 0
    settings = {name: value for name, value in document.get("settings", {}).items() if value is not None}
    version = WorkflowVersion(workflow=workflow, number=last + 1, **settings)
    version.full_clean(exclude=["workflow"])
    version.save()
    return version


def _make_states(document: Mapping[str, Any], version: WorkflowVersion) -> dict[str, State]:
    """Create the statuses; returns them by slug."""
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
    return states


def _make_transition(row: Mapping[str, Any], version: WorkflowVersion, states: Mapping[str, State]) -> None:
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


def _make_escalation(row: Mapping[str, Any], version: WorkflowVersion) -> None:
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
