"""A list of tickets in groups with totals."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.access import person, reader_of
from console.lists import filters_of
from console.rows.chips import chips
from hub.core.planned import TooSlow, planned
from hub.queries import permissions
from hub.queries import tickets as questions
from hub.queries.totals import grouped, totals

PATIENCE = 5.0
"""Seconds for the query: whoever asks for totals waits longer than whoever opens a list."""


@require_safe
@login_required
def ticket_totals(request: HttpRequest) -> HttpResponse:
    """The tickets of the list with these filters, by the values of one field; each number opens its list."""
    reader, filters = reader_of(request), filters_of(request.GET)
    fields = grouped(reader)
    by = next((field for field in fields if field.slug == request.GET.get("by", "")), fields[0])
    tickets = questions.narrowed(permissions.visible_tickets(person(request)), filters, reader)
    try:
        with planned(seconds=PATIENCE):
            found = totals(tickets, by, filters, reader)
    except TooSlow:
        found = None
    shown = {
        "fields": fields,
        "by": by,
        "totals": found,
        "filters": filters,
        "chips": chips(filters, reader, kept=f"by={by.slug}"),
        "page": "tickets",
    }
    return render(request, "console/totals.html", shown)
