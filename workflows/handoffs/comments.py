"""Messages from us and from the requester, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from hub.domain import messages
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, Leg, Message, Person, Phase, Stage, Ticket, WaitsOn
from workflows.handoffs import engagements
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
    """Write a message from us to some engagements, or (`is_for_all`) to all organisations, later ones included."""
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
    """Write the requester's message to every open engagement, and resume those that waited for the requester.

    A resolved ticket is reopened, so that a timer does not close it although the requester has answered.
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
            engagements.resume(leg=leg, actor=actor, at=at)
    fresh = Ticket.objects.get(pk=ticket.pk)
    if fresh.phase == Phase.WAITING:
        execution.bring(ticket=fresh, name="activate", actor=actor, at=at, reason="the requester answered")
    elif fresh.phase == Phase.RESOLVED and fresh.merged_into_id is None:
        execution.bring(ticket=fresh, name="reopen", actor=actor, at=at, reason="the requester wrote")
    return message
