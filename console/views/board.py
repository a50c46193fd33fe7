"""The board, and the cursor that all pages poll."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from connectors.queries import sync_issues
from console import polling
from console.access import person, reader_of
from console.polling import live_cursor
from console.rows.next_minutes import next_minutes
from console.rows.risk import risk_rows
from hub.core.planned import planned
from hub.queries import board as questions
from hub.queries import business_risk, permissions


@require_safe
@login_required
@planned()
def board(request: HttpRequest) -> HttpResponse:
    """Breached clocks, the next ones, current holders, and sync issues."""
    user = person(request)
    reader, everything = reader_of(request), permissions.sees_everything(user)
    numbers = questions.board(permissions.visible_tickets(user), reader)
    context = {
        "board": numbers,
        "soon": next_minutes(numbers.next, at=reader.at) if everything else [],
        "first": risk_rows(business_risk.fix_first(reader)) if everything else [],
        "stuck": sync_issues.stuck(most=8)[:8] if everything else [],
        "at": reader.at,
        "page": "board",
        "cursor": live_cursor(user),
    }
    return render(request, "console/board.html", context)


@require_safe
@login_required
def live(request: HttpRequest) -> HttpResponse:
    """204 if nothing has changed; otherwise the new cursor and an event on which pages reload their parts.

    A page whose pass has ended gets another one (`console.polling`).
    """
    cursor = live_cursor(person(request))
    is_news = request.GET.get("cursor") != cursor
    if not is_news and ("pass" not in request.GET or polling.is_valid(request.GET["pass"])):
        return HttpResponse(status=204)
    response = render(request, "console/_live.html", {"cursor": cursor})
    if is_news:
        response["HX-Trigger"] = "changed"
    return response
