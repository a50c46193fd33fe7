"""The permission table as a page."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.access import person
from console.permission_table import OURS, TABLE, Who
from hub.queries import permissions
from hub.queries.roles import role_labels

GROUPS: dict[Who, str | Promise] = {
    Who.EVERYONE: _("Everyone, also without logging in"),
    Who.USERS: _("Everybody who is logged in, for themselves and for what they may see"),
    Who.PARTICIPANTS: _("Whoever may see the ticket: our organisation, organisations engaged on it, its requester"),
    Who.READERS: _("Roles that read everything"),
    Who.WORKERS: _("Roles that work on tickets"),
    Who.ACKNOWLEDGERS: _("Roles that acknowledge escalations"),
    Who.MAPPERS: _("Users who may change mappings in the admin"),
}


@dataclass(frozen=True, kw_only=True)
class Group:
    label: str | Promise
    roles: str
    """The names of our roles that belong to it; empty if it does not depend on them."""
    paths: list[str]
    """The addresses of its pages and actions."""


@require_safe
@login_required
def permission_page(request: HttpRequest) -> HttpResponse:
    """Which role may open which page and use which action."""
    if not permissions.sees_everything(person(request)):
        raise PermissionDenied
    groups = [
        Group(label=label, roles=role_labels(OURS.get(who, ())), paths=sorted(_paths_of(who)))
        for who, label in GROUPS.items()
    ]
    return render(request, "console/permissions.html", {"groups": groups, "page": "permissions"})


def _paths_of(who: Who) -> list[str]:
    resolvers = [each for each in get_resolver().url_patterns if isinstance(each, URLResolver)]
    [console] = [each for each in resolvers if each.namespace == "console"]
    patterns = [each for each in console.url_patterns if isinstance(each, URLPattern)]
    return ["/" + str(each.pattern) for each in patterns if TABLE.get(str(each.name)) == who]
