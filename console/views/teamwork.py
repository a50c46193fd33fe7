"""Tasks, and watching or muting a ticket."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from console.access import person, workers_only
from console.forms.tickets import TaskForm
from hub.core.clock import now
from hub.domain.actors import Actor
from hub.queries import permissions
from hub.translation import localized
from workflows.lifecycle import tasks
from workflows.models import ReplyTemplate, Task
from workflows.notifications import following, templates

FOLLOWING = {"watch": following.watch, "mute": following.mute, "unfollow": following.unfollow}


@require_POST
@workers_only
def follow(request: HttpRequest, public_id: str) -> HttpResponse:
    """Watch or mute the ticket, or neither."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    act = FOLLOWING.get(request.POST.get("do", ""))
    if act is not None:
        act(user=person(request), ticket=ticket)
    return redirect(ticket)


@require_POST
@workers_only
def add_task(request: HttpRequest, public_id: str) -> HttpResponse:
    """Add a task to the ticket."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    form = TaskForm(request.POST)
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(str(error) for error in errors))
        return redirect(ticket)
    try:
        tasks.add(ticket=ticket, **form.cleaned_data, actor=Actor.person(person(request)), at=now())
    except tasks.NotPossible as refused:
        messages.error(request, localized(str(refused)))
    return redirect(ticket)


@require_POST
@workers_only
def complete_task(request: HttpRequest, public_id: str) -> HttpResponse:
    """Mark a task as done; back to the page the button is on."""
    visible = permissions.visible_tickets(person(request))
    task = get_object_or_404(Task.objects.select_related("ticket", "assignee"), public_id=public_id, ticket__in=visible)
    tasks.complete(task=task, actor=Actor.person(person(request)), at=now())
    return redirect("console:my_work") if request.POST.get("back") == "work" else redirect(task.ticket)


@require_POST
@workers_only
def insert_template(request: HttpRequest, public_id: str, template_id: str) -> HttpResponse:
    """The message field with what has been typed so far and the text of a template, filled in for this ticket."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    template = get_object_or_404(ReplyTemplate, public_id=template_id)
    facts = templates.facts_of(ticket)
    try:
        text = templates.filled(template.body, facts)
    except templates.BadTemplate as error:
        return HttpResponse(str(error), status=409)
    typed = request.POST.get("body", "").replace("\x00", "")[:20_000].rstrip()
    body = f"{typed}\n\n{text}" if typed else text
    return render(request, "console/_message_field.html", {"body": body})
