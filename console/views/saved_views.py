"""Saved views of the ticket list: opening, saving, sharing, pinning."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from console.access import person, reader_of
from hub.core.clock import now
from hub.domain import saved_views
from hub.models import SavedView, User, ViewPreference
from hub.queries import permissions
from hub.queries import saved_views as questions
from hub.queries.filters import Filters

KEPT = ("sort", "columns")
"""What a view keeps besides its filters."""


@require_safe
@login_required
def view(request: HttpRequest, public_id: str) -> HttpResponse:
    """The list of a view, in the order and with the columns that this person chose for it."""
    user = person(request)
    found = get_view_for(user, public_id)
    shown = {name: ",".join(values) for name, values in QueryDict(found.query).lists()}
    chosen = ViewPreference.objects.filter(view=found, user=user).first()
    if chosen is not None:
        shown |= {name: value for name in KEPT if (value := getattr(chosen, name))}
    return redirect(f"{reverse('console:tickets')}?{urlencode(shown | {'view': found.public_id}, safe=',')}")


@require_safe
@login_required
def pinned_views(request: HttpRequest) -> HttpResponse:
    """The pinned views with the number of their tickets, loaded after the page."""
    pinned = questions.counts(person(request), reader_of(request))
    return render(request, "console/_pinned_views.html", {"pinned": pinned, "here": request.GET.get("here", "")})


@require_POST
@login_required
def save(request: HttpRequest) -> HttpResponse:
    """Save the list as a new view, or one's own view as the list is now."""
    user, asked = person(request), request.POST
    fields = {
        "name": asked.get("name", ""),
        "query": asked.get("query", "")[:5000],
        "audience": asked.get("audience", SavedView.Audience.PERSONAL),
    }
    try:
        if asked.get("view"):
            found = saved_views.change_view(user=user, view=get_view_for(user, asked["view"]), **fields)
        else:
            found = saved_views.save_view(user=user, at=now(), **fields)
    except permissions.NotAllowed as error:
        raise PermissionDenied from error
    except saved_views.Refused as refused:
        messages.error(request, str(refused))
        return redirect(f"{reverse('console:tickets')}?{fields['query']}")
    messages.success(request, _("Saved “%(name)s”.") % {"name": found.name})
    return redirect("console:view", found.public_id)


@require_POST
@login_required
def change(request: HttpRequest, public_id: str) -> HttpResponse:
    """Pin, unpin or delete a view."""
    user = person(request)
    found = get_view_for(user, public_id)
    verb = request.POST.get("verb")
    try:
        if verb == "pin":
            saved_views.pin(user=user, view=found, at=now())
        elif verb == "unpin":
            saved_views.unpin(user=user, view=found)
        elif verb == "delete":
            saved_views.delete_view(user=user, view=found)
            messages.success(request, _("Deleted “%(name)s”.") % {"name": found.name})
            return redirect("console:tickets")
    except permissions.NotAllowed as error:
        raise PermissionDenied from error
    except saved_views.Refused as refused:
        messages.error(request, str(refused))
    return redirect("console:view", found.public_id)


def get_view_for(user: User, public_id: str) -> SavedView:
    """The view. Raises Http404 if it does not exist or this person may not see it."""
    found = questions.visible_views(user).filter(public_id=public_id).first()
    if found is None:
        raise Http404("The view does not exist, or you may not see it.")
    return found


def shown_view(request: HttpRequest, filters: Filters, kept: str) -> dict[str, Any]:
    """What the list shows of the view it was opened with, and remembers of the person's choices for that view."""
    user, asked = person(request), request.GET
    context: dict[str, Any] = {
        "views": questions.visible_views(user),
        "audiences": SavedView.Audience.choices if permissions.sees_everything(user) else [],
        "query_to_save": f"{filters.query}&{kept}" if kept else filters.query,
    }
    found = context["views"].filter(public_id=asked["view"]).first() if asked.get("view") else None
    if found is None:
        return context
    preference = ViewPreference.objects.filter(view=found, user=user).first()
    _remember(request, found, preference)
    return context | {
        "view": found,
        "is_mine": found.owner_id == user.pk,
        "is_pinned": preference is not None and preference.pinned_at is not None,
        "is_changed": questions.filters_of_view(found) != filters,
    }


def _remember(request: HttpRequest, found: SavedView, preference: ViewPreference | None) -> None:
    """Remember the order and columns in the URL, unless they are the view's own or the page only refreshes itself."""
    if request.headers.get("HX-Request"):
        return
    own = QueryDict(found.query)
    known = {name: getattr(preference, name, "") or own.get(name, "") for name in KEPT}
    chosen = known | {name: ",".join(request.GET.getlist(name)) for name in KEPT if name in request.GET}
    if chosen != known:
        saved_views.prefer(user=person(request), view=found, **chosen)
