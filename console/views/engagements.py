"""Handing tickets over, actions on engagements, and guest links for organisations without a system."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from console.access import person, workers_only
from console.forms.engagements import EngagementForm, HandOverForm, accept_within
from console.undoing import undoable
from console.views import before_sending
from hub.core.clock import now
from hub.domain.actors import Actor
from hub.models import Leg, Stage, Ticket
from hub.queries import permissions
from hub.translation import localized
from workflows.handoffs import engagements, guest_links, verbs
from workflows.handoffs import transitions as handoff_transitions
from workflows.lifecycle import transitions, triage


@require_POST
@workers_only
def hand_over(request: HttpRequest, public_id: str) -> HttpResponse:
    """Hand the ticket over to another organisation, or engage one in addition to the holder."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    form = HandOverForm(request.POST, ticket=ticket)
    if not form.is_valid():
        messages.error(request, _("Choose an organisation. If you enter minutes, use a whole number."))
        return redirect(ticket)
    if refusal := triage.left_to_others(person(request), ticket):
        messages.error(request, localized(refusal))
        return redirect(ticket)
    if page := before_sending.hand_over(request, ticket, form):
        return page
    given = form.cleaned_data
    offered = {
        "ticket": ticket,
        "organisation": given["organisation"],
        "reason": given["reason"],
        "actor": Actor.person(person(request)),
        "at": now(),
        "accept_within": accept_within(form),
        "is_blocking": given["is_blocking"],
        "also": given["also"],
    }
    try:
        what = _("%(ticket)s goes to %(name)s.") % {"ticket": ticket.label, "name": given["organisation"]}
        with undoable(request, ticket, what):
            if given["is_parallel"]:
                engagements.offer(**offered, is_lead=False)
            else:
                engagements.hand_over(**offered)
    except handoff_transitions.HandoffRefused as refused:
        messages.error(request, localized(str(refused)))
    return redirect(ticket)


@require_POST
@workers_only
def act_on_leg(request: HttpRequest, public_id: str, leg_id: str) -> HttpResponse:
    """Perform one action on an engagement."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    leg = _leg(ticket, leg_id)
    form = EngagementForm(request.POST)
    if not form.is_valid():
        for error in form.non_field_errors():
            messages.error(request, str(error))
        return redirect(ticket)
    act = form.cleaned_data["act"]
    refusal = triage.left_to_others(person(request), ticket) if act in ("lead", "recall") else ""
    if refusal:
        messages.error(request, localized(refusal))
        return redirect(ticket)
    try:
        given = verbs.Given(
            Actor.person(person(request)),
            now(),
            reason=form.cleaned_data["reason"],
            code=form.cleaned_data["code"],
            is_shared=form.cleaned_data["is_shared"],
        )
        with undoable(request, ticket, _("The engagement of %(name)s was changed.") % {"name": leg.organisation}):
            verbs.act(leg, act, given)
    except (handoff_transitions.HandoffRefused, transitions.MoveRefused) as refused:
        messages.error(request, localized(str(refused)))
        return redirect(ticket)
    if act == "give_back" and ticket.legs.get(pk=leg.pk).stage != Stage.RETURNED:
        messages.warning(
            request,
            _(
                "This ticket has been returned as often as allowed. It stays with %(organisation)s until joint triage "
                "decides."
            )
            % {"organisation": leg.organisation},
        )
    return redirect(ticket)


@require_POST
@workers_only
def leg_guest_link(request: HttpRequest, public_id: str, leg_id: str) -> HttpResponse:
    """Create or close the guest link with which the organisation can work without its own system."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    leg = _leg(ticket, leg_id)
    if request.POST.get("close"):
        guest_links.close(leg=leg, actor=Actor.person(person(request)), at=now())
        messages.success(
            request, _("The guest link of %(name)s is closed and no longer works.") % {"name": leg.organisation}
        )
    else:
        made = guest_links.open_for(leg, at=now())
        where = guest_links.address(made, hub_url=settings.PUBLIC_URL)
        messages.success(
            request,
            _("%(name)s can work here without logging in: %(where)s") % {"name": leg.organisation, "where": where},
        )
    return redirect(ticket)


def _leg(ticket: Ticket, leg_id: str) -> Leg:
    leg = ticket.legs.select_related("organisation", "ticket").filter(public_id=leg_id).first()
    if leg is None:
        raise Http404
    return leg
