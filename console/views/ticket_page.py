"""The ticket page: the ticket's timeline and all actions on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from connectors.models import AlertState, AwaitedFile, Outbound
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
from hub.core import among
from hub.core.clock import now
from hub.models import Attachment, Contract, Leg, Relation, Ticket, User
from hub.queries import permissions, timeline
from hub.queries import tickets as questions
from hub.queries.event_words import RELATED
from workflows.handoffs import briefing
from workflows.incidents import major_incidents, relations
from workflows.lifecycle import priorities, triage
from workflows.models import EscalationRun, FailedAction, Follow, ReplyTemplate, Task, Triage


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
    at, everything = now(), permissions.sees_everything(user)
    parts = _parts(user, ticket) if everything else frozenset[str]()
    legs = _legs(user, ticket)
    verbs = verb_rows(user, ticket, at=at, legs=legs if everything else None)
    shown: dict[str, Any] = {
        "ticket": ticket,
        "status_name": _status_name(user, ticket, legs),
        "may_work": permissions.may_work(user) and not ticket.is_history,
        "may_acknowledge": permissions.may_acknowledge(user) and not ticket.is_history,
        "verbs": verbs,
        "refused": [row.verb for row in verbs if row.verb.why_not],
        "codes": REASON_CODES,
        "comment": CommentForm(ticket=ticket),
        "open_legs": [leg for leg in legs if leg.is_open],
        "reply": ReplyForm(),
        "hand_over": HandOverForm(ticket=ticket),
        "assign": AssignForm(initial={"assignee": ticket.assignee, "team": ticket.team}),
        "at": at,
        "page": "tickets",
        "cursor": live_cursor(user),
        **_story(request, user, ticket, legs, parts),
    }
    if shown["may_work"]:
        shown |= _teamwork(user, ticket, parts)
    badges = questions.badges(ticket, at=at) if everything else []
    shown |= _engagements(user, ticket, legs, badges, parts)
    if everything:
        shown |= _times(ticket, badges, at) | _surroundings(user, ticket, parts)
    return render(request, "console/ticket.html", shown)


@require_safe
@login_required
def story(request: HttpRequest, public_id: str) -> HttpResponse:
    """Another part of the timeline, which open pages append."""
    user = person(request)
    ticket = permissions.get_ticket_for(user, public_id)
    may_work = permissions.may_work(user) and not ticket.is_history
    shown = {"ticket": ticket, "may_work": may_work, **_story(request, user, ticket, _legs(user, ticket))}
    return render(request, "console/_story.html", shown)


def _story(
    request: HttpRequest,
    user: User,
    ticket: Ticket,
    legs: Sequence[Leg],
    parts: Collection[str] = ("sent", "awaited", "files"),
) -> dict[str, Any]:
    """The newest lines; `before` in the address leads to earlier ones, `since` to all that are not older."""
    before, since = (timeline.place(request.GET.get(name, "")) for name in ("before", "since"))
    found = timeline.story(user, ticket, before=before, since=since, legs=legs, has_files="files" in parts)
    rows = timeline_rows(found.lines, user=user, has=parts)
    return {"story": found, "lines": rows, "is_earlier": before is not None}


def _legs(user: User, ticket: Ticket) -> list[Leg]:
    """The engagements that this person may see, by number, with what the page shows of them."""
    rows = permissions.visible_legs(user, ticket).select_related(
        "organisation", "given_by", "waits_on_organisation", "link__connection"
    )
    found = list(rows.order_by("number"))
    for leg in found:
        leg.ticket = ticket
    return found


def _parts(user: User, ticket: Ticket) -> frozenset[str]:
    """What there is on the ticket besides what every ticket has; only that is read then."""
    return among.with_rows(
        {
            "sent": Outbound.objects.filter(link__leg__ticket=ticket),
            "files": Attachment.objects.filter(ticket=ticket),
            "awaited": AwaitedFile.objects.filter(link__leg__ticket=ticket),
            "alerts": AlertState.objects.filter(Q(ticket=ticket) | Q(ticket__merged_into=ticket)),
            "related": Relation.objects.filter(Q(from_ticket=ticket) | Q(to_ticket=ticket)),
            "triage": Triage.objects.filter(ticket=ticket, decided_at=None),
            "escalations": EscalationRun.objects.filter(ticket=ticket, state=EscalationRun.State.RUNNING),
            "failed": FailedAction.objects.filter(ticket=ticket, resolved_at=None),
            "tasks": Task.objects.filter(ticket=ticket),
            "templates": ReplyTemplate.objects.all(),
            "watched": Follow.objects.filter(user=user, ticket=ticket, is_muted=False),
            "muted": Follow.objects.filter(user=user, ticket=ticket, is_muted=True),
        }
    )


def _status_name(user: User, ticket: Ticket, legs: Sequence[Leg]) -> str:
    """The name of the status for this user's audience."""
    if permissions.sees_everything(user):
        return str(ticket.status.name)
    return ticket.status.name_for("vendor" if legs else "requester")


