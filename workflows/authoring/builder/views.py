"""The builder's pages, below the admin's list of workflow versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.core.clock import now
from hub.domain.policies import NotPublishable
from hub.models import State, Ticket, User, WorkflowVersion
from workflows.authoring import dry_run, publishing, serialization, validation
from workflows.authoring.builder import graph, parts, words
from workflows.authoring.builder.pages import page, url, version_of
from workflows.models import Escalation, PolicyRecord, Transition
from workflows.rules import verbs
from workflows.rules.compiled import compile_version
from workflows.rules.context import context
from workflows.rules.roles import MACHINE

View = Callable[..., HttpResponse]


def urls() -> list[Any]:
    pages: list[tuple[str, View, str]] = [
        ("<int:pk>/build/", build, "build"),
        ("<int:pk>/settings/", parts.settings, "settings"),
        ("<int:pk>/state/<str:row>/", parts.state, "state"),
        ("<int:pk>/transition/<str:row>/", parts.transition_page, "transition"),
        ("<int:pk>/escalation/<str:row>/", parts.escalation, "escalation"),
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


# -- the picture


def build(request: HttpRequest, pk: int) -> HttpResponse:
    """The version as a picture and as lists; what is wrong with it; where a chosen ticket stands in it."""
    version = version_of(pk)
    policy = compile_version(version)
    chosen = _ticket(request)
    why: dict[str, str] | None = None
    if chosen is not None and chosen.status.version_id == version.pk:
        seen = context(chosen, at=now())
        why = {
            rule.slug: verbs.why_not(seen, rule, roles=frozenset({MACHINE}), trigger=rule.trigger)
            for rule in policy.transitions
        }
        if policy.is_plain:
            usable = verbs.available_in(policy, seen, roles=frozenset({MACHINE}))
            why |= graph.law_says(policy, chosen.status.phase, {verb.slug: verb.why_not for verb in usable})
    elif chosen is not None:
        messages.warning(
            request,
            _("%(ticket)s is on %(version)s, not on this version.")
            % {"ticket": chosen.label, "version": chosen.status.version},
        )
    counts = dict(publishing.in_flight(version).values_list("status").annotate(count=Count("pk")))
    here = chosen.status_id if why is not None and chosen is not None else None
    rules = [
        {
            "rule": row,
            "trigger": words.trigger(row),
            "guards": words.guards(row.guards.all()),
            "actions": words.actions(row.actions.all()),
            "why_not": None if why is None else why[rule.slug],
        }
        for row, rule in zip(_transitions(version), policy.transitions, strict=True)
    ]
    escalations = [
        {
            "rule": row,
            "trigger": words.trigger(row),
            "guards": words.guards(row.guards.all()),
            "steps": [words.actions(step.actions.all()) for step in row.steps.all()],
        }
        for row in Escalation.objects.filter(version=version)
        .prefetch_related("guards", "steps__actions")
        .order_by("position", "pk")
    ]
    return page(
        request,
        "build",
        version,
        str(version),
        graph=graph.drawn(policy, counts=counts, here=here, why_not=why),
        states=State.objects.filter(version=version).order_by("position", "pk"),
        rules=rules,
        chosen=chosen,
        why=why,
        escalations=escalations,
        is_plain=policy.is_plain,
        faults=validation.faults(version) if version.status == WorkflowVersion.Status.DRAFT else [],
        records=PolicyRecord.objects.filter(version=version).select_related("user").order_by("-pk")[:20],
    )


def _transitions(version: WorkflowVersion) -> list[Transition]:
    rows = Transition.objects.filter(version=version).select_related("target")
    return list(rows.prefetch_related("sources", "guards", "actions").order_by("position", "pk"))


def _ticket(request: HttpRequest) -> Ticket | None:
    label = request.GET.get("ticket", "").strip().upper().removeprefix("TH-")
    if not label:
        return None
    rows = Ticket.objects.select_related("status__version")
    found = rows.filter(number=int(label)).first() if label.isdecimal() and len(label) < 18 else None
    if found is None:
        messages.error(request, _("There is no ticket TH-%s.") % label[:20])
    return found


# -- its life


class WhyForm(forms.Form):
    why = forms.CharField(
        label=gettext_lazy("Why"),
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
        help_text=gettext_lazy("It is kept with your name and the changes."),
    )


def publish(request: HttpRequest, pk: int) -> HttpResponse:
    """What would change, what is wrong, and who publishes why."""
    version = version_of(pk)
    before = WorkflowVersion.objects.filter(workflow=version.workflow, status="published").first()
    form = WhyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            publishing.publish(version, user=cast(User, request.user), why=form.cleaned_data["why"], at=now())
        except NotPublishable as refused:
            for line in str(refused).splitlines():
                messages.error(request, line)
        else:
            is_used = version.workflow.is_default or version.workflow.services.exists()
            told = (
                _("%s is in force for new tickets.")
                if is_used
                else _("%s is published. No service uses this workflow yet: choose it at a service in the admin.")
            )
            messages.success(request, told % version)
            return redirect(url("build", version))
    return page(
        request,
        "publish",
        version,
        _("Publish %s") % version,
        form=form,
        before=before,
        changes=serialization.differences(before, version) if before is not None else [],
        faults=validation.faults(version),
        in_flight=publishing.in_flight(before).count() if before is not None else 0,
    )


def draft(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft that begins as a copy."""
    version = version_of(pk)
    if request.method != "POST":
        return redirect(url("build", version))
    made = publishing.new_draft(version)
    messages.success(request, _("%s is a draft now.") % made)
    return redirect(url("build", made))


