"""Actions on a ticket: opening it, transitions, messages, its priority, and acknowledging escalations."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from console.access import person, workers_only
from console.forms.bulk import AssignForm
from console.forms.tickets import CommentForm, OpenForm, PriorityForm, ReplyForm, VerbForm
from console.polling import live_cursor
from console.rows.verbs import verb_rows
from console.undoing import undoable
from console.views import before_sending
from hub.core.clock import now
from hub.domain import messages as conversation
from hub.domain import tickets as record
from hub.domain.actors import Actor
from hub.models import Message, Relation, Ticket, User
from hub.queries import permissions
from hub.search.similar import similar_tickets
from hub.translation import localized
from workflows.handoffs import comments
from workflows.handoffs import transitions as handoff_transitions
from workflows.lifecycle import priorities, transitions
from workflows.models import EscalationRun
from workflows.rules import execution, runner


@workers_only
def open_ticket(request: HttpRequest) -> HttpResponse:
    """The form for a new ticket. With `message`, the ticket takes up that message of another ticket."""
    user = person(request)
    source = _source(user, request.GET.get("message", ""))
    form = OpenForm(request.POST or None, initial=_taken_from(source) if source is not None else None)
    if request.method == "POST" and form.is_valid():
        return redirect(_opened(form.cleaned_data, source, Actor.person(user)))
    shown = {"form": form, "source": source, "page": "tickets", "cursor": live_cursor(user)}
    return render(request, "console/open.html", shown)


@transaction.atomic
def _opened(given: dict[str, Any], source: Message | None, actor: Actor) -> Ticket:
    ticket = priorities.opened(**given, actor=actor, at=now())
    if source is not None:
        record.relate(ticket=ticket, other=source.ticket, kind=Relation.Kind.FOLLOWS, actor=actor, at=now())
    return ticket


def _source(user: User, public_id: str) -> Message | None:
    """The message that a new ticket takes up; Http404 if this person may not read it."""
    if not public_id:
        return None
    found = permissions.readable_messages(user).filter(public_id=public_id)
    message = found.select_related("ticket__requester", "ticket__service", "author_person").first()
    if message is None:
        raise Http404
    return message


def _taken_from(source: Message) -> dict[str, Any]:
    first, _mark, _rest = source.body.strip().partition("\n")
    return {
        "title": first[:255],
        "description": source.body,
        "requester": source.author_person or source.ticket.requester,
        "service": source.ticket.service,
    }


@require_safe
@workers_only
def similar(request: HttpRequest) -> HttpResponse:
    """Tickets that may be about the same as the title that is being typed."""
    title = request.GET.get("title", "").replace("\x00", "")[:255]
    found = similar_tickets(person(request), title, at=now())
    return render(request, "console/_similar.html", {"tickets": found})


@require_POST
@login_required
def move(request: HttpRequest, public_id: str) -> HttpResponse:
    """Perform a transition of the ticket's workflow; the transition defines who may use it."""
    user = person(request)
    ticket = permissions.get_ticket_for(user, public_id)
    form = VerbForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Some entries are not valid. Choose values from the lists."))
        return redirect(ticket)
    if not permissions.may_work(user):
        theirs = {row.verb.slug for row in verb_rows(user, ticket, at=now())}
        if form.cleaned_data["move"] not in theirs:
            raise PermissionDenied
    try:
        with undoable(request, ticket, _("%(ticket)s was changed.") % {"ticket": ticket.label}):
            fired = execution.fire(
                ticket=ticket,
                verb=form.cleaned_data["move"],
                reason=form.cleaned_data["reason"],
                given=form.given(),
                actor=Actor.person(user),
                at=now(),
            )
    except (transitions.MoveRefused, record.NotEditable) as refused:
        messages.error(request, localized(str(refused)))
        return redirect(ticket)
    for failure in fired.failed:
        messages.error(request, localized(failure))
    return redirect(ticket)


