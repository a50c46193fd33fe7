"""The pages of a version's parts: settings, statuses, transitions, escalations.

Buttons other than *Save* only show fields: those of another trigger, or of one more guard or action. They check
nothing.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from hub.models import State, WorkflowVersion
from workflows.authoring.builder.forms import (
    Blocks,
    EscalationForm,
    ParamForm,
    SettingsForm,
    StateForm,
    StepForm,
    TransitionForm,
    actions,
    counted,
    guards,
    trigger_form,
)
from workflows.authoring.builder.pages import only_a_draft, page, url, version_of, wrong
from workflows.models import Action, Escalation, Guard, Step, Transition, Trigger

MOST_STEPS = 12


def settings(request: HttpRequest, pk: int) -> HttpResponse:
    """The page of a version's settings."""
    version = version_of(pk)
    form = SettingsForm(request.POST or None, instance=version)
    if request.method == "POST" and only_a_draft(request, version) and form.is_valid():
        form.save(commit=False).save(update_fields=SettingsForm.Meta.fields)  # publishing sets the status
        messages.success(request, _("The settings were saved."))
        return redirect(url("build", version))
    shown = wrong(form) if request.method == "POST" else []
    return page(request, "rule", version, _("Settings of %(version)s") % {"version": version}, form=form, wrong=shown)


def state(request: HttpRequest, pk: int, row: str) -> HttpResponse:
    """The page of one status."""
    version = version_of(pk)
    found = None if row == "new" else get_object_or_404(State, pk=_number(row), version=version)
    form = StateForm(version, request.POST or None, instance=found)
    if request.method == "POST" and only_a_draft(request, version):
        if "delete" in request.POST and found is not None:
            messages.success(request, _("“%(name)s” was deleted.") % {"name": found})
            found.delete()
            return redirect(url("build", version))
        if form.is_valid():
            messages.success(request, _("“%(name)s” was saved.") % {"name": form.save()})
            return redirect(url("build", version))
    return page(
        request,
        "rule",
        version,
        str(found or _("New status")),
        form=form,
        can_delete=found is not None,
        wrong=wrong(form) if request.method == "POST" else [],
    )


def transition_page(request: HttpRequest, pk: int, row: str) -> HttpResponse:
    """The page of one transition, with its guards and actions."""
    version = version_of(pk)
    found = None if row == "new" else get_object_or_404(Transition, pk=_number(row), version=version)
    data = request.POST if request.method == "POST" else None
    trigger = _trigger(data, found)
    form = TransitionForm(version, trigger, data, instance=found)
    of_trigger = trigger_form(trigger, version, _same_trigger(data, trigger), found.trigger_params if found else {})
    conditions = guards(version, data, found.guards.order_by("position", "pk") if found else ())
    deeds = actions(version, data, found.actions.order_by("position", "pk") if found else ())
    if data is not None and only_a_draft(request, version):
        if "delete" in data and found is not None:
            messages.success(request, _("“%(name)s” was deleted.") % {"name": found})
            found.delete()
            return redirect(url("build", version))
        if "save" in data and _all_valid(form, of_trigger, conditions, deeds):
            with transaction.atomic():
                made = form.save(commit=False)
                made.trigger_params = of_trigger.params
                made.save()
                form.save_m2m()
                _keep_guards(conditions, transition=made)
                _keep_actions(deeds, transition=made)
            messages.success(request, _("“%(name)s” was saved.") % {"name": made.name})
            return redirect(url("build", version))
    _only_look(data, form, of_trigger, conditions, deeds)
    return page(
        request,
        "rule",
        version,
        str(found or _("New transition")),
        form=form,
        trigger=of_trigger,
        guards=conditions,
        actions=deeds,
        can_delete=found is not None,
        wrong=wrong(form, of_trigger, conditions, deeds) if data is not None else [],
    )


def escalation(request: HttpRequest, pk: int, row: str) -> HttpResponse:
    """The page of one escalation, with its guards and steps."""
    version = version_of(pk)
    found = None if row == "new" else get_object_or_404(Escalation, pk=_number(row), version=version)
    data = request.POST if request.method == "POST" else None
    form = EscalationForm(version, data, instance=found)
    trigger = _trigger(data, found, default=Trigger.CLOCK)
    of_trigger = trigger_form(trigger, version, _same_trigger(data, trigger), found.trigger_params if found else {})
    conditions = guards(version, data, found.guards.order_by("position", "pk") if found else ())
    steps = _steps(version, data, found)
    if data is not None and only_a_draft(request, version):
        if "delete" in data and found is not None:
            messages.success(request, _("“%(name)s” was deleted.") % {"name": found})
            found.delete()
            return redirect(url("build", version))
        kept = [each for each in steps if not each["is_removed"]]
        parts = _parts_of(kept)
        if "save" in data and _all_valid(form, of_trigger, conditions, *parts):
            made = _keep_escalation(form, of_trigger, conditions, kept)
            messages.success(request, _("“%(name)s” was saved.") % {"name": made.name})
            return redirect(url("build", version))
    _only_look(data, form, of_trigger, conditions, *_parts_of(steps))
    return page(
        request,
        "rule",
        version,
        str(found or _("New escalation")),
        form=form,
        trigger=of_trigger,
        guards=conditions,
        steps=steps,
        can_delete=found is not None,
        wrong=wrong(form, of_trigger, conditions, *_parts_of(steps)) if data is not None else [],
    )