def export(request: HttpRequest, pk: int) -> HttpResponse:
    version = version_of(pk)
    answer = HttpResponse(serialization.text(version), content_type="application/json; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="workflow-{version.workflow_id}-v{version.number}.json"'
    return answer


class ImportForm(forms.Form):
    document = forms.CharField(
        label=gettext_lazy("Document"),
        widget=forms.Textarea(attrs={"rows": 18, "class": "vLargeTextField"}),
        max_length=serialization.LARGEST,
        help_text=gettext_lazy("As it was exported. It becomes a draft, whole or not at all."),
    )


def import_(request: HttpRequest) -> HttpResponse:
    form = ImportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = serialization.taken_in(form.cleaned_data["document"])
        except serialization.BadDocument as error:
            for mistake in error.mistakes[:30]:
                form.add_error("document", mistake)
        else:
            messages.success(request, _("%s is a draft now.") % made)
            return redirect(url("build", made))
    return page(request, "rule", None, _("Import a workflow"), form=form, is_import=True)


def differences(request: HttpRequest, pk: int) -> HttpResponse:
    version = version_of(pk)
    others = WorkflowVersion.objects.filter(workflow=version.workflow).exclude(pk=pk).order_by("-number")
    chosen = request.GET.get("with", "")
    other = others.filter(number=int(chosen)).first() if chosen.isdecimal() and len(chosen) < 10 else others.first()
    changes = serialization.differences(other, version) if other is not None else []
    return page(
        request,
        "differences",
        version,
        _("What is different in %s") % version,
        others=others,
        other=other,
        changes=changes,
    )


def rehearse(request: HttpRequest, pk: int) -> HttpResponse:
    """The version tried on one ticket's real history. Nothing is written."""
    version = version_of(pk)
    ticket = _ticket(request)
    moments = dry_run.rehearse(version, ticket) if ticket is not None else []
    return page(
        request,
        "rehearse",
        version,
        _("Rehearse %s") % version,
        ticket=ticket,
        moments=moments,
        summary=dry_run.summary(moments) if moments else None,
        recent=Ticket.objects.filter(imported_from__isnull=True).order_by("-changed_at", "-pk")[:10],
    )


def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Tickets that are under way, from this version to the published one, by a map of states."""
    version = version_of(pk)
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
    return page(request, "move", version, _("Move tickets of %s") % version, to=to, rows=rows, form=form)


def _map(moved: list[publishing.Moved], to: WorkflowVersion) -> list[Mapping[str, Any]]:
    states = list(State.objects.filter(version=to).order_by("position", "pk"))
    return [{"moved": each, "states": [s for s in states if s.phase == each.state.phase]} for each in moved]
