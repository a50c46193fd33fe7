"""The builder's pages, in the admin below the list of workflow versions."""

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
from django.utils.translation import gettext_lazy, ngettext

from hub.core.clock import now
from hub.domain.policies import NotPublishable
from hub.models import State, Ticket, User, WorkflowVersion
from workflows.authoring import comparison, dry_run, publishing, serialization, validation
from workflows.authoring.builder import graph, parts, words
from workflows.authoring.builder.pages import page, url, version_of
from workflows.models import Escalation, PolicyRecord, Transition
from workflows.rules import verbs
from workflows.rules.compiled import Policy, compile_version
from workflows.rules.context import context
from workflows.rules.roles import MACHINE

View = Callable[..., HttpResponse]


def urls() -> list[Any]:
    """The URLs of the builder's pages, named `workflows_…`."""
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
        ("<int:pk>/dry-run/", dry_run_page, "dry_run"),
        ("<int:pk>/move/", move, "move"),
    ]
    return [path(where, _for_admins(view), name=f"workflows_{name}") for where, view, name in pages]


def _for_admins(view: View) -> View:
    def guarded(request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        if not request.user.has_perm("hub.change_workflowversion"):
            raise PermissionDenied
        return view(request, *args, **more)

    return admin.site.admin_view(guarded)


# -- the overview


def build(request: HttpRequest, pk: int) -> HttpResponse:
    """The version as a graph and as lists, its faults, and what is possible on a chosen ticket."""
    version = version_of(pk)
    policy = compile_version(version)
    chosen = _ticket(request)
    why = _why_not(request, version, policy, chosen)
    counts = dict(publishing.in_flight(version).values_list("status").annotate(count=Count("pk")))
    here = chosen.status_id if why is not None and chosen is not None else None
    return page(
        request,
        "build",
        version,
        str(version),
        graph=graph.drawn(policy, counts=counts, here=here, why_not=why),
        states=State.objects.filter(version=version).order_by("position", "pk"),
        rules=_transitions(version, policy, why),
        chosen=chosen,
        why=why,
        escalations=_escalations(version),
        is_plain=policy.is_plain,
        faults=validation.faults(version) if version.status == WorkflowVersion.Status.DRAFT else [],
        records=PolicyRecord.objects.filter(version=version).select_related("user").order_by("-pk")[:20],
    )


def _why_not(
    request: HttpRequest, version: WorkflowVersion, policy: Policy, chosen: Ticket | None
) -> dict[str, str] | None:
    """By slug, why each transition is not possible on the chosen ticket; None if there is none on this version."""
    if chosen is None:
        return None
    if chosen.status.version_id != version.pk:
        text = _("%(ticket)s uses %(version)s, not this version.")
        messages.warning(request, text % {"ticket": chosen.label, "version": chosen.status.version})
        return None
    seen = context(chosen, at=now())
    why = {
        rule.slug: verbs.why_not(seen, rule, roles=frozenset({MACHINE}), trigger=rule.trigger)
        for rule in policy.transitions
    }
    if policy.is_plain:
        usable = verbs.available_in(policy, seen, roles=frozenset({MACHINE}))
        why |= graph.law_says(policy, chosen.status.phase, {verb.slug: verb.why_not for verb in usable})
    return why


def _transitions(version: WorkflowVersion, policy: Policy, why: Mapping[str, str] | None) -> list[dict[str, Any]]:
    """The transitions in words, for the list below the graph."""
    rows = Transition.objects.filter(version=version).select_related("target")
    rows = rows.prefetch_related("sources", "guards", "actions").order_by("position", "pk")
    return [
        {
            "rule": row,
            "trigger": words.trigger(row),
            "guards": words.guards(row.guards.all()),
            "actions": words.actions(row.actions.all()),
            "why_not": None if why is None else why[rule.slug],
        }
        for row, rule in zip(rows, policy.transitions, strict=True)
    ]


def _escalations(version: WorkflowVersion) -> list[dict[str, Any]]:
    """The escalations in words, for the list below the graph."""
    rows = Escalation.objects.filter(version=version).prefetch_related("guards", "steps__actions")
    return [
        {
            "rule": row,
            "trigger": words.trigger(row),
            "guards": words.guards(row.guards.all()),
            "steps": [words.actions(step.actions.all()) for step in row.steps.all()],
        }
        for row in rows.order_by("position", "pk")
    ]


def _ticket(request: HttpRequest) -> Ticket | None:
    """The ticket chosen on the page; shows an error if there is none of that number."""
    label = request.GET.get("ticket", "").strip().upper().removeprefix("TH-")
    if not label:
        return None
    rows = Ticket.objects.select_related("status__version")
    found = rows.filter(number=int(label)).first() if label.isdecimal() and len(label) < 18 else None
    if found is None:
        messages.error(request, _("There is no ticket %(label)s.") % {"label": f"TH-{label[:20]}"})
    return found


# -- publish, copy, export, import, compare, try, move


class WhyForm(forms.Form):
    why = forms.CharField(
        label=gettext_lazy("reason"),
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
        help_text=gettext_lazy("Recorded with your name and the changes."),
    )


def publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what would change and what is wrong; publish with a reason."""
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
            text = (
                _("%(version)s is published. New tickets use it.")
                if is_used
                else _(
                    "%(version)s is published. No service uses this workflow yet; choose it for a service in the admin."
                )
            )
            messages.success(request, text % {"version": version})
            return redirect(url("build", version))
    return page(
        request,
        "publish",
        version,
        _("Publish %(version)s") % {"version": version},
        form=form,
        before=before,
        changes=comparison.differences(before, version) if before is not None else [],
        faults=validation.faults(version),
        in_flight=publishing.in_flight(before).count() if before is not None else 0,
    )


def draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Create a draft as a copy of the version."""
    version = version_of(pk)
    if request.method != "POST":
        return redirect(url("build", version))
    made = publishing.new_draft(version)
    messages.success(request, _("Created the draft %(version)s.") % {"version": made})
    return redirect(url("build", made))


def export(request: HttpRequest, pk: int) -> HttpResponse:
    """Download the version as a JSON document."""
    version = version_of(pk)
    answer = HttpResponse(serialization.text(version), content_type="application/json; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="workflow-{version.workflow_id}-v{version.number}.json"'
    return answer


class ImportForm(forms.Form):
    document = forms.CharField(
        label=gettext_lazy("document"),
        widget=forms.Textarea(attrs={"rows": 18, "class": "vLargeTextField"}),
        max_length=serialization.LARGEST,
        help_text=gettext_lazy(
            "Paste an exported workflow. It becomes a draft; if anything in it is wrong, nothing is imported."
        ),
    )


def import_(request: HttpRequest) -> HttpResponse:
    """Create a draft from an exported document."""
    form = ImportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = serialization.taken_in(form.cleaned_data["document"])
        except serialization.BadDocument as error:
            for mistake in error.mistakes[:30]:
                form.add_error("document", mistake)
        else:
            messages.success(request, _("Created the draft %(version)s.") % {"version": made})
            return redirect(url("build", made))
    return page(request, "rule", None, _("Import a workflow"), form=form, is_import=True)


def differences(request: HttpRequest, pk: int) -> HttpResponse:
    """Compare the version with another one of the same workflow, by default the newest other one."""
    version = version_of(pk)
    others = WorkflowVersion.objects.filter(workflow=version.workflow).exclude(pk=pk).order_by("-number")
    chosen = request.GET.get("with", "")
    other = others.filter(number=int(chosen)).first() if chosen.isdecimal() and len(chosen) < 10 else others.first()
    changes = comparison.differences(other, version) if other is not None else []
    return page(
        request,
        "differences",
        version,
        _("Compare %(version)s") % {"version": version},
        others=others,
        other=other,
        changes=changes,
    )


def dry_run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The dry run of the version on the history of one ticket. Nothing is written."""
    version = version_of(pk)
    ticket = _ticket(request)
    moments = dry_run.rehearse(version, ticket) if ticket is not None else []
    return page(
        request,
        "dry_run",
        version,
        _("Dry run of %(version)s") % {"version": version},
        ticket=ticket,
        moments=moments,
        summary=dry_run.summary(moments) if moments else None,
        recent=Ticket.objects.filter(imported_from__isnull=True).order_by("-changed_at", "-pk")[:10],
    )


def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Move open tickets from this version to the published one, with a new status for each old one."""
    version = version_of(pk)
    to = WorkflowVersion.objects.filter(workflow=version.workflow, status="published").exclude(pk=pk).first()
    form = WhyForm(request.POST or None)
    chosen = {key.removeprefix("to-"): str(value) for key, value in request.POST.items() if key.startswith("to-")}
    if to is not None and request.method == "POST" and form.is_valid():
        count = publishing.move_tickets(
            version, to, chosen=chosen, user=cast(User, request.user), why=form.cleaned_data["why"], at=now()
        )
        text = ngettext("%(count)d ticket was moved to %(to)s.", "%(count)d tickets were moved to %(to)s.", count)
        messages.success(request, text % {"count": count, "to": to})
        return redirect(url("build", to))
    rows = _map(publishing.preview(version, to, chosen), to) if to is not None else []
    return page(
        request, "move", version, _("Move tickets of %(version)s") % {"version": version}, to=to, rows=rows, form=form
    )


def _map(moved: list[publishing.Moved], to: WorkflowVersion) -> list[Mapping[str, Any]]:
    states = list(State.objects.filter(version=to).order_by("position", "pk"))
    return [{"moved": each, "states": [s for s in states if s.phase == each.state.phase]} for each in moved]
