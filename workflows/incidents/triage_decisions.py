"""Deciding a joint triage: record the decision and hand the ticket over accordingly, both or neither."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, Leg, Organisation, Ticket
from workflows.handoffs import comments, engagements
from workflows.lifecycle import triage
from workflows.models import Triage


@transaction.atomic
def decide(
    *,
    found: Triage,
    organisation: Organisation | None,
    decision: str,
    actor: Actor,
    at: datetime,
    accept_within: timedelta | None = None,
) -> Triage:
    """Decide that the ticket belongs to an organisation (None: the engagements stay as they are).

    If the organisation is us, the leading organisation is recalled. If it is already engaged, it gets the lead.
    Otherwise the ticket is handed over to it, to be accepted within `accept_within`. TriageRefused or HandoffRefused,
    with nothing decided, if that is not possible.
    """
    decided = triage.decide(triage=found, organisation=organisation, decision=decision, actor=actor, at=at)
    ticket = Ticket.objects.get(pk=decided.ticket_id)
    engaged = Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).order_by("-number")
    if organisation is None:
        return decided
    if organisation.is_us:
        for leg in engaged.filter(is_lead=True):
            engagements.recall(
                leg=leg, reason=_("Joint triage decided that we handle this ticket ourselves."), actor=actor, at=at
            )
        return decided
    theirs = engaged.filter(organisation=organisation).first()
    if theirs is not None:
        engagements.give_lead(leg=theirs, actor=actor, at=at, accept_within=accept_within)
        comments.comment(ticket=ticket, body=decision, legs=[theirs], actor=actor, at=at)
    else:
        engagements.hand_over(
            ticket=ticket, organisation=organisation, reason=decision, actor=actor, at=at, accept_within=accept_within
        )
    return decided
