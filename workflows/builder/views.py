"""The builder's pages, below the admin's list of workflow versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.clock import now
from hub.domain.policies import NotPublishable
from hub.models import State, Ticket, User, WorkflowVersion
from workflows import documents, firing, judging, publishing, rehearsal
from workflows.builder import graph
from workflows.builder.forms import (
    Blocks,
    EscalationForm,
    SettingsForm,
    StateForm,
    StepForm,
    TransitionForm,
    actions,
    guards,
    trigger_form,
)
from workflows.compiled import compile_version
from workflows.context import context
from workflows.models import Action, Escalation, Guard, PolicyRecord, Step, Transition, Trigger

View = Callable[..., HttpResponse]
MOST_STEPS = 12


def urls() -> list[Any]:
    pages: list[tuple[str, View, str]] = [
        ("<int:pk>/build/", build, "build"),
        ("<int:pk>/settings/", settings, "settings"),
        ("<int:pk>/state/<str:row>/", state, "state"),
        ("<int:pk>/transition/<str:row>/", transition_page, "transition"),
        ("<int:pk>/escalation/<str:row>/", escalation, "escalation"),
        ("<int:pk>/publish/", publish, "publish"),
        ("<int:pk>/draft/", draft, "draft"),
        ("<int:pk>/export/", export, "export"),
        ("import/", import_, "import"),
        ("<int:pk>/differences/", differences, "differences"),
        ("<int:pk>/rehearse/", rehearse, "rehearse"),
        ("<int:pk>/move/", move, "move"),
    ]
    return [path(where, _for_admins(view), name=f"workflows_{name}") for where, view, name in pages]


def _for_admins(view: View) -> View:
    def guarded(request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        if not request.user.has_perm("hub.change_workflowversion"):
            raise PermissionDenied
        return view(request, *args, **more)

    return admin.site.admin_view(guarded)


def _version(pk: int) -> WorkflowVersion:
    return get_object_or_404(WorkflowVersion.objects.select_related("workflow"), pk=pk)


def _page(request: HttpRequest, name: str, version: WorkflowVersion | None, title: str, **more: Any) -> HttpResponse:
    everything = {
        **admin.site.each_context(request), "title": title, "version": version, "opts": WorkflowVersion._meta,
        "is_draft": version is not None and version.status == WorkflowVersion.Status.DRAFT, **more,
    }  # fmt: skip
    return render(request, f"admin/workflows/{name}.html", everything)


def url(name: str, version: WorkflowVersion, *more: Any) -> str:
    return reverse(f"admin:workflows_{name}", args=[version.pk, *more])


def _only_a_draft(request: HttpRequest, version: WorkflowVersion) -> bool:
    if version.status == WorkflowVersion.Status.DRAFT:
        return True
    messages.error(request, _("A published version stays as it is; make a draft of it."))
    return False


# -- the picture


def build(request: HttpRequest, pk: int) -> HttpResponse:
    """The version as a picture and as lists; what is wrong with it; where a chosen ticket stands in it."""
    version = _version(pk)
    policy = compile_version(version)
    chosen = _ticket(request)
    why: dict[str, str] | None = None
    if chosen is not None and chosen.status.version_id == version.pk:
        seen = context(chosen, at=now())
        why = {rule.slug: firing.why_not(seen, rule, roles=frozenset({"machine"}), trigger=rule.trigger)
               for rule in policy.transitions}  # fmt: skip
    elif chosen is not None:
        messages.warning(request, _("%s is on another version of its workflow.") % chosen.label)
    counts = dict(publishing.in_flight(version).values_list("status").annotate(count=Count("pk")))
    here = chosen.status_id if why is not None and chosen is not None else None
    rules = [
        {"rule": row, "compiled": rule, "why_not": None if why is None else why[rule.slug]}
        for row, rule in zip(_transitions(version), policy.transitions, strict=True)
    ]
    escalations = Escalation.objects.filter(version=version).prefetch_related("guards", "steps__actions")
    return _page(
        request, "build", version, str(version), graph=graph.drawn(policy, counts=counts, here=here, why_not=why),
        states=State.objects.filter(version=version).order_by("position", "pk"), rules=rules, chosen=chosen, why=why,
        escalations=escalations.order_by("position", "pk"),
        faults=judging.faults(version) if version.status == WorkflowVersion.Status.DRAFT else [],
        records=PolicyRecord.objects.filter(version=version).select_related("user").order_by("-pk")[:20],
    )  # fmt: skip


def _transitions(version: WorkflowVersion) -> list[Transition]:
    rows = Transition.objects.filter(version=version).select_related("target")
    return list(rows.prefetch_related("sources", "guards", "actions").order_by("position", "pk"))


def _ticket(request: HttpRequest) -> Ticket | None:
    label = request.GET.get("ticket", "").strip().upper().removeprefix("TH-")
    if not label:
        return None
    rows = Ticket.objects.select_related("status__version")
    found = rows.filter(number=int(label)).first() if label.isdigit() and len(label) < 18 else None
    if found is None:
        messages.error(request, _("There is no ticket TH-%s.") % label[:20])
    return found


# -- its parts


def settings(request: HttpRequest, pk: int) -> HttpResponse:
    version = _version(pk)
    form = SettingsForm(request.POST or None, instance=version)
    if request.method == "POST" and _only_a_draft(request, version) and form.is_valid():
        form.save()
        return redirect(url("build", version))
    return _page(request, "rule", version, _("Settings of %s") % version, form=form)


def state(request: HttpRequest, pk: int, row: str) -> HttpResponse:
    version = _version(pk)
    found = None if row == "new" else get_object_or_404(State, pk=row, version=version)
    form = StateForm(version, request.POST or None, instance=found)
    if request.method == "POST" and _only_a_draft(request, version):
        if "delete" in request.POST and found is not None:
            found.delete()
            return redirect(url("build", version))
        if form.is_valid():
            form.save()
            return redirect(url("build", version))
    return _page(request, "rule", version, str(found or _("A new state")), form=form, can_delete=found is not None)


def transition_page(request: HttpRequest, pk: int, row: str) -> HttpResponse:
    """One verb, with its guards and actions."""
    version = _version(pk)
    found = None if row == "new" else get_object_or_404(Transition, pk=row, version=version)
    data = request.POST if request.method == "POST" else None
    form = TransitionForm(version, data, instance=found)
    trigger = _trigger(data, found)
    of_trigger = trigger_form(trigger, version, _same_trigger(data, trigger), found.trigger_params if found else {})
    conditions = guards(version, data, found.guards.order_by("position", "pk") if found else ())
    deeds = actions(version, data, found.actions.order_by("position", "pk") if found else ())
    if data is not None and _only_a_draft(request, version):
        if "delete" in data and found is not None:
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
            messages.success(request, _("“%s” is kept.") % made.name)
            return redirect(url("build", version))
    return _page(
        request, "rule", version, str(found or _("A new transition")), form=form, trigger=of_trigger,
        guards=conditions, actions=deeds, can_delete=found is not None,
    )  # fmt: skip


def escalation(request: HttpRequest, pk: int, row: str) -> HttpResponse:
    """One escalation, with its guards and steps."""
    version = _version(pk)
    found = None if row == "new" else get_object_or_404(Escalation, pk=row, version=version)
    data = request.POST if request.method == "POST" else None
    form = EscalationForm(version, data, instance=found)
    trigger = _trigger(data, found, default=Trigger.CLOCK)
    of_trigger = trigger_form(trigger, version, _same_trigger(data, trigger), found.trigger_params if found else {})
    conditions = guards(version, data, found.guards.order_by("position", "pk") if found else ())
    steps = _steps(version, data, found)
    if data is not None and _only_a_draft(request, version):
        if "delete" in data and found is not None:
            found.delete()
            return redirect(url("build", version))
        kept = [each for each in steps if not each["is_removed"]]
        parts = [part for each in kept for part in (each["form"], each["actions"])]
        if "save" in data and _all_valid(form, of_trigger, conditions, *parts):
            with transaction.atomic():
                made = form.save(commit=False)
                made.trigger_params = of_trigger.params
                made.save()
                _keep_guards(conditions, escalation=made)
                made.steps.all().delete()
                for position, each in enumerate(kept, 1):
                    step = each["form"].save(commit=False)
                    step.pk, step.escalation, step.position = None, made, position
                    step.save(force_insert=True)
                    _keep_actions(each["actions"], step=step)
            messages.success(request, _("“%s” is kept.") % made.name)
            return redirect(url("build", version))
    return _page(
        request, "rule", version, str(found or _("A new escalation")), form=form, trigger=of_trigger,
        guards=conditions, steps=steps, can_delete=found is not None,
    )  # fmt: skip


def _steps(version: WorkflowVersion, data: Any, found: Escalation | None) -> list[dict[str, Any]]:
    rows = list(found.steps.order_by("position", "pk")) if found is not None else []
    if data is None:
        shown = rows or [Step()]
        return [
            {"number": n, "prefix": f"step{n}", "form": StepForm(None, instance=step, prefix=f"step{n}"),
             "is_removed": False,
             "actions": actions(version, None, step.actions.order_by("position", "pk") if step.pk else (),
                                name=f"step{n}action")}
            for n, step in enumerate(shown)
        ]  # fmt: skip
    count = min(int(data.get("step-count") or 0), MOST_STEPS)
    found_steps = [
        {"number": n, "prefix": f"step{n}", "form": StepForm(data, prefix=f"step{n}"),
         "is_removed": bool(data.get(f"step{n}-remove")),
         "actions": actions(version, data, (), name=f"step{n}action")}
        for n in range(count)
    ]  # fmt: skip
    if "step-add" in data and count < MOST_STEPS:
        found_steps.append({
            "number": count, "prefix": f"step{count}", "form": StepForm(None, prefix=f"step{count}"),
            "is_removed": False, "actions": actions(version, None, (), name=f"step{count}action"),
        })  # fmt: skip
    return found_steps


def _trigger(data: Any, found: Transition | Escalation | None, *, default: str = Trigger.PERSON) -> str:
    wanted = data.get("trigger") if data is not None else found.trigger if found is not None else default
    return str(wanted) if wanted in Trigger.values else default


def _same_trigger(data: Any, trigger: str) -> Any:
    """What was entered for the trigger, unless another one was just chosen: its own fields are shown first."""
    return data if data is not None and data.get("trigger-kind", trigger) == trigger else None


def _all_valid(*parts: Any) -> bool:
    judged = [
        part.is_bound and part.is_valid() if isinstance(part, forms.BaseForm) else part.is_valid() for part in parts
    ]
    return all(judged)


def _keep_guards(blocks: Blocks, **of: Any) -> None:
    Guard.objects.filter(**of).delete()
    for position, block in enumerate(blocks.kept):
        Guard.objects.create(kind=block.slug, params=block.form.params, is_negated=block.is_negated, position=position,
                             **of)  # fmt: skip


def _keep_actions(blocks: Blocks, **of: Any) -> None:
    Action.objects.filter(**of).delete()
    for position, block in enumerate(blocks.kept):
        Action.objects.create(kind=block.slug, params=block.form.params, position=position, **of)


# -- its life


class WhyForm(forms.Form):
    why = forms.CharField(
        label=gettext_lazy("Why"), widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
        help_text=gettext_lazy("It is kept with your name and the changes."),
    )  # fmt: skip


def publish(request: HttpRequest, pk: int) -> HttpResponse:
    """What would change, what is wrong, and who publishes why."""
    version = _version(pk)
    before = WorkflowVersion.objects.filter(workflow=version.workflow, status="published").first()
    form = WhyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            publishing.publish(version, user=cast(User, request.user), why=form.cleaned_data["why"], at=now())
        except NotPublishable as refused:
            for line in str(refused).splitlines():
                messages.error(request, line)
        else:
            messages.success(request, _("%s is in force for new tickets.") % version)
            return redirect(url("build", version))
    return _page(
        request, "publish", version, _("Publish %s") % version, form=form, before=before,
        changes=documents.differences(before, version) if before is not None else [],
        faults=judging.faults(version), in_flight=publishing.in_flight(before).count() if before is not None else 0,
    )  # fmt: skip


def draft(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft that begins as a copy."""
    version = _version(pk)
    if request.method != "POST":
        return redirect(url("build", version))
    made = publishing.new_draft(version)
    messages.success(request, _("%s is a draft now.") % made)
    return redirect(url("build", made))


