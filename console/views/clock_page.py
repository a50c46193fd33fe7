"""One clock explained line by line."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.access import person
from console.rows.clock_steps import calendars_of, step_rows
from hub.core.clock import now
from hub.domain.clock_explanation import explain
from hub.models import Clock
from hub.queries import permissions
from hub.queries import tickets as questions
from hub.queries.timeline import lines


@require_safe
@login_required
def clock_page(request: HttpRequest, public_id: str, clock_id: int) -> HttpResponse:
    """What the clock counted and left out, why, and how its due time follows."""
    user, at = person(request), now()
    ticket = permissions.get_ticket_for(user, public_id)
    if not permissions.sees_everything(user):
        raise PermissionDenied
    rows = Clock.objects.filter(ticket=ticket).select_related(
        "contract__calendar", "contract__service", "calendar", "party"
    )
    clock = rows.filter(pk=clock_id).first()
    if clock is None:
        raise Http404
    explanation = explain(clock, at=at)
    shown = {
        "ticket": ticket,
        "clock": clock,
        "badge": questions.badge(clock, at=at),
        "explanation": explanation,
        "steps": step_rows(explanation, lines(user, ticket)) if explanation else [],
        "calendars": calendars_of(explanation) if explanation else [],
        "others": rows.filter(is_current=True).exclude(pk=clock.pk).order_by("contract__kind", "party__name", "target"),
        "at": at,
        "page": "tickets",
    }
    return render(request, "console/clock.html", shown)
