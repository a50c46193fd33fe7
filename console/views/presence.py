"""Who else has the ticket open: asked by open pages, which say at the same time that their reader is there."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import salted_hmac
from django.views.decorators.http import require_safe

from console.access import person
from hub.queries import permissions
from workflows.lifecycle import presence as presences


@require_safe
@login_required
def presence(request: HttpRequest, public_id: str) -> HttpResponse:
    """The names of others of us on this ticket. Only for readers who see everything: nobody else is told or named.

    A read by its method, although it notes that the reader is there: a page that asks must not keep a session alive.
    """
    user = person(request)
    if not permissions.sees_everything(user):
        raise PermissionDenied
    ticket = permissions.get_ticket_for(user, public_id)
    presences.seen(ticket=ticket, user=user, is_writing=bool(request.GET.get("writing")))
    others = presences.others(ticket=ticket, user=user)
    shown = salted_hmac("console.presence", repr(others)).hexdigest()[:16]
    if request.GET.get("shown") == shown:
        return HttpResponse(status=204)  # so that nothing is read out again
    return render(request, "console/_others.html", {"others": others, "shown": shown})
