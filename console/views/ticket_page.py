"""The ticket page: the ticket's timeline and all actions on it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from connectors.queries.alerts import alerts_of
from console.access import person
from console.forms.bulk import AssignForm
from console.forms.engagements import REASON_CODES, DecisionForm, HandOverForm
from console.forms.tickets import CommentForm, PriorityForm, ReplyForm, TaskForm
from console.polling import live_cursor
from console.rows import time_chart
from console.rows.engagements import engagement_rows
from console.rows.timeline import timeline_rows
from console.rows.verbs import verb_rows
from hub.core.clock import now
from hub.models import Contract, Ticket, User
from hub.queries import permissions, timeline
from hub.queries import tickets as questions
from workflows.handoffs import briefing
from workflows.incidents import major_incidents
from workflows.lifecycle import priorities, triage
from workflows.models import EscalationRun, FailedAction, Follow, ReplyTemplate, Task


@require_safe
@login_required
def ticket_page(request: HttpRequest, public_id: str) -> HttpResponse:
    """The timeline, the engagements, the clocks and ledger, and the actions available to the user.

    `/tickets/TH-1401/` leads to the page of the ticket with this number.
    """
    user = person(request)
    if public_id.upper().startswith("TH") and (number := questions.our_number(public_id)) is not None:
        known = permissions.visible_tickets(user).filter(number=number).first()
        return redirect(known or permissions.get_ticket_for(user, public_id))
    ticket = permissions.get_ticket_for(user, public_id)
    at = now()
    everything = permissions.sees_everything(user)
    verbs = verb_rows(user, ticket, at=at)
    shown: dict[str, Any] = {
        "ticket": ticket,
        "lines": timeline_rows(timeline.lines(user, ticket), user=user),
        "status_name": _status_name(user, ticket),
        "may_work": permissions.may_work(user) and not ticket.is_history,
        "may_acknowledge": permissions.may_acknowledge(user) and not ticket.is_history,
        "verbs": verbs,
        "refused": [row.verb for row in verbs if row.verb.why_not],
        "codes": REASON_CODES,
        "comment": CommentForm(ticket=ticket),
        "reply": ReplyForm(),
        "hand_over": HandOverForm(ticket=ticket),
        "assign": AssignForm(initial={"assignee": ticket.assignee, "team": ticket.team}),
        "at": at,
        "page": "tickets",
        "cursor": live_cursor(user),
    }
    if shown["may_work"]:
        shown |= _teamwork(user, ticket)
    badges = questions.badges(ticket, at=at) if everything else []
    shown |= _engagements(user, ticket, badges)
    if everything:
        shown |= _times(ticket, badges, at) | _surroundings(user, ticket)
    return render(request, "console/ticket.html", shown)


def _status_name(user: User, ticket: Ticket) -> str:
    """The name of the status for this user's audience."""
    if permissions.sees_everything(user):
        return str(ticket.status.name)
    of_vendor = permissions.visible_legs(user, ticket).exists()
    return ticket.status.name_for("vendor" if of_vendor else "requester")


def _teamwork(user: User, ticket: Ticket) -> dict[str, Any]:
    """The tasks of the ticket, open ones first, and whether this person follows it."""
    follow = Follow.objects.filter(user=user, ticket=ticket).first()
    return {
        "tasks": Task.objects.filter(ticket=ticket)
        .select_related("assignee")
        .order_by(F("done_at").asc(nulls_first=True), F("due_at").asc(nulls_last=True), "pk"),
        "reply_templates": ReplyTemplate.objects.order_by("name")[:50],
        "task_form": TaskForm(auto_id="task_%s"),
        "is_watched": follow is not None and not follow.is_muted,
        "is_muted": follow is not None and follow.is_muted,
    }


def _engagements(user: User, ticket: Ticket, badges: list[questions.Badge]) -> dict[str, Any]:
    """The engagements; for a successor also the earlier ones, as far as the ticket is shared."""
    until = permissions.shared_until(user, ticket)
    legs = permissions.visible_legs(user, ticket).select_related(
        "organisation", "given_by", "waits_on_organisation", "link__connection", "ticket"
    )
    return {
        "engagements": list(engagement_rows(legs.order_by("-number"), badges)),
        "is_past": until is not None,
        "before": briefing.ended(ticket, until=until) if until is not None else [],
    }


def _times(ticket: Ticket, badges: list[questions.Badge], at: datetime) -> dict[str, Any]:
    """The holder, the clocks and the time by organisation."""
    segments = list(ticket.ledger.select_related("holder", "charged_to").order_by("from_at"))
    return {
        "strip": questions.strip(ticket, badges, at=at),
        "badges": badges,
        "has_service_level": any(badge.clock.contract.kind == Contract.Kind.SLA for badge in badges),
        "segments": segments,
        "shares": questions.shares(segments, at=at),
        "chart": time_chart.chart(segments, badges, is_open=ticket.is_open, at=at),
    }


def _surroundings(user: User, ticket: Ticket) -> dict[str, Any]:
    """Related tickets and alerts, and open triage, escalations, failed actions and the major incident."""
    related = questions.related(ticket)
    found = triage.is_open(ticket)
    is_parent = ticket.is_major or any(each.kind == "parent" and each.is_from for each in related)
    running = EscalationRun.objects.filter(ticket=ticket, state=EscalationRun.State.RUNNING)
    return {
        "related": related,
        "alerts": alerts_of(ticket),
        "priority_form": PriorityForm(initial={"impact": ticket.impact, "urgency": ticket.urgency}),
        "follows_to": priorities.of(ticket),
        "triage": found,
        "may_decide": found is not None and permissions.may_decide(user, found.owner),
        "decision_form": DecisionForm(auto_id="decision_%s"),
        "escalations": running.select_related("escalation").order_by("pk"),
        "failed": FailedAction.objects.filter(ticket=ticket, resolved_at=None).order_by("pk"),
        "answers": major_incidents.answers(ticket) if is_parent else [],
        "is_parent": is_parent,
    }
