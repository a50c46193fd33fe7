"""The admin of workflows, notifications, and running or failed rules."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from hub.admin.bases import Final, LookOnly
from hub.core.clock import now
from hub.domain.policies import NotPublishable
from hub.models import Workflow, WorkflowVersion
from workflows.authoring import publishing
from workflows.authoring.builder import views
from workflows.models import (
    Channel,
    Endpoint,
    EscalationRun,
    FailedAction,
    Notice,
    NoticePreference,
    NoticeTemplate,
    Pending,
    PolicyRecord,
    ReplyTemplate,
    Suppression,
    Triage,
)
from workflows.notifications import delivery, templates, webhooks
from workflows.vendor_change import switch_admin as _switch_admin  # noqa: F401 (registers itself)


@admin.register(Workflow)
class WorkflowAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "is_default"]
    search_fields = ["name"]

    def response_add(self, request: HttpRequest, obj: Workflow, post_url_continue: str | None = None) -> HttpResponse:
        """A new workflow starts as a draft copy of the standard one; go on to its builder page."""
        draft = publishing.begin(obj)
        if draft is None:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(
            request, _("Created the draft %(version)s as a copy of the standard workflow.") % {"version": draft}
        )
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
        return False  # a version starts as a copy of another one, or is imported

    @admin.display(description=gettext_lazy("builder"))
    def build_link(self, obj: WorkflowVersion) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:workflows_build", args=[obj.pk]), _("Open builder"))

    @admin.action(description=gettext_lazy("Create new draft"))
    def new_version(self, request: HttpRequest, rows: QuerySet[WorkflowVersion]) -> None:
        for version in rows:
            draft = publishing.new_draft(version)
            self.message_user(request, _("Created the draft %(version)s.") % {"version": draft})

    @admin.action(description=gettext_lazy("Retire"))
    def retire(self, request: HttpRequest, rows: QuerySet[WorkflowVersion]) -> None:
        for version in rows:
            try:
                publishing.retire(version, user=request.user, why="", at=now())  # type: ignore[arg-type]
            except NotPublishable as refused:
                self.message_user(request, str(refused), messages.ERROR)
            else:
                self.message_user(request, _("%(version)s is retired.") % {"version": version})


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    url = forms.URLField(label=gettext_lazy("URL"), assume_scheme="https", max_length=500)

    class Meta:
        model = Endpoint
        fields = ["name", "channel", "url", "is_active"]


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Notification endpoints. The hub creates their secrets and shows each one once."""

    form = EndpointForm
    fields = ["name", "channel", "url", "is_active", "signature"]
    readonly_fields = ["signature"]
    list_display = ["name", "channel", "url", "is_active", "signature"]
    search_fields = ["name"]
    actions = ["renew_secret"]

    @admin.display(description=gettext_lazy("signature"))
    def signature(self, obj: Endpoint) -> str:
        if obj.has_hex_signature:
            return _("Standard Webhooks, and the legacy hexadecimal signature until the secret is renewed")
        if obj.sealed:
            return _("Standard Webhooks")
        if not obj.pk:
            return _("A signed webhook gets a secret when you save it. The secret is shown once.")
        return _("None, because the endpoint has no secret")

    def save_model(self, request: HttpRequest, obj: Endpoint, form: forms.BaseForm, change: bool) -> None:
        """Save only the form's fields of an existing row: its secret may be renewed or resealed at the same time."""
        obj.save(update_fields=EndpointForm.Meta.fields if change else None)

    def response_add(self, request: HttpRequest, obj: Endpoint, post_url_continue: str | None = None) -> HttpResponse:
        return self._first_secret(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Endpoint) -> HttpResponse:
        return self._first_secret(request, obj) or super().response_change(request, obj)

    def _first_secret(self, request: HttpRequest, obj: Endpoint) -> HttpResponse | None:
        """Create the secret of a signed webhook that has none and show it; None for every other endpoint."""
        if obj.channel != Channel.WEBHOOK or obj.sealed:
            return None
        return self._page(request, _("New secret"), secrets=[(obj, webhooks.renew_secret(obj))])

    @admin.action(description=gettext_lazy("Renew secret"), permissions=["change"])
    def renew_secret(self, request: HttpRequest, rows: QuerySet[Endpoint]) -> HttpResponse:
        endpoints = list(rows.order_by("name"))
        if "sure" not in request.POST:
            return self._page(request, _("Renew secret"), endpoints=endpoints)
        for endpoint in endpoints:
            self.log_change(request, endpoint, _("Renewed the secret."))
        renewed = [(endpoint, webhooks.renew_secret(endpoint)) for endpoint in endpoints]
        title = ngettext("New secret", "New secrets", len(renewed))
        return self._page(request, title, secrets=renewed)

    def _page(self, request: HttpRequest, title: str, **context: Any) -> HttpResponse:
        context |= {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        return TemplateResponse(request, "admin/workflows/secrets.html", context)


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    """A template is filled in with the newest ticket before it is saved; if that fails, it is rejected."""

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

    @admin.display(description=gettext_lazy("preview with the newest ticket"))
    def preview(self, obj: NoticeTemplate) -> str:
        if not obj.pk:
            return _("Save the template to see a preview.")
        said = templates.Wording(templates.tried(obj.subject), templates.tried(obj.body))
        return format_html("<strong>{}</strong><pre>{}</pre>", said.subject, said.body)


class ReplyTemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_body(self) -> str:
        body = str(self.cleaned_data["body"])
        try:
            templates.check(body)
        except templates.BadTemplate as error:
            raise forms.ValidationError(str(error)) from error
        return body


@admin.register(ReplyTemplate)
class ReplyTemplateAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ReplyTemplateForm
    list_display = ["name", "body"]
    search_fields = ["name", "body"]


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
    list_display = ["at", "version", "what", "user", "why"]
    list_select_related = ["version__workflow", "user"]

    @admin.display(description=gettext_lazy("action"), ordering="verb")
    def what(self, obj: PolicyRecord) -> str:
        return obj.what
