"""The gallery of built-in profiles: changing a similar one is quicker than writing one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from connectors.engine import profiles
from connectors.models import Profile


@dataclass(frozen=True)
class Shipped:
    """One built-in profile."""

    connector: str
    slug: str
    name: str
    about: str
    documentation: str


def urls() -> list[Any]:
    return [
        path("gallery/", admin.site.admin_view(gallery), name="connectors_profile_gallery"),
        path("gallery/<slug:connector>/<slug:slug>/", admin.site.admin_view(start), name="connectors_profile_start"),
    ]


def _may(request: HttpRequest) -> None:
    if not request.user.has_perm("connectors.add_profile"):
        raise PermissionDenied


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """All built-in profiles, each with its scope."""
    _may(request)
    found = [
        _told(connector, slug, document)
        for connector, kind in profiles.kinds().items()
        for slug, document in kind.shipped_profiles().items()
    ]
    context = {
        **admin.site.each_context(request),
        "title": _("Start from a built-in profile"),
        "opts": Profile._meta,
        "shipped": sorted(found, key=lambda each: each.name.lower()),
    }
    return render(request, "admin/connectors/profile/gallery.html", context)


@require_POST
def start(request: HttpRequest, connector: str, slug: str) -> HttpResponse:
    """Create a draft that is a copy of a built-in profile, under a new short name."""
    _may(request)
    kind = profiles.kinds().get(connector)
    document = kind.shipped_profiles().get(slug) if kind is not None else None
    if document is None:
        raise Http404
    taken = set(Profile.objects.filter(connector=connector).values_list("slug", flat=True))
    own = next(
        name for name in (f"{slug}_{n}" if n > 1 else f"{slug}_own" for n in range(1, 1000)) if name not in taken
    )
    made = profiles.take_in(_renamed(document, own), connector=connector)
    messages.success(request, _("Draft created. Change what is different, then test it in the workbench."))
    return redirect("admin:connectors_profile_form", made.pk)


def _renamed(document: str, slug: str) -> str:
    """The document with another short name, and with “(own)” after its name."""
    document = re.sub(r'(?m)^slug = ".*"$', f'slug = "{slug}"', document, count=1)
    return re.sub(r'(?m)^name = "(.*)"$', r'name = "\1 (own)"', document, count=1)


def _told(connector: str, slug: str, document: str) -> Shipped:
    lines = dict(re.findall(r'(?m)^(name|about|documentation) = "(.*)"$', document.partition("[[settings]]")[0]))
    return Shipped(connector, slug, lines.get("name", slug), lines.get("about", ""), lines.get("documentation", ""))
