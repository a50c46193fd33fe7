"""Joint triage on the ticket page: starting it and deciding it."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from console.access import person, workers_only
from console.forms.engagements import DecisionForm, accept_within
from hub.core.clock import now
from hub.domain.actors import Actor
from hub.queries import permissions
from hub.translation import localized
from workflows.handoffs import transitions
from workflows.incidents import triage_decisions
from workflows.lifecycle import triage


@require_POST
@workers_only
def start_triage(request: HttpRequest, public_id: str) -> HttpResponse:
    """Start joint triage, with what is unclear."""
    user = person(request)
    ticket = permissions.get_ticket_for(user, public_id)
    reason = request.POST.get("reason", "").strip()[:2000]
    try:
        triage.start(ticket=ticket, cause="person", reason=reason, actor=Actor.person(user), at=now())
    except triage.TriageRefused as refused:
        messages.error(request, localized(str(refused)))
    return redirect(ticket)


@require_POST
@login_required
def decide(request: HttpRequest, public_id: str) -> HttpResponse:
    """End joint triage with a decision, and hand the ticket over to the chosen organisation."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    found = triage.is_open(ticket)
    if not permissions.may_decide(person(request), found.owner if found else None):
        raise PermissionDenied
    if found is None:
        messages.error(request, _("This triage is decided already. The timeline shows the outcome."))
        return redirect(ticket)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, _("Enter the decision and the reason for it. If you enter minutes, use a whole number.")
        )
        return redirect(ticket)
    to, decision = form.cleaned_data["organisation"], form.cleaned_data["decision"]
    actor, at = Actor.person(person(request)), now()
    try:
        triage_decisions.decide(
            found=found, organisation=to, decision=decision, actor=actor, at=at, accept_within=accept_within(form)
        )
    except (triage.TriageRefused, transitions.HandoffRefused) as refused:
        messages.error(request, localized(str(refused)))
    return redirect(ticket)
