"""What the pages of the builder share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from hub.models import WorkflowVersion


def version_of(pk: int) -> WorkflowVersion:
    """The version of a page, or 404."""
    return get_object_or_404(WorkflowVersion.objects.select_related("workflow"), pk=pk)


def page(request: HttpRequest, name: str, version: WorkflowVersion | None, title: str, **more: Any) -> HttpResponse:
    """Render a page of the builder; `version` is None on the import page."""
    everything = {
        **admin.site.each_context(request),
        "is_nav_sidebar_enabled": False,
        "title": title,
        "version": version,
        "opts": WorkflowVersion._meta,
        "is_draft": version is not None and version.status == WorkflowVersion.Status.DRAFT,
        **more,
    }
    return render(request, f"admin/workflows/{name}.html", everything)


def wrong(*parts: Any) -> list[Any]:
    """The fields with errors, of forms and of lists of guards or actions."""
    found: list[Any] = []
    for part in parts:
        for form in [block.form for block in part.kept] if hasattr(part, "kept") else [part]:
            found += [form[name] for name in form.errors if name in form.fields]
    return found


def url(name: str, version: WorkflowVersion, *more: Any) -> str:
    """The URL of a page of a version."""
    return reverse(f"admin:workflows_{name}", args=[version.pk, *more])


def only_a_draft(request: HttpRequest, version: WorkflowVersion) -> bool:
    """Whether the version can be edited; shows an error if it is published."""
    if version.status == WorkflowVersion.Status.DRAFT:
        return True
    messages.error(request, _("A published version cannot be changed. Create a draft of it."))
    return False
