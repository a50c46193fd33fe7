"""The admin of the record: what admins define, and history they can read."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from hub.admin import terms  # noqa: F401  registers calendars and contracts
from hub.admin.bases import LookOnly
from hub.core.clock import now
from hub.domain import accounts, history_sharing
from hub.models import (
    Asset,
    Event,
    FailedReceiver,
    HistoryImport,
    HistoryShare,
    Leg,
    Membership,
    Organisation,
    Person,
    Service,
    Site,
    Team,
    Ticket,
    UnmappedValue,
    User,
)
from hub.models.user import time_zone_of_us

admin.site.site_header = "Ticket Hub"
admin.site.site_title = "Ticket Hub"
admin.site.index_title = _("Configuration")
admin.site.unregister(Group)


MOST_LINKS = 20


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ["organisation"]


class UserCreationForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email", "name")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    add_form = UserCreationForm
    list_display = ["email", "name", "is_staff", "is_active", "last_login"]
    search_fields = ["email", "name"]
    ordering = ["email"]
    filter_horizontal = ["user_permissions"]
    autocomplete_fields = ["substitute"]
    list_filter = ["is_staff", "is_active", "memberships__role"]
    inlines = [MembershipInline]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "email",
                    "password",
                    "name",
                    "time_zone",
                    "language",
                    "absent_from",
                    "absent_until",
                    "substitute",
                ]
            },
        ),
        (_("Rights"), {"fields": ["is_active", "is_staff", "is_superuser", "user_permissions"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]
    actions = ["make_password_link", "end_sessions"]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.time_zone = time_zone_of_us()
            super().save_model(request, obj, form, change)
            return
        # Save only what was changed in the form: sessions may end, or the password may change, while it is open.
        obj.save(update_fields=[name for name in form.changed_data if name in {f.name for f in obj._meta.fields}])
        if "is_active" in form.changed_data and not obj.is_active:
            accounts.end_sessions(obj)

    @admin.action(description=_("Create a one-time password link"), permissions=["change"])
    def make_password_link(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Show a link for a new password: for installations without e-mail, where the admin passes it on."""
        for user in queryset.filter(is_active=True)[:MOST_LINKS]:
            if user.is_superuser and not request.user.is_superuser:
                messages.error(request, _("Only a superuser can create a link for %s.") % user)
                continue
            self.log_change(request, user, _("Created a one-time password link."))
            where = f"{settings.PUBLIC_URL}{accounts.reset_path(user)}"
            messages.success(
                request,
                _("One-time password link for %(user)s, valid for 24 hours: %(where)s")
                % {"user": user, "where": where},
            )

    @admin.action(description=_("Log out on all devices"), permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            accounts.end_sessions(user)
            self.log_change(request, user, _("Ended all sessions."))
        messages.success(request, _("The selected users have to log in again on every device."))


class TeamInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Team
    autocomplete_fields = ("members",)
    extra = 0


@admin.register(Organisation)
class OrganisationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "kind", "time_zone", "calendar", "archived_at"]
    list_filter = ["kind"]
    list_select_related = ["calendar"]
    search_fields = ["name"]
    autocomplete_fields = ["calendar"]
    inlines = [TeamInline]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Person)
class PersonAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "organisation", "job", "site", "is_vip"]
    list_select_related = ["organisation", "site"]
    search_fields = ["name", "email"]
    autocomplete_fields = ["organisation", "site", "user"]


@admin.register(Site)
class SiteAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "organisation", "time_zone"]
    list_select_related = ["organisation"]
    search_fields = ["name"]
    autocomplete_fields = ["organisation"]


@admin.register(Service)
class ServiceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "tier", "outage_cost", "workflow", "strategy", "business_owner", "note_audience"]
    list_select_related = ["business_owner", "workflow"]
    search_fields = ["name"]
    autocomplete_fields = ["business_owner", "depends_on"]


@admin.register(Asset)
class AssetAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["tag", "name", "owner", "service", "site"]
    list_select_related = ["owner", "service", "site"]
    search_fields = ["tag", "name"]
    autocomplete_fields = ["owner", "service", "site", "organisation"]


@admin.register(Ticket)
class TicketAdmin(LookOnly):
    list_display = ["ticket_label", "title", "priority", "phase", "status", "holder", "changed_at"]
    list_filter = ["phase", "priority", "kind"]
    list_select_related = ["status", "holder"]
    search_fields = ["=number", "title", "source_number"]
    show_full_result_count = False

    @admin.display(description=_("number"))
    def ticket_label(self, obj: Ticket) -> str:
        return obj.label


@admin.register(Leg)
class LegAdmin(LookOnly):
    list_display = ["ticket", "number", "organisation", "stage", "is_lead", "remote_number", "remote_status"]
    list_filter = ["stage", "organisation"]
    list_select_related = ["ticket", "organisation"]
    search_fields = ["=ticket__number", "remote_number"]
    show_full_result_count = False


@admin.register(Event)
class EventAdmin(LookOnly):
    list_display = ["ticket", "seq", "kind", "actor_name", "occurred_at", "recorded_at"]
    list_filter = ["kind"]
    list_select_related = ["ticket"]
    search_fields = ["=ticket__number"]
    show_full_result_count = False


@admin.register(FailedReceiver)
class ReactionAdmin(LookOnly):
    list_display = ["receiver", "event", "attempts", "error", "failed_at", "done_at"]
    list_select_related = ["event"]


@admin.register(HistoryShare)
class HistoryShareAdmin(LookOnly):
    list_display = ["ticket", "organisation", "why", "shared_by", "shared_at", "ended_at"]
    list_select_related = ["ticket", "organisation", "shared_by"]
    list_filter = ["organisation", ("ended_at", admin.EmptyFieldListFilter)]
    search_fields = ["ticket__title", "ticket__source_number"]
    actions = ["end"]

    @admin.action(description=_("End sharing"), permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[HistoryShare]) -> None:
        count = history_sharing.end(queryset, at=now())
        messages.success(
            request, ngettext("Sharing of %(n)d ticket ended.", "Sharing of %(n)d tickets ended.", count) % {"n": count}
        )

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("hub.change_historyshare")


@admin.register(HistoryImport)
class HistoryImportAdmin(LookOnly):
    list_display = ["source", "format", "status", "tickets_done", "rows_done", "rows_rejected", "imported_at"]


@admin.register(UnmappedValue)
class UnmappedValueAdmin(LookOnly):
    list_display = ["field", "value", "count", "source", "last_seen_at", "resolved_at"]
    search_fields = ["value", "field"]
