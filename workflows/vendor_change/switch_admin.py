"""The admin of vendor changes: plan, preview, confirm, follow and cancel them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from hub.core.clock import now
from hub.models import HistoryShare
from workflows.models import VendorSwitch
from workflows.vendor_change import switch as vendor_switch


class SwitchForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = VendorSwitch
        fields = ["leaves", "comes", "services", "effective_at", "reason", "archives", "shares_history"]
        widgets = {"services": forms.CheckboxSelectMultiple}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        leaves, comes = cleaned.get("leaves"), cleaned.get("comes")
        if leaves is not None and leaves == comes:
            self.add_error("comes", _("Choose a vendor other than the leaving one."))
        if comes is not None and comes.archived_at is not None:
            self.add_error("comes", _("%(vendor)s is archived and takes no tickets.") % {"vendor": comes})
        if cleaned.get("archives") and cleaned.get("services"):
            self.add_error(
                "archives",
                _("A vendor that keeps other services cannot be archived; do it with the change of the last ones."),
            )
        return cleaned


@admin.register(VendorSwitch)
class VendorSwitchAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = SwitchForm
    list_display = ["leaves", "comes", "effective_at", "state", "follow_link"]
    list_select_related = ["leaves", "comes"]
    list_filter = ["state"]

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.follow)
        return [path("<int:pk>/follow/", page, name="workflows_switch"), *super().get_urls()]

    def has_change_permission(self, request: HttpRequest, obj: VendorSwitch | None = None) -> bool:
        is_planned = obj is None or obj.state == VendorSwitch.State.PLANNED
        return is_planned and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: VendorSwitch | None = None) -> bool:
        return False  # a vendor change is cancelled, not deleted

    def save_model(self, request: HttpRequest, obj: VendorSwitch, form: Any, change: bool) -> None:
        obj.made_by = obj.made_by or request.user  # type: ignore[assignment]
        obj.confirmed_at = None  # a changed plan is confirmed again
        if change:  # it may be cancelled, or start, while the form is open
            names = {field.name for field in obj._meta.fields} & set(form.fields)
            obj.save(update_fields=[*sorted(names), "confirmed_at"])
        else:
            super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: VendorSwitch, post_url_continue: str | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:workflows_switch", args=[obj.pk]))

    @admin.display(description=gettext_lazy("engagements to transfer"))
    def follow_link(self, obj: VendorSwitch) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:workflows_switch", args=[obj.pk]), _("Details"))

    def follow(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page of one vendor change: preview with hand-off packs, progress, and what failed and why."""
        if not request.user.has_perm("workflows.change_vendorswitch"):
            raise PermissionDenied
        switch = get_object_or_404(VendorSwitch.objects.select_related("leaves", "comes", "made_by"), pk=pk)
        asks = request.method == "POST" and request.POST.get("do") == "call_off" and "sure" not in request.POST
        if request.method == "POST" and not asks:
            self._act(request, switch)
            return redirect("admin:workflows_switch", pk)
        is_planned = switch.state == VendorSwitch.State.PLANNED
        progress = vendor_switch.progress(switch)
        shown = {
            **self.admin_site.each_context(request),
            "title": str(switch),
            "opts": VendorSwitch._meta,
            "switch": switch,
            "asks": asks,
            "preview": vendor_switch.preview(switch) if is_planned else [],
            "count": vendor_switch.open_legs(switch).count(),
            "progress": progress,
            "past": vendor_switch.past(switch).count() if switch.shares_history else 0,
            "shared": HistoryShare.objects.filter(organisation=switch.comes, ended_at=None).count(),
            "is_moving": switch.state == "running" and progress.done + progress.failed < progress.total,
            "items": switch.items.select_related("leg__ticket", "successor").order_by("pk")[:500],
        }
        answer = render(request, "admin/workflows/switch.html", shown)
        if shown["is_moving"]:
            answer["Refresh"] = "2"  # the bar moves without scripts
        return answer

    def _act(self, request: HttpRequest, switch: VendorSwitch) -> None:
        if request.POST.get("do") == "again":
            count = vendor_switch.again(switch)
            text = ngettext("Retrying %(count)d engagement.", "Retrying %(count)d engagements.", count)
            messages.success(request, text % {"count": count})
        elif request.POST.get("do") in ("now", "confirm") and switch.state == VendorSwitch.State.PLANNED:
            is_now = request.POST["do"] == "now"
            vendor_switch.confirm(switch, at=now(), at_once=is_now)
            self.log_change(request, switch, _("Confirmed."))
            messages.success(
                request, _("Confirmed. It starts now.") if is_now else _("Confirmed. It starts at the planned time.")
            )
        elif request.POST.get("do") == "call_off" and "sure" in request.POST:
            try:
                vendor_switch.call_off(switch, at=now())
            except vendor_switch.NotSwitched as refused:
                messages.error(request, str(refused))
            else:
                messages.success(request, _("Cancelled. Transferred engagements stay with the new vendor."))