def export(request: HttpRequest, pk: int) -> HttpResponse:
    version = _version(pk)
    answer = HttpResponse(documents.text(version), content_type="application/json; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="workflow-{version.workflow_id}-v{version.number}.json"'
    return answer


class ImportForm(forms.Form):
    document = forms.CharField(
        label=gettext_lazy("Document"), widget=forms.Textarea(attrs={"rows": 18, "class": "vLargeTextField"}),
        max_length=documents.LARGEST,
        help_text=gettext_lazy("As it was exported. It becomes a draft, whole or not at all."),
    )  # fmt: skip


def import_(request: HttpRequest) -> HttpResponse:
    form = ImportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = documents.taken_in(form.cleaned_data["document"])
        except documents.BadDocument as error:
            for mistake in error.mistakes[:30]:
                form.add_error("document", mistake)
        else:
            messages.success(request, _("%s is a draft now.") % made)
            return redirect(url("build", made))
    return _page(request, "rule", None, _("Import a workflow"), form=form, is_import=True)


def differences(request: HttpRequest, pk: int) -> HttpResponse:
    version = _version(pk)
    others = WorkflowVersion.objects.filter(workflow=version.workflow).exclude(pk=pk).order_by("-number")
    chosen = request.GET.get("with", "")
    other = others.filter(number=int(chosen)).first() if chosen.isdigit() else others.first()
    changes = documents.differences(other, version) if other is not None else []
    return _page(request, "differences", version, _("What is different in %s") % version, others=others, other=other,
                 changes=changes)  # fmt: skip


def rehearse(request: HttpRequest, pk: int) -> HttpResponse:
    """The version tried on one ticket's real history. Nothing is written."""
    version = _version(pk)
    ticket = _ticket(request)
    moments = rehearsal.rehearse(version, ticket) if ticket is not None else []
    return _page(
        request, "rehearse", version, _("Rehearse %s") % version, ticket=ticket, moments=moments,
        summary=rehearsal.summary(moments) if moments else None,
        recent=Ticket.objects.filter(imported_from__isnull=True).order_by("-changed_at", "-pk")[:10],
    )  # fmt: skip


def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Tickets that are under way, from this version to the published one, by a map of states."""
    version = _version(pk)
    to = WorkflowVersion.objects.filter(workflow=version.workflow, status="published").exclude(pk=pk).first()
    form = WhyForm(request.POST or None)
    chosen = {key.removeprefix("to-"): str(value) for key, value in request.POST.items() if key.startswith("to-")}
    if to is not None and request.method == "POST" and form.is_valid():
        count = publishing.move_tickets(
            version, to, chosen=chosen, user=cast(User, request.user), why=form.cleaned_data["why"], at=now()
        )
        messages.success(request, _("%(count)s tickets are on %(to)s now.") % {"count": count, "to": to})
        return redirect(url("build", to))
    rows = _map(publishing.preview(version, to, chosen), to) if to is not None else []
    return _page(request, "move", version, _("Move tickets of %s") % version, to=to, rows=rows, form=form)


def _map(moved: list[publishing.Moved], to: WorkflowVersion) -> list[Mapping[str, Any]]:
    states = list(State.objects.filter(version=to).order_by("position", "pk"))
    return [{"moved": each, "states": [s for s in states if s.phase == each.state.phase]} for each in moved]
