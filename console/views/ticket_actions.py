"""How a ticket is steered: its priority, joint triage, escalations, and major incidents with what stands below."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from console.access import person, workers_only
from console.forms import DecisionForm, PriorityForm, accept_within
from console.views.board import live_cursor
from hub.core.clock import now
from hub.domain import messages as conversation
from hub.domain import tickets as record
from hub.domain.actors import Actor
from hub.models import Ticket, User
from hub.queries import permissions
from hub.queries import tickets as questions
from workflows.handoffs import transitions
from workflows.incidents import major_incidents, merging, triage_decisions
from workflows.lifecycle import priorities, triage
from workflows.models import EscalationRun, FailedAction, Notice
from workflows.rules import runner


def steered(user: User, ticket: Ticket) -> dict[str, Any]:
    """What the ticket page shows of it."""
    dispute = triage.is_open(ticket)
    is_parent = ticket.is_major or any(each.kind == "parent" and each.is_from for each in questions.related(ticket))
    return {
        "priority_form": PriorityForm(initial={"impact": ticket.impact, "urgency": ticket.urgency}),
        "follows_to": priorities.of(ticket),
        "triage": dispute,
        "may_decide": dispute is not None and permissions.may_decide(user, dispute.owner),
        "decision_form": DecisionForm(auto_id="decision_%s"),
        "escalations": EscalationRun.objects.filter(ticket=ticket, state=EscalationRun.State.RUNNING)
        .select_related("escalation")
        .order_by("pk"),
        "failed": FailedAction.objects.filter(ticket=ticket, resolved_at=None).order_by("pk"),
        "answers": major_incidents.answers(ticket) if is_parent else [],
        "is_parent": is_parent,
    }


@require_POST
@workers_only
def priority(request: HttpRequest, public_id: str) -> HttpResponse:
    """Impact and urgency, from which the priority follows; or one by hand, with a reason."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    form = PriorityForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose impact and urgency, or a priority with a reason."))
        return redirect(ticket)
    told, actor, at = form.cleaned_data, Actor.person(person(request)), now()
    try:
        ticket = priorities.weigh(ticket=ticket, impact=told["impact"], urgency=told["urgency"], actor=actor, at=at)
        if told["priority"] and told["priority"] != ticket.priority:
            priorities.override(ticket=ticket, priority=told["priority"], reason=told["reason"], actor=actor, at=at)
        elif not told["priority"] and ticket.is_priority_set:
            priorities.let_follow(ticket=ticket, actor=actor, at=at)
    except record.NotEditable as refused:
        messages.error(request, str(refused))
    return redirect(ticket)


def is_left_to(user: User, ticket: Ticket) -> str:
    """Who decides where the ticket goes while it is in dispute, if this person does not; else empty."""
    dispute = triage.is_open(ticket)
    if dispute is None or permissions.may_decide(user, dispute.owner):
        return ""
    return str(dispute.owner or _("a manager"))


@require_POST
@workers_only
def start_triage(request: HttpRequest, public_id: str) -> HttpResponse:
    ticket = permissions.get_ticket_for(person(request), public_id)
    user = person(request)
    try:
        triage.start(
            ticket=ticket,
            cause="person",
            reason=request.POST.get("reason", "").strip()[:2000],
            actor=Actor.person(user),
            at=now(),
        )
    except triage.TriageRefused as refused:
        messages.error(request, str(refused))
    return redirect(ticket)


