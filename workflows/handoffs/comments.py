"""Messages from us and from the requester, and the changes of status that follow from them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from hub.domain import messages
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, Leg, Message, Person, Phase, Stage, Ticket, WaitsOn
from workflows.handoffs import stages
from workflows.rules import execution


@transaction.atomic
def comment(
    *,
    ticket: Ticket,
    body: str,
    actor: Actor,
    at: datetime,
    is_for_requester: bool = False,
    legs: Iterable[Leg] = (),
    is_for_all: bool = False,
) -> Message:
    """Add a message from us, addressed to these engagements or (`is_for_all`) to all organisations and later ones."""
    audience = list(legs)
    if is_for_all:
        audience = list(Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).order_by("number"))
    return messages.say(
        ticket=ticket,
        body=body,
        actor=actor,
        at=at,
        is_for_requester=is_for_requester,
        is_for_later_legs=is_for_all,
        legs=audience,
    )


@transaction.atomic
def requester_says(*, ticket: Ticket, requester: Person, body: str, actor: Actor, at: datetime) -> Message:
    """Add the requester's message for every open engagement, and resume those that waited for the requester.

    A resolved ticket is reopened, so that no timer closes it although the requester has replied.
    """
    legs = list(Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).order_by("number"))
    message = messages.say(
        ticket=ticket,
        body=body,
        actor=actor,
        at=at,
        legs=legs,
        requester=requester,
        is_for_later_legs=True,
    )
    for leg in legs:
        if leg.stage == Stage.WAITING and leg.waits_on == WaitsOn.REQUESTER:
            stages.resume(leg=leg, actor=actor, at=at)
    fresh = Ticket.objects.get(pk=ticket.pk)
    if fresh.phase == Phase.WAITING:
        execution.bring(ticket=fresh, name="activate", actor=actor, at=at, reason=_("the requester replied"))
    elif fresh.phase == Phase.RESOLVED and fresh.merged_into_id is None:
        execution.bring(ticket=fresh, name="reopen", actor=actor, at=at, reason=_("the requester replied"))
    return message