@require_POST
@workers_only
def comment(request: HttpRequest, public_id: str) -> HttpResponse:
    """Add a message for the chosen audience."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    form = CommentForm(request.POST, request.FILES, ticket=ticket)
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(str(error) for error in errors))
        return redirect(ticket)
    if page := before_sending.message(request, ticket, form):
        return page
    try:
        with undoable(request, ticket, _("Your message was added.")):
            _said(ticket, form.cleaned_data, Actor.person(person(request)))
    except (conversation.NotSaid, conversation.NotStored) as refused:
        messages.error(request, localized(str(refused)))
    return redirect(ticket)


@transaction.atomic
def _said(ticket: Ticket, given: dict[str, Any], actor: Actor) -> None:
    """Add the message with its files: all of them or nothing."""
    names = ", ".join(conversation.safe_name(file.name) for file in given["attached"])
    message = comments.comment(
        ticket=ticket,
        body=given["body"] or _("Attached: %(name)s") % {"name": names},
        is_for_requester=given["for_requester"],
        is_for_all=given["for_all"],
        legs=given["legs"],
        actor=actor,
        at=now(),
    )
    for file in given["attached"]:
        conversation.attach(
            message=message,
            name=file.name,
            content=file.read(),
            content_type=file.content_type or "",
            actor=actor,
            at=now(),
        )


@require_POST
@workers_only
def reply(request: HttpRequest, public_id: str) -> HttpResponse:
    """Record a reply that the requester gave by telephone or in person."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    form = ReplyForm(request.POST)
    if form.is_valid() and ticket.requester is not None:
        try:
            with undoable(request, ticket, _("The reply was recorded.")):
                comments.requester_says(
                    ticket=ticket,
                    requester=ticket.requester,
                    body=form.cleaned_data["body"],
                    actor=Actor.person(person(request)),
                    at=now(),
                )
        except (conversation.NotSaid, transitions.MoveRefused, handoff_transitions.HandoffRefused) as refused:
            messages.error(request, localized(str(refused)))
    return redirect(ticket)


@require_POST
@workers_only
def priority(request: HttpRequest, public_id: str) -> HttpResponse:
    """Set impact and urgency, which determine the priority, or a manual priority with a reason."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    form = PriorityForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose impact and urgency, or a priority with a reason."))
        return redirect(ticket)
    try:
        with undoable(request, ticket, _("The priority was changed.")):
            _weighed(ticket, form.cleaned_data, Actor.person(person(request)))
    except record.NotEditable as refused:
        messages.error(request, localized(str(refused)))
    return redirect(ticket)


def _weighed(ticket: Ticket, given: dict[str, Any], actor: Actor) -> None:
    at = now()
    ticket = priorities.weigh(ticket=ticket, impact=given["impact"], urgency=given["urgency"], actor=actor, at=at)
    if given["priority"] and given["priority"] != ticket.priority:
        priorities.override(ticket=ticket, priority=given["priority"], reason=given["reason"], actor=actor, at=at)
    elif not given["priority"] and ticket.is_priority_set:
        priorities.let_follow(ticket=ticket, actor=actor, at=at)


@require_POST
@workers_only
def assign(request: HttpRequest, public_id: str) -> HttpResponse:
    """Assign the ticket to a person or a team of ours; *take* assigns it to whoever asks."""
    user = person(request)
    ticket = permissions.get_ticket_for(user, public_id)
    form = AssignForm(request.POST)
    if request.POST.get("take"):
        given: dict[str, Any] = {"assignee": user, "team": None}
    elif form.is_valid():
        given = form.cleaned_data
    else:
        for errors in form.errors.values():
            messages.error(request, " ".join(str(error) for error in errors))
        return redirect(ticket)
    if not ticket.is_open:
        messages.error(request, _("The ticket is no longer open."))
        return redirect(ticket)
    with undoable(request, ticket, _("%(ticket)s was assigned.") % {"ticket": ticket.label}):
        record.assign(ticket=ticket, assignee=given["assignee"], team=given["team"], actor=Actor.person(user), at=now())
    return redirect(ticket)


@require_POST
@login_required
def acknowledge(request: HttpRequest, public_id: str, run_id: str) -> HttpResponse:
    """Acknowledge an escalation, which stops it. For workers and for roles that escalations notify."""
    user = person(request)
    if not permissions.may_acknowledge(user):
        raise PermissionDenied
    ticket = permissions.get_ticket_for(user, public_id)
    run = EscalationRun.objects.filter(ticket=ticket, public_id=run_id).select_related("escalation", "ticket").first()
    if run is None:
        raise Http404
    runner.acknowledge(run=run, user=user, actor=Actor.person(user), at=now())
    messages.success(
        request, _("You acknowledged “%(escalation)s”. No further steps will run.") % {"escalation": run.escalation}
    )
    return redirect(ticket)