@require_POST
@login_required
def decide(request: HttpRequest, public_id: str) -> HttpResponse:
    """Joint triage ends: whose it is, and the ball goes there."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    found = triage.is_open(ticket)
    if not permissions.may_decide(person(request), found.owner if found else None):
        raise PermissionDenied
    if found is None:
        messages.error(request, _("Nothing is to be decided here any more: look at what became of it."))
        return redirect(ticket)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say what was decided, and why: it goes with the ticket. Minutes are whole numbers."))
        return redirect(ticket)
    to, decision = form.cleaned_data["organisation"], form.cleaned_data["decision"]
    actor, at = Actor.person(person(request)), now()
    try:
        triage_decisions.decide(
            found=found, organisation=to, decision=decision, actor=actor, at=at, accept_within=accept_within(form)
        )
    except (triage.TriageRefused, transitions.HandoffRefused) as refused:
        messages.error(request, str(refused))
    return redirect(ticket)


@require_POST
@login_required
def acknowledge(request: HttpRequest, public_id: str, run_id: str) -> HttpResponse:
    """Somebody has seen an escalation and sees to it: whoever works here, and whom escalations tell."""
    if not permissions.may_acknowledge(person(request)):
        raise PermissionDenied
    ticket = permissions.get_ticket_for(person(request), public_id)
    run = EscalationRun.objects.filter(ticket=ticket, public_id=run_id).select_related("escalation", "ticket").first()
    if run is None:
        raise Http404
    user = person(request)
    runner.acknowledge(run=run, user=user, actor=Actor.person(user), at=now())
    messages.success(request, _("“%s” goes no further; you see to it.") % run.escalation)
    return redirect(ticket)


@require_POST
@workers_only
def major(request: HttpRequest, public_id: str) -> HttpResponse:
    """Declare a major incident or end it, put tickets below it, say one thing on all of them, or merge it into one."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    actor, at, told = Actor.person(person(request)), now(), request.POST
    try:
        if told.get("do") == "gather":
            messages.success(request, _gather(ticket, told.get("tickets", ""), actor))
        elif told.get("do") == "merge":
            into = _one(told.get("into", ""))
            merging.merge(ticket=ticket, into=into, reason=told.get("reason", "").strip()[:400], actor=actor, at=at)
            messages.success(request, _("%(label)s goes on as %(into)s.") % {"label": ticket.label, "into": into.label})
        elif told.get("do") == "broadcast":
            count = major_incidents.broadcast(
                ticket=ticket,
                body=told.get("body", "").strip(),
                actor=actor,
                at=at,
                is_for_requesters=bool(told.get("requesters")),
            )
            messages.success(request, _("It was said on %s tickets.") % count)
        else:
            major_incidents.declare(ticket=ticket, is_major=told.get("do") == "declare", actor=actor, at=at)
    except (record.NotEditable, conversation.NotSaid, merging.MergeRefused) as refused:
        messages.error(request, str(refused))
    return redirect(ticket)


def _one(text: str) -> Ticket:
    number = text.upper().replace("TH-", "").strip()
    found = Ticket.objects.filter(number=int(number)).first() if number.isdecimal() and len(number) < 18 else None
    if found is None:
        raise merging.MergeRefused(_("There is no ticket %s.") % (text[:40] or "–"))
    return found


def _gather(parent: Ticket, text: str, actor: Actor) -> str:
    labels = text.upper().replace(",", " ").replace("TH-", "").split()[:200]
    numbers = [int(label) for label in labels if label.isdecimal() and len(label) < 18]
    found = list(Ticket.objects.filter(number__in=numbers, imported_from=None))
    if not numbers or len(found) != len(set(numbers)):
        missing = ", ".join(f"TH-{n}" for n in sorted(set(numbers) - {ticket.number for ticket in found}))
        raise record.NotEditable(_("There is no ticket %s.") % (missing or text[:40] or "–"))
    made = major_incidents.gather(parent=parent, children=found, actor=actor, at=now())
    return _("%s tickets stand below it now.") % made


@require_safe
@login_required
def notices(request: HttpRequest) -> HttpResponse:
    """What the hub told this person, newest first."""
    rows = Notice.objects.filter(user=person(request), channel="console").select_related("ticket").order_by("-pk")
    context = {"notices": list(rows[:100]), "page": "notices", "cursor": live_cursor(person(request))}
    return render(request, "console/notices.html", context)


@require_POST
@login_required
def read_notices(request: HttpRequest) -> HttpResponse:
    """Everything that was shown is read."""
    upto = request.POST.get("upto", "")
    rows = Notice.objects.filter(user=person(request), channel="console", read_at=None)
    if upto.isdecimal() and len(upto) < 18:
        rows.filter(pk__lte=int(upto)).update(read_at=now())
    return redirect("console:notices")
