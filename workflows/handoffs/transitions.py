"""A leg's turn: read under its ticket's lock, asked of the law, changed, saved, recorded, answered by policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django_fsm import can_proceed

from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import EventKind, Leg, Ticket
from workflows.lifecycle import transitions
from workflows.rules.execution import Execution, vendor_did


class HandoffRefused(Exception):
    """The hand-off is not possible now; the message says why, in words for a person."""


def executed(
    leg: Leg,
    *,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    within: Execution | None = None,
) -> Execution:
    """What is done with a leg now, as part of the execution that it follows from, if there is one."""
    return Execution(
        ticket=leg.ticket,
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=origin,
        is_forced=within is not None and within.is_forced,
        depth=within.depth if within is not None else 0,
    )


def why_not(leg: Leg, verb: str) -> str:
    """Why this transition is refused now, in a sentence; empty where the law allows it."""
    return "" if can_proceed(getattr(leg, verb)) else refusal(leg, verb)


def refusal(leg: Leg, verb: str) -> str:
    return _("The leg of %(name)s is %(stage)s; “%(verb)s” is not possible from there.") % {
        "name": leg.organisation,
        "stage": leg.get_stage_display(),
        "verb": verb.replace("_", " "),
    }


def change_stage(
    leg: Leg,
    verb: str,
    execution: Execution,
    change: Callable[[Leg], object],
    kind: EventKind,
    *,
    more: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> Leg:
    leg = locked(leg)
    if why := why_not(leg, verb):
        raise HandoffRefused(why)
    change(leg)
    leg.save()
    if execution.occurred_at is not None and execution.occurred_at < leg.offered_at:
        # Nobody acts on what was not offered yet: their clock is slow, and the fold would miss the event.
        execution = replace(execution, occurred_at=leg.offered_at)
    record(leg, kind, execution, more=more, texts=texts)
    return leg


def locked(leg: Leg) -> Leg:
    """The leg read again under the ticket's lock; its ticket is the locked one."""
    ticket = tickets.locked(Ticket(pk=leg.ticket_id))
    found = Leg.objects.select_related("organisation").get(pk=leg.pk)
    found.ticket = ticket
    return found


def record(
    leg: Leg,
    kind: EventKind,
    execution: Execution,
    *,
    more: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Record an event of the leg; its ticket is locked and as fresh as that."""
    history.record(
        ticket=leg.ticket,
        kind=kind,
        payload={"leg": leg.public_id, "organisation": leg.organisation.public_id, **(more or {})},
        texts={name: text for name, text in (texts or {}).items() if text},
        actor=execution.actor,
        at=execution.at,
        occurred_at=execution.occurred_at,
        origin=execution.origin,
    )


def rolled_up(leg: Leg, did: str, execution: Execution) -> None:
    """The ticket follows its leading leg: as policy says, else as the law does by itself."""
    if not answered(leg, did, execution) and leg.is_lead:
        transitions.roll_up(
            ticket=leg.ticket,
            actor=execution.actor,
            at=execution.at,
            occurred_at=execution.occurred_at,
            origin=execution.origin,
        )


def answered(leg: Leg, did: str, execution: Execution) -> bool:
    """Whether policy has an answer to what became of a leg; MoveRefused where its answer is no."""
    return vendor_did(leg, did, execution)
