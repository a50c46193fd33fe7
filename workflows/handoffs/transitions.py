"""Changing an engagement's stage: lock the ticket, check the law, change, save, record, then let policy react."""

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
    """The hand-off is not possible now; the message tells a person why."""


def executed(
    leg: Leg,
    *,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    within: Execution | None = None,
) -> Execution:
    """The execution of a change to an engagement, nested in the one that caused it, if any."""
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
    """Why this transition is refused now, as a sentence; empty if the law allows it."""
    return "" if can_proceed(getattr(leg, verb)) else refusal(leg, verb)


def refusal(leg: Leg, verb: str) -> str:
    return _("The engagement of %(name)s is %(stage)s; “%(verb)s” is not possible from there.") % {
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
        # Nobody can act before the offer: their clock is slow, and the fold would miss the event.
        execution = replace(execution, occurred_at=leg.offered_at)
    record(leg, kind, execution, more=more, texts=texts)
    return leg


def locked(leg: Leg) -> Leg:
    """The engagement, read again under the ticket's lock; `leg.ticket` is the locked row."""
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
    """Record an event of the engagement; its ticket must be locked."""
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
    """Let the ticket follow its leading engagement: as policy says, otherwise by `roll_up`."""
    if not answered(leg, did, execution) and leg.is_lead:
        transitions.roll_up(
            ticket=leg.ticket,
            actor=execution.actor,
            at=execution.at,
            occurred_at=execution.occurred_at,
            origin=execution.origin,
        )


def answered(leg: Leg, did: str, execution: Execution) -> bool:
    """Whether policy reacted to the change of an engagement. MoveRefused if policy forbids it."""
    return vendor_did(leg, did, execution)
