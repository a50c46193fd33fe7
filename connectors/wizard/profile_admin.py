"""Profiles in the admin: edited as TOML, validated when saved, published in versions, exported unchanged."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connectors.engine import profiles
from connectors.models import Profile
from connectors.wizard import gallery, profile_form, workbench
from hub.models import Publication
from hub.translation import localized


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """The document; every error names its place in the document."""

    class Meta:
        model = Profile
        fields = ["document"]
        widgets = {"document": forms.Textarea(attrs={"rows": 40, "cols": 120, "spellcheck": "false"})}

    def clean_document(self) -> str:
        document = str(self.cleaned_data["document"]).replace("\r\n", "\n")
        try:
            self.kind = profiles.read(document, connector=self.instance.connector)
        except profiles.NotAProfile as error:
            raise forms.ValidationError(localized(str(error)).split("\n")) from error
        if self.instance.pk and self.kind.slug.partition(".")[2] != self.instance.slug:
            raise forms.ValidationError(
                _("slug: it must stay “%(slug)s”. Create another profile for another system.")
                % {"slug": self.instance.slug}
            )
        return document


@admin.register(Profile)
class ProfileAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ProfileForm
    list_display = ["name", "version", "status", "is_shipped", "form_link", "workbench", "export"]
    list_filter = ["status", "name"]
    search_fields = ["name", "slug"]
    readonly_fields = ["name", "version", "status", "is_shipped"]
    fields = ["name", "version", "status", "is_shipped", "document"]
    actions = ["publish", "new_version", "move_connections"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Profile]:
        return super().get_queryset(request).order_by("name", "-version")

    def get_urls(self) -> list[Any]:
        export = path(
            "<int:pk>/export/", self.admin_site.admin_view(self.export_view), name="connectors_profile_export"
        )
        return [export, *gallery.urls(), *workbench.urls(), *profile_form.urls(), *super().get_urls()]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        is_final = obj is not None and obj.status != Publication.DRAFT
        return [*self.readonly_fields, "document"] if is_final else list(self.readonly_fields)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Profile, form: Any, change: bool) -> None:
        if change:
            if obj.status == Publication.DRAFT:
                obj.name = form.kind.label
                obj.save()
            return
        made = profiles.take_in(form.cleaned_data["document"])
        obj.__dict__.update(made.__dict__)

    @admin.display(description=gettext_lazy("edit"))
    def form_link(self, obj: Profile) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:connectors_profile_form", args=[obj.pk]), _("Form"))

    @admin.display(description=gettext_lazy("test"))
    def workbench(self, obj: Profile) -> str:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:connectors_profile_workbench", args=[obj.pk]), _("Workbench")
        )

    @admin.display(description=gettext_lazy("export"))
    def export(self, obj: Profile) -> str:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:connectors_profile_export", args=[obj.pk]), _("Export")
        )

    def export_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        profile = get_object_or_404(Profile, pk=pk)
        answer = HttpResponse(profile.document, content_type="application/toml; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{profile.slug}-v{profile.version}.toml"'
        return answer

    @admin.action(description=gettext_lazy("Publish"))
    def publish(self, request: HttpRequest, rows: QuerySet[Profile]) -> None:
        for profile in rows:
            try:
                self.message_user(request, _("%s can now be used for connections.") % profiles.publish(profile))
            except ValueError as refused:
                self.message_user(request, localized(str(refused)), messages.ERROR)

    @admin.action(description=gettext_lazy("Create new draft"))
    def new_version(self, request: HttpRequest, rows: QuerySet[Profile]) -> None:
        for profile in rows:
            self.message_user(request, _("%s is now a draft.") % profiles.new_version(profile))

    @admin.action(description=gettext_lazy("Move all connections to this version"))
    def move_connections(self, request: HttpRequest, rows: QuerySet[Profile]) -> None:
        for profile in rows.filter(status=Publication.PUBLISHED):
            workbench.moved(request, profile)
