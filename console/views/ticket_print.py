"""A ticket on paper."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.access import person
from hub.core.clock import now
from hub.queries import permissions, timeline
from hub.queries import tickets as questions


@require_safe
@login_required
def ticket_print(request: HttpRequest, public_id: str) -> HttpResponse:
    """Facts, engagements, clocks, time by organisation and the timeline from the beginning, as far as one may read."""
    user, at = person(request), now()
    ticket = permissions.get_ticket_for(user, public_id)
    everything = permissions.sees_everything(user)
    shown = {
        "ticket": ticket,
        "lines": list(reversed(timeline.lines(user, ticket))),
        "legs": permissions.visible_legs(user, ticket).select_related("organisation").order_by("number"),
        "badges": questions.badges(ticket, at=at) if everything else [],
        "shares": questions.shares(ticket.ledger.select_related("charged_to").order_by("from_at"), at=at)
        if everything
        else [],
        "everything": everything,
        "is_past": permissions.shared_until(user, ticket) is not None,
        "at": at,
    }
    return render(request, "console/print.html", shown)
