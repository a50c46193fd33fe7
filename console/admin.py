"""Failed log-ins in the admin, with actions that unlock accounts and addresses."""

from __future__ import annotations

from axes.admin import AccessAttemptAdmin
from axes.models import AccessAttempt
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console import lockout

admin.site.unregister(AccessAttempt)


@admin.register(AccessAttempt)
class FailedLogInAdmin(AccessAttemptAdmin):
    """One row per account, address and browser. All rows of an account or an address are unlocked together."""

    list_display = ["attempt_time", "username", "ip_address", "failures_since_start", "user_agent"]
    list_filter = ["attempt_time"]
    actions = ["unlock_accounts", "unlock_addresses"]

    def has_change_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        return False

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("hub.change_user")

    @admin.action(description=_("Unlock these accounts"), permissions=["unlock"])
    def unlock_accounts(self, request: HttpRequest, queryset: QuerySet[AccessAttempt]) -> None:
        emails = sorted({row.username for row in queryset if row.username})
        self._unlocked(request, queryset, lockout.unlock(emails=emails, by=str(request.user)), ", ".join(emails))

    @admin.action(description=_("Unlock these addresses"), permissions=["unlock"])
    def unlock_addresses(self, request: HttpRequest, queryset: QuerySet[AccessAttempt]) -> None:
        found = sorted({row.ip_address for row in queryset if row.ip_address})
        self._unlocked(request, queryset, lockout.unlock(addresses=found, by=str(request.user)), ", ".join(found))

    def _unlocked(self, request: HttpRequest, queryset: QuerySet[AccessAttempt], count: int, what: str) -> None:
        messages.success(request, _("Unlocked: %(names)s. They can log in again now.") % {"names": what})
