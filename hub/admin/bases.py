"""Base classes for the admin of every app: read-only rows, and policy that is final once published."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from hub.models import Publication


class LookOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only: history and queues are changed by functions of the domain, not by forms."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Final(admin.ModelAdmin):  # type: ignore[type-arg]
    """Policy that can be edited as a draft and is final once published."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save only the form's fields of an existing row: somebody may publish it while the form is open."""
        if change:
            names = {field.name for field in obj._meta.fields} & {*form.fields, *getattr(form, "writes", ())}
            obj.save(update_fields=sorted(names - {"status"}))
        else:
            super().save_model(request, obj, form, change)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_draft = obj is None or obj.status == Publication.DRAFT
        return is_draft and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and obj.status == Publication.DRAFT and super().has_delete_permission(request, obj)
