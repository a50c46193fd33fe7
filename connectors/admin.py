"""Connections and mappings, which an admin edits, and the inbox and outbox, which an admin can only view."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from connectors.engine import hooks, registry, vault
from connectors.engine.inbound import parked, polling
from connectors.engine.operations import publishing
from connectors.engine.outbound import parked_items
from connectors.kit.contract import Connector, ProfileConnector
from connectors.kit.errors import ConnectorError, Refused
from connectors.models import (
    Attempt,
    Connection,
    Difference,
    FieldRule,
    Inbound,
    Link,
    Mapping,
    NoteRule,
    Outbound,
    StatusRule,
    ValueRule,
)
from connectors.wizard import profile_admin
from connectors.wizard import views as wizard
from connectors.wizard.forms.settings import enter_again, help_of
from hub.admin.bases import Final, LookOnly
from hub.translation import localized

__all__ = ["profile_admin"]


def _without_profiles() -> dict[str, type[Connector]]:
    kinds = registry.connectors_by_slug().items()
    return {slug: kind for slug, kind in kinds if not issubclass(kind, ProfileConnector)}


class ConnectionForm(forms.ModelForm):  # type: ignore[type-arg]
    """A connection with the settings of its connector. It can be activated only after a successful check."""

    class Meta:
        model = Connection
        fields = ["name", "organisation", "connector", "state", "intake", "service", "sensitive_data", "poll_seconds"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = _without_profiles()
        self.fields["connector"] = forms.ChoiceField(
            label=_("Connector"), choices=[(kind.slug, kind.label) for kind in kinds.values()]
        )
        self.initial_cursor = self.instance.cursor
        chosen = self.data.get("connector") or self.instance.connector or next(iter(kinds))
        self.kind: type[Connector] = kinds.get(chosen, next(iter(kinds.values())))
        if self.instance.profile_id:
            # The connector cannot be changed: the profile defines the settings.
            self.fields["connector"] = forms.ChoiceField(
                label=_("Connector"), choices=[(self.instance.connector, str(self.instance.profile))]
            )
            self.kind = registry.kind_of(self.instance)
        for setting in self.kind.settings:
            kept = bool(self.instance.pk and setting.is_secret and self.instance.sealed)
            self.fields[f"setting_{setting.name}"] = forms.CharField(
                label=localized(setting.label),
                help_text=help_of(setting, is_kept=kept),
                required=setting.is_required and not kept,
                initial="" if setting.is_secret else self.instance.settings.get(setting.name, setting.default),
                widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
                if setting.is_secret
                else forms.TextInput(attrs={"class": "vTextField"}),
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        connection = self.instance
        is_other = connection.connector != cleaned["connector"]  # never send credentials to another system
        kept = vault.unseal(connection) if connection.sealed and not is_other else {}
        secrets, plain, moved = dict(kept), dict[str, str](), list[str]()
        for setting in self.kind.settings:
            value = cleaned.get(f"setting_{setting.name}", "").strip()
            if setting.is_secret:
                secrets |= {setting.name: value} if value else {}
                continue
            plain[setting.name] = value
            if setting.is_address and value != str(connection.settings.get(setting.name, setting.default)):
                moved.append(localized(setting.label))
        for setting in self.kind.settings:
            if moved and setting.name in kept and not cleaned.get(f"setting_{setting.name}"):
                self.add_error(f"setting_{setting.name}", enter_again(moved))
        if self.errors:
            return cleaned
        connection.connector = cleaned["connector"]
        connection.settings, connection.memory = plain, {}
        vault.seal(connection, secrets)
        if cleaned["state"] == Connection.State.ACTIVE:
            self._check(connection)
        return cleaned

    def _check(self, connection: Connection) -> None:
        """Check the settings with real calls; an error is shown at the setting that is wrong."""
        try:
            with registry.ready(connection) as connector:
                connection.own_user = connector.check().own_user
                if not connection.cursor and connection.purpose == Connection.Purpose.TICKETS:
                    connection.cursor = polling.beginning(connector)
        except Refused as error:
            self.add_error(f"setting_{error.field}" if error.field else None, localized(str(error)))
        except ConnectorError as error:
            self.add_error(None, gettext("The check failed: %(error)s") % {"error": localized(str(error))})


@admin.register(Connection)
class ConnectionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ConnectionForm
    list_display = ["name", "organisation", "connector", "state", "last_in_at", "last_out_at", "last_error"]
    list_select_related = ["organisation"]
    search_fields = ["name"]
    autocomplete_fields = ["organisation", "service"]
    actions = ["resume", "register_hook"]

    def get_urls(self) -> list[Any]:
        return [*wizard.urls(), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        if not change:
            obj.save()
            return
        # Workers write the other columns while somebody fills in the form.
        begun = ["cursor"] if obj.cursor and not form.initial_cursor else []
        obj.save(update_fields=[*ConnectionForm.Meta.fields, "settings", "sealed", "memory", "own_user", *begun])

    def get_fieldsets(self, request: HttpRequest, obj: Connection | None = None) -> Any:
        settings = [f"setting_{s.name}" for s in self._kind(request, obj).settings]
        return [
            (None, {"fields": ConnectionForm.Meta.fields}),
            (
                _("Settings"),
                {"fields": settings, "description": _("The connection can be active only after a successful check.")},
            ),
        ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        # The settings are fields of the form, not of the model.
        kwargs["fields"] = ConnectionForm.Meta.fields
        return super().get_form(request, obj, change, **kwargs)

    def _kind(self, request: HttpRequest, obj: Connection | None) -> type[Connector]:
        if obj is not None and obj.profile_id:
            return registry.kind_of(obj)
        kinds = _without_profiles()
        chosen = request.POST.get("connector") or (obj.connector if obj else "")
        return kinds.get(chosen, next(iter(kinds.values())))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description=_("Register a webhook in the vendor's system"))
    def register_hook(self, request: HttpRequest, rows: QuerySet[Connection]) -> None:
        for connection in rows:
            try:
                hooks.register(connection, hub_url=settings.PUBLIC_URL)
            except ConnectorError as error:
                said = gettext("%(connection)s: %(error)s")
                values = {"connection": connection, "error": localized(str(error))}
                self.message_user(request, said % values, messages.ERROR)
            else:
                said = gettext("%(connection)s sends webhooks to %(url)s.")
                self.message_user(request, said % {"connection": connection, "url": settings.PUBLIC_URL})

    @admin.action(description=_("Resume after a pause or lock-out"))
    def resume(self, request: HttpRequest, rows: QuerySet[Connection]) -> None:
        for connection in rows:
            publishing.resume(connection)
        count = rows.count()
        said = ngettext("%(count)d connection was resumed.", "%(count)d connections were resumed.", count)
        self.message_user(request, said % {"count": count})


class FieldRuleInline(admin.TabularInline):  # type: ignore[type-arg]
    model = FieldRule
    extra = 0


class ValueRuleInline(admin.TabularInline):  # type: ignore[type-arg]
    model = ValueRule
    extra = 0


class StatusRuleInline(admin.TabularInline):  # type: ignore[type-arg]
    model = StatusRule
    extra = 0


class NoteRuleInline(admin.TabularInline):  # type: ignore[type-arg]
    model = NoteRule
    extra = 0


@admin.register(Mapping)
class MappingAdmin(Final):
    list_display = ["connection", "version", "status"]
    list_select_related = ["connection"]
    list_filter = ["status", "connection"]
    readonly_fields = ["status", "version"]
    autocomplete_fields = ["connection"]
    inlines = [FieldRuleInline, ValueRuleInline, StatusRuleInline, NoteRuleInline]
    actions = ["publish", "new_version"]

    @admin.action(description=_("Publish"))
    def publish(self, request: HttpRequest, rows: QuerySet[Mapping]) -> None:
        for mapping in rows.select_related("connection"):
            try:
                published = publishing.publish_mapping(mapping)
                self.message_user(request, _("%(mapping)s is in force.") % {"mapping": published})
            except ValueError as refused:
                self.message_user(request, localized(str(refused)), messages.ERROR)

    @admin.action(description=_("Create new draft"))
    def new_version(self, request: HttpRequest, rows: QuerySet[Mapping]) -> None:
        for mapping in rows.select_related("connection"):
            draft = publishing.new_mapping_version(mapping)
            self.message_user(request, _("%(mapping)s is now a draft.") % {"mapping": draft})


@admin.register(Link)
class LinkAdmin(LookOnly):
    list_display = ["leg", "connection", "remote_key", "state", "heard_at", "is_dirty"]
    list_select_related = ["leg__ticket", "leg__organisation", "connection"]
    list_filter = ["state", "connection"]
    search_fields = ["remote_key", "reference"]


@admin.register(Outbound)
class OutboundAdmin(LookOnly):
    list_display = ["link", "lane", "kind", "state", "attempts", "queued_at", "done_at", "error"]
    list_select_related = ["link__leg__ticket", "link__leg__organisation"]
    list_filter = ["state", "lane", "kind"]
    actions = ["retry"]

    @admin.action(description=_("Try again"))
    def retry(self, request: HttpRequest, rows: QuerySet[Outbound]) -> None:
        for item in rows:
            parked_items.retry(item)


@admin.register(Inbound)
class InboundAdmin(LookOnly):
    list_display = ["connection", "kind", "remote_key", "state", "attempts", "received_at", "error"]
    list_select_related = ["connection"]
    list_filter = ["state", "kind", "connection"]
    actions = ["retry"]

    @admin.action(description=_("Try again"))
    def retry(self, request: HttpRequest, rows: QuerySet[Inbound]) -> None:
        for row in rows:
            parked.retry(row)


@admin.register(Attempt)
class AttemptAdmin(LookOnly):
    list_display = ["outbound", "outcome", "began_at", "ended_at", "said"]
    list_select_related = ["outbound__link__leg__ticket", "outbound__link__leg__organisation"]
    list_filter = ["outcome"]


@admin.register(Difference)
class DifferenceAdmin(LookOnly):
    list_display = ["link", "field", "value", "why", "heard_at", "resolved_at"]
    list_select_related = ["link__leg__ticket", "link__leg__organisation"]
