"""What a person of ours has to do: their tickets and tasks, mentions, and what nobody in their teams has taken."""

from __future__ import annotations

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from console.access import person, reader_of, workers_only
from console.polling import live_cursor
from console.rows.tickets import ticket_rows
from hub.core.planned import planned
from hub.models import OPEN, Ticket
from hub.queries.filters import Filters
from hub.queries.tickets import with_relations
from workflows.models import Notice, Task

MOST = 20


@require_safe
@workers_only
@planned()
def my_work(request: HttpRequest) -> HttpResponse:
    """The start page of an agent."""
    user, reader = person(request), reader_of(request)
    open_ones = with_relations(Ticket.objects.filter(phase__in=OPEN, imported_from=None), "team")
    mine = open_ones.filter(assignee=user).order_by("priority", "opened_at")
    untaken = open_ones.filter(assignee=None, team__members=user).order_by("priority", "opened_at")
    notices = Notice.objects.filter(user=user, channel="console", kind="mention", read_at=None)
    shown = {
        "mine": ticket_rows(list(mine[:MOST]), reader, user=user, needs=("badges",)),
        "all_mine": f"{reverse('console:tickets')}?{Filters().where(assignee='me').query}",
        "untaken": ticket_rows(list(untaken[:MOST]), reader, user=user, needs=("badges",)),
        "tasks": Task.objects.filter(assignee=user, done_at=None)
        .select_related("ticket")
        .order_by(F("due_at").asc(nulls_last=True), "pk")[:MOST],
        "mentions": notices.select_related("ticket").order_by("-pk")[:MOST],
        "at": reader.at,
        "page": "work",
        "cursor": live_cursor(user),
    }
    return render(request, "console/my_work.html", shown)
