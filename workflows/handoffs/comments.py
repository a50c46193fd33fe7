"""What is said, and what follows from who said it."""

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
    """Say something on our own behalf, to some legs or (`is_for_all`) to all organisations, later ones included."""
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
    """The requester's words go to every open leg, and whoever waited for them goes on.

    A ticket that was resolved is open again: it must not be closed by a timer over what the requester wrote.
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
