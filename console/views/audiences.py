"""What each organisation and the requester can see of a ticket."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.access import person
from console.rows import audiences as rows
from hub.queries import permissions


@require_safe
@login_required
def audiences(request: HttpRequest, public_id: str) -> HttpResponse:
    """The hand-off pack and the messages of each reader, exactly as that reader has them."""
    user = person(request)
    ticket = permissions.get_ticket_for(user, public_id)
    if not permissions.sees_everything(user):
        raise PermissionDenied
    shown = {"ticket": ticket, "audiences": rows.audiences(ticket), "page": "tickets"}
    return render(request, "console/audiences.html", shown)
