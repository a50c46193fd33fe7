"""The admin of calendars, contracts and their targets: final once published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from hub.admin import form_fields
from hub.admin.bases import Final
from hub.admin.week import coming_week
from hub.core.clock import now
from hub.domain import policies
from hub.models import Calendar, Contract, Priority, Publication, Target
from hub.sla.calendars import WEEKDAYS, BadCalendar, load_zone
from hub.translation import localized

PAUSES = (
    ("waiting_requester", _lazy("waiting for the requester, after a question the requester can see")),
    ("waiting_us", _lazy("waiting for us")),
    ("waiting_other", _lazy("waiting for another organisation")),
    ("waiting_own", _lazy("waiting for its own internal work, such as parts on order")),
    ("contested", _lazy("in joint triage")),
)


class Versioned(Final):
    """Policy in versions: its pages publish a draft, create a new one, and log who did so."""

    change_form_template = "admin/hub/versioned.html"
    actions = ["publish", "new_version"]
    what_follows: Any = ""
    """A message about the next step, shown after publishing."""
    publish_verb: Callable[[Any], Any]
    copy_verb: Callable[[Any], Any]

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_draft"
        view = self.admin_site.admin_view(self.draft_view)
        return [path("<int:pk>/draft/", view, name=name), *super().get_urls()]

    def draft_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_add_permission(request):
            raise PermissionDenied
        draft = self._begun(request, get_object_or_404(self.model, pk=pk))
        return HttpResponseRedirect(
            reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[draft.pk])
        )

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._published(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._published(request, obj) or super().response_change(request, obj)

    def _published(self, request: HttpRequest, obj: Any) -> HttpResponse | None:
        if "_publish" not in request.POST:
            return None
        self._publish(request, obj)
        return self._page_of(obj)

    def _page_of(self, row: Any) -> HttpResponse:
        where = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(where, args=[row.pk]))

    def _publish(self, request: HttpRequest, row: Any) -> None:
        if not self.has_change_permission(request):
            self.message_user(
                request, _("You are not allowed to publish this version. It remains a draft."), messages.ERROR
            )
            return
        try:
            result = type(self).publish_verb(row)
        except policies.NotPublishable as refused:
            self.message_user(request, str(refused), messages.ERROR)
        else:
            self.log_change(request, result, _("Published."))
            self.message_user(request, _("%s has been published.") % result)
            if self.what_follows:
                self.message_user(request, self.what_follows)
            if warning := self.warning(result):
                self.message_user(request, warning, messages.WARNING)

    def warning(self, published: Any) -> str:
        """What somebody who has published this should know; empty if nothing."""
        return ""

    def _begun(self, request: HttpRequest, row: Any) -> Any:
        draft = type(self).copy_verb(row)
        self.log_addition(request, draft, _("Copied from %s.") % row)
        self.message_user(request, _("Draft %s has been created.") % draft)
        return draft

    @admin.action(description=_lazy("Publish"), permissions=["change"])
    def publish(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        for row in rows:
            self._publish(request, row)

    @admin.action(description=_lazy("Create new draft"), permissions=["add"])
    def new_version(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        for row in rows:
            self._begun(request, row)


class VersionForm(forms.ModelForm):  # type: ignore[type-arg]
    """Names are unique per version: a change under an existing name is a new version."""

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = self._meta.model._default_manager.filter(name=name).exclude(pk=self.instance.pk)
        if others.filter(version=self.instance.version).exists():
            raise forms.ValidationError(
                _("This name is already in use. Create a new version of it, or choose another name.")
            )
        return name


def _may_edit(page: Versioned, request: HttpRequest, obj: Any) -> bool:
    return page.has_add_permission(request) if obj is None else page.has_change_permission(request, obj)


class CalendarForm(VersionForm):
    weekly = form_fields.WeekField(
        label=_lazy("Working hours"),
        help_text=_lazy(
            "Such as 09:00-12:00, 13:00-17:00. 22:00-06:00 runs overnight, “24 h” is the whole day, empty means closed."
        ),
    )
    holidays = form_fields.DatesField(
        label=_lazy("Holidays"), required=False, help_text=_lazy("Dates closed all day, one per line: 2026-12-25")
    )
    exceptions = form_fields.ExceptionsField(
        label=_lazy("Exceptions"),
        required=False,
        help_text=_lazy("Dates with different hours, one per line: 2026-12-24 09:00-12:00, or 2026-12-31 closed"),
    )

    def clean_time_zone(self) -> str:
        try:
            return load_zone(self.cleaned_data["time_zone"]).key
        except BadCalendar as error:
            raise forms.ValidationError(localized(str(error))) from error

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        both = sorted(set(cleaned.get("holidays") or ()) & set(cleaned.get("exceptions") or ()))
        if both:
            self.add_error(
                "exceptions", _("Also listed as a holiday: %s. Keep only one of the two entries.") % ", ".join(both)
            )
        return cleaned

    class Meta:
        model = Calendar
        fields = ["name", "time_zone", "weekly", "holidays", "exceptions"]


@admin.register(Calendar)
class CalendarAdmin(Versioned):
    form = CalendarForm
    list_display = ["name", "version", "status", "time_zone", "hours"]
    list_filter = ["status"]
    search_fields = ["name"]
    readonly_fields = ["status", "version", "week"]
    what_follows = _lazy(
        "Contracts keep the calendar version they name. Create a new version of each contract that should use this one."
    )
    publish_verb = staticmethod(policies.publish_calendar)
    copy_verb = staticmethod(policies.new_calendar_version)

    def get_fields(self, request: HttpRequest, obj: Calendar | None = None) -> Any:
        if _may_edit(self, request, obj):
            return ["name", "status", "version", "time_zone", "weekly", "holidays", "exceptions", "week"]
        return ["name", "status", "version", "time_zone", "hours", "closed", "special", "week"]

    def get_readonly_fields(self, request: HttpRequest, obj: Calendar | None = None) -> list[str]:
        return [*self.readonly_fields, "hours", "closed", "special"]

    @admin.display(description=_lazy("working hours"))
    def hours(self, obj: Calendar) -> str:
        return _lines(
            f"{name} {form_fields.told_windows(obj.weekly[day])}"
            for day, name in zip(WEEKDAYS, form_fields.DAYS, strict=True)
            if obj.weekly.get(day)
        )

    @admin.display(description=_lazy("holidays"))
    def closed(self, obj: Calendar) -> str:
        return _lines(sorted(obj.holidays))

    @admin.display(description=_lazy("exceptions"))
    def special(self, obj: Calendar) -> str:
        rows = sorted(obj.exceptions.items())
        return _lines(f"{day} {form_fields.told_windows(windows) or _('closed')}" for day, windows in rows)

    @admin.display(description=_lazy("The coming week"))
    def week(self, obj: Calendar) -> str:
        return coming_week(obj, at=now()) if obj.pk else "–"


def _lines(rows: Any) -> str:
    return format_html_join("", "{}<br>", ((row,) for row in rows)) or "–"


class TargetForm(forms.ModelForm):  # type: ignore[type-arg]
    priority = forms.ChoiceField(label=_lazy("Priority"))
    goal_seconds = form_fields.GoalField(
        label=_lazy("Goal"),
        required=False,
        widget=forms.TextInput(attrs={"size": 14, "placeholder": "4 h"}),
        help_text=_lazy(
            "Working time, such as 15 min, 4 h or 1 h 30 min. If empty, the time is measured without a goal."
        ),
    )

    class Meta:
        model = Target
        fields = ["kind", "priority", "goal_seconds", "calendar"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        values = [*Priority.choices]
        if self.instance.priority and self.instance.priority not in Priority.values:
            values.append((self.instance.priority, self.instance.priority))
        field = self.fields["priority"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = values


class TargetInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Target
    form = TargetForm
    extra = 0
    autocomplete_fields = ["calendar"]
    readonly_fields = ["goal"]

    def get_fields(self, request: HttpRequest, obj: Contract | None = None) -> Any:
        is_draft = obj is None or obj.status == Publication.DRAFT
        may_edit = is_draft and (self.has_change_permission(request, obj) or self.has_add_permission(request, obj))
        return ["kind", "priority", "goal_seconds" if may_edit else "goal", "calendar"]

    @admin.display(description=_lazy("goal (working time)"))
    def goal(self, obj: Target) -> str:
        return form_fields.told_goal(obj.goal_seconds) or "–"


class ContractForm(VersionForm):
    pause_reasons = forms.MultipleChoiceField(
        label=_lazy("Pauses while"),
        choices=PAUSES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        initial=["waiting_requester"],
        help_text=_lazy("Usually an SLA pauses only in the first case, a UC in the first two."),
    )

    class Meta:
        model = Contract
        fields = [
            "name",
            "kind",
            "organisation",
            "service",
            "calendar",
            "pause_reasons",
            "on_reopen",
            "on_return",
            "on_change",
            "starts_on",
            "may_resolve",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("pause_reasons")
        unknown = [reason for reason in self.instance.pause_reasons or () if reason not in dict(PAUSES)]
        if isinstance(field, forms.MultipleChoiceField) and unknown:
            field.choices = [*PAUSES, *((reason, reason) for reason in unknown)]

    def clean_organisation(self) -> Any:
        organisation = self.cleaned_data["organisation"]
        if organisation is None and not self.instance.history_policy:
            raise forms.ValidationError(_("Choose the organisation that makes the promise."))
        return organisation


@admin.register(Contract)
class ContractAdmin(Versioned):
    form = ContractForm
    list_display = ["name", "version", "status", "kind", "organisation", "service", "calendar"]
    list_filter = ["status", "kind"]
    list_select_related = ["organisation", "service", "calendar"]
    search_fields = ["name"]
    autocomplete_fields = ["organisation", "service", "calendar"]
    readonly_fields = ["status", "version", "pauses", "week"]
    inlines = [TargetInline]
    publish_verb = staticmethod(policies.publish_contract)
    copy_verb = staticmethod(policies.new_contract_version)
    actions = ["publish", "new_version", "retire"]

    def warning(self, published: Any) -> str:
        missing = policies.priorities_without_goal(published)
        if not missing:
            return ""
        return _("Without a goal in this contract: %(priorities)s. Tickets with such a priority never breach it.") % {
            "priorities": ", ".join(missing)
        }

    @admin.action(description=_lazy("Retire (no new clocks start)"), permissions=["add"])
    def retire(self, request: HttpRequest, rows: QuerySet[Contract]) -> None:
        for row in rows:
            try:
                self.log_change(request, policies.retire_contract(row), _("Retired."))
            except policies.NotPublishable as refused:
                self.message_user(request, str(refused), messages.ERROR)
            else:
                self.message_user(request, _("%s has been retired.") % row)

    def get_fields(self, request: HttpRequest, obj: Contract | None = None) -> Any:
        pauses = "pause_reasons" if _may_edit(self, request, obj) else "pauses"
        return [
            "name",
            "status",
            "version",
            "kind",
            "organisation",
            "service",
            "calendar",
            "week",
            pauses,
            "on_reopen",
            "on_return",
            "on_change",
            "starts_on",
            "may_resolve",
        ]

    @admin.display(description=_lazy("pauses while"))
    def pauses(self, obj: Contract) -> str:
        told = dict(PAUSES)
        return _lines(told.get(reason, reason) for reason in obj.pause_reasons)

    @admin.display(description=_lazy("The coming week"))
    def week(self, obj: Contract) -> str:
        return coming_week(obj.calendar, at=now()) if obj.calendar_id else "–"