@transaction.atomic
def _keep_escalation(
    form: EscalationForm, of_trigger: ParamForm, conditions: Blocks, steps: list[dict[str, Any]]
) -> Escalation:
    """Store a valid escalation with its guards and steps."""
    made: Escalation = form.save(commit=False)
    made.trigger_params = of_trigger.params
    made.save()
    _keep_guards(conditions, escalation=made)
    made.steps.all().delete()
    for position, each in enumerate(steps, 1):
        step = each["form"].save(commit=False)
        step.pk, step.escalation, step.position = None, made, position
        step.save(force_insert=True)
        _keep_actions(each["actions"], step=step)
    return made


def _parts_of(steps: list[dict[str, Any]]) -> list[Any]:
    """The form and the actions of each step."""
    return [part for each in steps for part in (each["form"], each["actions"])]


def _steps(version: WorkflowVersion, data: Any, found: Escalation | None) -> list[dict[str, Any]]:
    """The steps of the page, as entered or as stored; a new escalation starts with one step."""
    rows = list(found.steps.order_by("position", "pk")) if found is not None else []
    if data is None:
        shown = rows or [Step()]
        return [
            {
                "number": n,
                "prefix": f"step{n}",
                "form": StepForm(None, instance=step, prefix=f"step{n}"),
                "is_removed": False,
                "actions": actions(
                    version, None, step.actions.order_by("position", "pk") if step.pk else (), name=f"step{n}action"
                ),
            }
            for n, step in enumerate(shown)
        ]
    count = counted(data, "step-count", most=MOST_STEPS)
    found_steps = [
        {
            "number": n,
            "prefix": f"step{n}",
            "form": StepForm(data, prefix=f"step{n}"),
            "is_removed": bool(data.get(f"step{n}-remove")),
            "actions": actions(version, data, (), name=f"step{n}action"),
        }
        for n in range(count)
    ]
    if "step-add" in data and count < MOST_STEPS:
        found_steps.append(
            {
                "number": count,
                "prefix": f"step{count}",
                "form": StepForm(None, prefix=f"step{count}"),
                "is_removed": False,
                "actions": actions(version, None, (), name=f"step{count}action"),
            }
        )
    return found_steps


def _number(row: str) -> int:
    """The primary key in a URL; 0, which no row has, if it is not a number."""
    return int(row) if row.isascii() and row.isdigit() and len(row) < 19 else 0


def _trigger(data: Any, found: Transition | Escalation | None, *, default: str = Trigger.PERSON) -> str:
    wanted = data.get("trigger") if data is not None else found.trigger if found is not None else default
    return str(wanted) if wanted in Trigger.values else default


def _same_trigger(data: Any, trigger: str) -> Any:
    """The data to fill the trigger's fields with.

    None if another trigger was just chosen, so that its fields are shown empty. On save they are checked at once.
    """
    if data is None or "save" in data or data.get("trigger-kind", trigger) == trigger:
        return data
    return None


def _only_look(data: Any, *parts: Any) -> None:
    """Show no errors before *Save* is pressed."""
    if data is None or "save" in data:
        return
    for part in parts:
        for form in [block.form for block in part.blocks] if isinstance(part, Blocks) else [part]:
            form.errors.clear()


def _all_valid(*parts: Any) -> bool:
    judged = [
        part.is_bound and part.is_valid() if isinstance(part, forms.BaseForm) else part.is_valid() for part in parts
    ]
    return all(judged)


def _keep_guards(blocks: Blocks, **of: Any) -> None:
    Guard.objects.filter(**of).delete()
    for position, block in enumerate(blocks.kept):
        Guard.objects.create(
            kind=block.slug, params=block.form.params, is_negated=block.is_negated, position=position, **of
        )


def _keep_actions(blocks: Blocks, **of: Any) -> None:
    Action.objects.filter(**of).delete()
    for position, block in enumerate(blocks.kept):
        Action.objects.create(kind=block.slug, params=block.form.params, position=position, **of)
