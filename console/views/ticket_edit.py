"""Correcting the fields of a ticket, without overwriting what somebody else has changed in the meantime."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from console.access import person, workers_only
from console.forms.tickets import EditForm
from console.undoing import undoable
from hub.core.clock import now
from hub.domain import tickets as record
from hub.domain.actors import Actor
from hub.models import Event, EventKind, Ticket
from hub.queries import permissions
from hub.translation import localized
from workflows.lifecycle import priorities

FIELDS = ("title", "description", "requester", "service", "asset", "site")


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """A field that somebody else has changed since the page was made."""

    label: str
    current: str
    by: str
    """Who changed it; empty if unknown."""
    at: datetime | None


@workers_only
def edit(request: HttpRequest, public_id: str) -> HttpResponse:
    """The form with the current values; only fields that were changed on the page are saved."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    form = EditForm(request.POST or None, initial={name: getattr(ticket, name) for name in FIELDS})
    conflicts: list[Conflict] = []
    if request.method == "POST" and form.is_valid():
        with undoable(request, ticket, _("%(ticket)s was edited.") % {"ticket": ticket.label}):
            actor = Actor.person(person(request))
            conflicts, refused = _saved(ticket, form, actor, seen=request.POST.get("anyway", ""))
        if refused:
            messages.error(request, refused)
        elif not conflicts:
            return redirect(ticket)
    shown = {"ticket": ticket, "form": form, "conflicts": conflicts, "seen": _seal(conflicts), "page": "tickets"}
    return render(request, "console/edit.html", shown, status=409 if conflicts else 200)


@transaction.atomic
def _saved(ticket: Ticket, form: EditForm, actor: Actor, *, seen: str) -> tuple[list[Conflict], str]:
    """Save the changes; otherwise what somebody else changed in the meantime, or why the changes are refused.

    `seen` is the seal of the conflicts that the person has seen and wants to replace all the same.
    """
    changes = form.changes()
    current = record.locked(ticket)
    conflicts = list(_conflicts(current, form, changes))
    if conflicts and seen != _seal(conflicts):
        return conflicts, ""
    try:
        record.edit_ticket(ticket=current, changes=changes, actor=actor, at=now())
        if "service" in changes:
            priorities.follow(ticket=record.locked(ticket), actor=actor, at=now())
    except record.NotEditable as refused:
        return [], localized(str(refused))
    return [], ""


def _seal(conflicts: list[Conflict]) -> str:
    text = json.dumps([[each.label, each.current] for each in conflicts])
    return salted_hmac("console.ticket_edit", text).hexdigest()


def _conflicts(ticket: Ticket, form: EditForm, changes: Iterable[str]) -> Iterable[Conflict]:
    for name in changes:
        bound: BoundField = form[name]
        current = bound.field.prepare_value(getattr(ticket, name)) or ""
        before = form.data.get(bound.html_initial_name, "").replace("\r\n", "\n")
        wanted = bound.field.prepare_value(form.cleaned_data[name]) or ""
        if current.replace("\r\n", "\n") not in (before, wanted):
            by, at = _last_change(ticket, name)
            yield Conflict(label=str(bound.label), current=current, by=by, at=at)


def _last_change(ticket: Ticket, name: str) -> tuple[str, datetime | None]:
    """Who changed the field last, and when."""
    edits: Any = Event.objects.filter(ticket=ticket, kind=EventKind.TICKET_EDITED).order_by("-seq")
    for event in edits[:50]:
        if name in event.payload["fields"]:
            return event.actor_name or _("Somebody"), event.recorded_at
    return _("Somebody"), None
