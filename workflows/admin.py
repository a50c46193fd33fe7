"""Workflows as an admin builds them, notices as an admin words them, and what rules do as an admin looks at it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.admin.bases import Final, LookOnly
from hub.core import crypto
from hub.core.clock import now
from hub.domain.policies import NotPublishable
from hub.models import Workflow, WorkflowVersion
from workflows.authoring import publishing
from workflows.authoring.builder import views
from workflows.models import (
    Endpoint,
    EscalationRun,
    FailedAction,
    Notice,
    NoticePreference,
    NoticeTemplate,
    Pending,
    PolicyRecord,
    Suppression,
    Triage,
)
from workflows.notifications import delivery, templates
from workflows.vendor_change import switch_admin as _switch_admin  # noqa: F401 (registers itself)


@admin.register(Workflow)
class WorkflowAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "is_default"]
    search_fields = ["name"]

    def response_add(self, request: HttpRequest, obj: Workflow, post_url_continue: str | None = None) -> HttpResponse:
        """A new workflow begins as a draft like the standard one, and is built next."""
        draft = publishing.begin(obj)
        if draft is None:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(request, _("%s is a draft now, like the standard workflow.") % draft)
        return HttpResponseRedirect(reverse("admin:workflows_build", args=[draft.pk]))


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(Final):
    list_display = ["workflow", "number", "status", "note", "build_link"]
    list_select_related = ["workflow"]
    list_filter = ["status", "workflow"]
    readonly_fields = ["status", "number"]
    actions = ["new_version", "retire"]
    change_list_template = "admin/workflows/versions.html"

    def get_urls(self) -> list[Any]:
        return [*views.urls(), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkflowVersion]:
        return super().get_queryset(request).order_by("workflow__name", "-number")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a version begins as a copy of another one, or is imported

    @admin.display(description=gettext_lazy("build it"))
    def build_link(self, obj: WorkflowVersion) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:workflows_build", args=[obj.pk]), _("Build"))

    @admin.action(description=gettext_lazy("New version as a draft"))
    def new_version(self, request: HttpRequest, rows: QuerySet[WorkflowVersion]) -> None:
        for version in rows:
            self.message_user(request, _("%s is a draft now.") % publishing.new_draft(version))

    @admin.action(description=gettext_lazy("Retire"))
    def retire(self, request: HttpRequest, rows: QuerySet[WorkflowVersion]) -> None:
        for version in rows:
            try:
                publishing.retire(version, user=request.user, why="", at=now())  # type: ignore[arg-type]
            except NotPublishable as refused:
                self.message_user(request, str(refused), messages.ERROR)
            else:
                self.message_user(request, _("%s is retired.") % version)


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    url = forms.URLField(label=gettext_lazy("address"), assume_scheme="https", max_length=500)
    secret = forms.CharField(
        label=gettext_lazy("Secret"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Signs what is sent (HMAC-SHA256). Never shown again; left empty it stays as it is."),
    )

    class Meta:
        model = Endpoint
        fields = ["name", "channel", "url", "is_active"]

    def save(self, commit: bool = True) -> Endpoint:
        made: Endpoint = super().save(commit=False)
        if self.cleaned_data["secret"]:
            made.sealed = crypto.seal(made.public_id, {"secret": self.cleaned_data["secret"]})
        if commit:
            made.save()
        return made


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = EndpointForm
    list_display = ["name", "channel", "url", "is_active"]
    search_fields = ["name"]


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    """A template is filled with the newest ticket before it is kept: what cannot be filled is refused."""

    class Meta:
        model = NoticeTemplate
        fields = ["kind", "audience", "language", "subject", "body"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name in ("subject", "body"):
            try:
                templates.tried(cleaned.get(name) or "")
            except templates.BadTemplate as error:
                self.add_error(name, str(error))
        return cleaned


@admin.register(NoticeTemplate)
class NoticeTemplateAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = TemplateForm
    list_display = ["kind", "audience", "language", "subject"]
    list_filter = ["audience", "language"]
    readonly_fields = ["preview"]
    fields = ["kind", "audience", "language", "subject", "body", "preview"]

    @admin.display(description=gettext_lazy("with the newest ticket"))
    def preview(self, obj: NoticeTemplate) -> str:
        if not obj.pk:
            return _("Save it once to see it.")
        said = templates.Wording(templates.tried(obj.subject), templates.tried(obj.body))
        return format_html("<strong>{}</strong><pre>{}</pre>", said.subject, said.body)


@admin.register(NoticePreference)
class NoticePreferenceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["user", "kind", "mail", "console", "is_quiet_at_night"]
    list_select_related = ["user"]
    autocomplete_fields = ["user"]


@admin.register(Suppression)
class SuppressionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["address", "why", "since"]
    search_fields = ["address"]


@admin.register(Notice)
class NoticeAdmin(LookOnly):
    list_display = ["made_at", "channel", "to", "subject", "state", "why"]
    list_filter = ["state", "channel", "kind"]
    search_fields = ["to", "subject"]
    actions = ["retry"]

    @admin.action(description=gettext_lazy("Send again"))
    def retry(self, request: HttpRequest, rows: QuerySet[Notice]) -> None:
        for notice in rows:
            delivery.retry(notice)


@admin.register(Pending)
class PendingAdmin(LookOnly):
    list_display = ["ticket", "rule", "key", "due_at", "state", "outcome"]
    list_filter = ["state", "rule"]
    list_select_related = ["ticket"]
    search_fields = ["=ticket__number"]


@admin.register(EscalationRun)
class EscalationRunAdmin(LookOnly):
    list_display = ["ticket", "escalation", "cause", "state", "steps_done", "began_at", "acknowledged_by"]
    list_filter = ["state"]
    list_select_related = ["ticket", "escalation", "acknowledged_by"]


@admin.register(FailedAction)
class FailedActionAdmin(LookOnly):
    list_display = ["ticket", "rule", "kind", "why", "at", "resolved_at", "resolution"]
    list_select_related = ["ticket"]


@admin.register(Triage)
class TriageAdmin(LookOnly):
    list_display = ["ticket", "cause", "owner", "began_at", "deadline_at", "decided_at", "decided_for"]
    list_select_related = ["ticket", "owner", "decided_for"]


@admin.register(PolicyRecord)
class PolicyRecordAdmin(LookOnly):
    list_display = ["at", "version", "verb", "user", "why"]
    list_select_related = ["version__workflow", "user"]
