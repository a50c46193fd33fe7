"""The board, and the cursor that all pages poll."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import salted_hmac
from django.views.decorators.http import require_safe

from connectors.queries import deliveries, sync_issues
from console.access import person, reader_of
from console.rows.risk import risk_rows
from hub.models import Event, User
from hub.queries import board as questions
from hub.queries import business_risk, permissions


@require_safe
@login_required
def board(request: HttpRequest) -> HttpResponse:
    """Breached clocks, the next ones, current holders, and sync issues."""
    user = person(request)
    reader, everything = reader_of(request), permissions.sees_everything(user)
    context = {
        "board": questions.board(permissions.visible_tickets(user), reader),
        "first": risk_rows(business_risk.fix_first(permissions.visible_tickets(user), reader)) if everything else [],
        "stuck": sync_issues.stuck(most=8)[:8] if everything else [],
        "at": reader.at,
        "page": "board",
        "cursor": live_cursor(user),
    }
    return render(request, "console/board.html", context)


@require_safe
@login_required
def live(request: HttpRequest) -> HttpResponse:
    """204 if nothing has changed; otherwise the new cursor and an event on which pages reload their parts."""
    cursor = live_cursor(person(request))
    if request.GET.get("cursor") == cursor:
        return HttpResponse(status=204)
    response = render(request, "console/_live.html", {"cursor": cursor})
    response["HX-Trigger"] = "changed"
    return response


def live_cursor(user: User) -> str:
    """A short text that changes whenever a page would look different for this user.

    For users who do not see everything, it reveals only that one of their own tickets has changed.
    """
    if permissions.sees_everything(user):
        return f"{Event.objects.aggregate(newest=Max('pk'))['newest'] or 0}.{deliveries.cursor()}"
    own = Event.objects.filter(ticket__in=permissions.visible_tickets(user).values("pk"))
    newest = own.aggregate(newest=Max("pk"))["newest"] or 0
    return salted_hmac("console.live", f"{user.pk}.{newest}").hexdigest()[:16]