def _teamwork(user: User, ticket: Ticket, parts: Collection[str]) -> dict[str, Any]:
    """The tasks of the ticket, open ones first, and whether this person follows it."""
    tasks = Task.objects.filter(ticket=ticket).select_related("assignee")
    in_order = tasks.order_by(F("done_at").asc(nulls_first=True), F("due_at").asc(nulls_last=True), "pk")
    return {
        "tasks": in_order if "tasks" in parts else [],
        "reply_templates": ReplyTemplate.objects.order_by("name")[:50] if "templates" in parts else [],
        "task_form": TaskForm(auto_id="task_%s"),
        "is_watched": "watched" in parts,
        "is_muted": "muted" in parts,
    }


def _engagements(
    user: User, ticket: Ticket, legs: Sequence[Leg], badges: list[questions.Badge], parts: Collection[str]
) -> dict[str, Any]:
    """The engagements; for a successor also the earlier ones, as far as the ticket is shared."""
    until = permissions.shared_until(user, ticket)
    has_sent = "sent" in parts or not permissions.sees_everything(user)
    return {
        "engagements": list(engagement_rows(reversed(legs), badges, has_sent=has_sent)),
        "is_past": until is not None,
        "before": briefing.ended(ticket, until=until) if until is not None else [],
    }


def _times(ticket: Ticket, badges: list[questions.Badge], at: datetime) -> dict[str, Any]:
    """The holder, the clocks and the time by organisation."""
    segments = list(ticket.ledger.select_related("holder", "charged_to").order_by("from_at"))
    return {
        "strip": questions.strip(ticket, badges, segments, at=at),
        "badges": badges,
        "has_service_level": any(badge.clock.contract.kind == Contract.Kind.SLA for badge in badges),
        "segments": segments,
        "shares": questions.shares(segments, at=at),
        "chart": time_chart.chart(segments, badges, is_open=ticket.is_open, at=at),
    }


def _surroundings(user: User, ticket: Ticket, parts: Collection[str]) -> dict[str, Any]:
    """Related tickets and alerts, and open triage, escalations, failed actions and the major incident."""
    related = questions.related(ticket) if "related" in parts else []
    found = triage.is_open(ticket) if "triage" in parts else None
    is_parent = ticket.is_major or any(each.kind == "parent" and each.is_from for each in related)
    running = EscalationRun.objects.filter(ticket=ticket, state=EscalationRun.State.RUNNING)
    failed = FailedAction.objects.filter(ticket=ticket, resolved_at=None)
    return {
        "related": related,
        "relations_by_hand": relations.BY_HAND,
        "relation_kinds": [
            (f"{mark}{kind}", RELATED[kind][side]) for kind in relations.BY_HAND for side, mark in enumerate(("", "-"))
        ],
        "alerts": alerts_of(ticket) if "alerts" in parts else [],
        "priority_form": PriorityForm(initial={"impact": ticket.impact, "urgency": ticket.urgency}),
        "follows_to": priorities.of(ticket),
        "triage": found,
        "may_decide": found is not None and permissions.may_decide(user, found.owner),
        "decision_form": DecisionForm(auto_id="decision_%s"),
        "escalations": running.select_related("escalation").order_by("pk") if "escalations" in parts else [],
        "failed": failed.order_by("pk") if "failed" in parts else [],
        "answers": major_incidents.answers(ticket) if is_parent else [],
        "is_parent": is_parent,
    }
