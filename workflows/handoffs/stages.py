"""What an organisation does with its engagement, stage by stage: receives, accepts, works, waits and finishes it.

Declining, returning and letting an offer expire are in `returns`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Unpack

from django.db import transaction

from hub.core.sentences import sentence
from hub.domain import holding
from hub.domain.actors import Actor
from hub.models import EventKind, Leg, Organisation, Stage, WaitsOn
from workflows.handoffs.transitions import (
    Attribution,
    HandoffRefused,
    change_stage,
    executed,
    locked,
    record,
    rolled_up,
)
from workflows.rules.execution import Execution


@transaction.atomic
def confirm_delivery(
    *, leg: Leg, actor: Actor, at: datetime, occurred_at: datetime | None = None, origin: str = "", key: str = ""
) -> Leg:
    """Record that the offer reached the organisation's system: it holds the ticket from now on. Idempotent."""
    leg = locked(leg)
    if leg.delivered_at is not None:
        return leg
    leg.delivered_at = occurred_at or at
    if leg.deadline_at is not None:
        # The time to answer counts from delivery.
        leg.deadline_at += max(leg.delivered_at - leg.offered_at, timedelta(0))
    leg.save(update_fields=["delivered_at", "deadline_at"])
    execution = executed(leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin)
    record(leg, EventKind.LEG_DELIVERED, execution, more={"remote": key})
    return leg


@transaction.atomic
def confirm_reached(*, leg: Leg, actor: Actor, at: datetime, origin: str = "") -> Leg:
    """Record that our last answer reached the organisation's system; no change if none was under way."""
    leg = locked(leg)
    if not leg.is_unreached:
        return leg
    leg.is_unreached = False
    leg.save(update_fields=["is_unreached"])
    record(leg, EventKind.LEG_REACHED, executed(leg, actor=actor, at=at, origin=origin))
    return leg


@transaction.atomic
def accept(*, leg: Leg, **by: Unpack[Attribution]) -> Leg:
    """The organisation accepts the offer."""
    execution = executed(leg, **by)
    if leg.delivered_at is None:
        # Accepting implies delivery.
        leg = confirm_delivery(
            leg=leg,
            actor=execution.actor,
            at=execution.at,
            occurred_at=execution.occurred_at,
            origin=execution.origin,
        )
    answered_at = execution.occurred_at or execution.at
    return _step(leg, "accept", execution, lambda leg: leg.accept(at=answered_at), EventKind.LEG_ACCEPTED, "accepted")


@transaction.atomic
def start(*, leg: Leg, **by: Unpack[Attribution]) -> Leg:
    """The organisation starts work."""
    return _step(leg, "start", executed(leg, **by), lambda leg: leg.start(), EventKind.LEG_STARTED, "started")


@transaction.atomic
def wait(
    *,
    leg: Leg,
    waits_on: str,
    organisation: Organisation | None = None,
    reason: str = "",
    **by: Unpack[Attribution],
) -> Leg:
    """The organisation waits for the requester, for us, for another organisation, or for itself (`WaitsOn`)."""
    if waits_on not in WaitsOn.values:
        raise HandoffRefused(sentence("Specify who the organisation waits for: requester, us, other or own."))
    if waits_on == WaitsOn.OTHER and organisation is None:
        waits_on = WaitsOn.US
    return _step(
        leg,
        "wait",
        executed(leg, **by),
        lambda leg: leg.wait(waits_on=waits_on, organisation=organisation, reason=reason),
        EventKind.LEG_WAITING,
        "waiting",
        more={
            "waits_on": str(waits_on),
            "waits_on_organisation": organisation.public_id if organisation else "",
            "reason": reason,
        },
    )


@transaction.atomic
def resume(*, leg: Leg, **by: Unpack[Attribution]) -> Leg:
    """End the organisation's wait. If we end it, the organisation holds the ticket once its system has our answer."""
    execution = executed(leg, **by)
    is_unreached = bool(leg.remote_number) and not execution.origin

    def change(leg: Leg) -> None:
        leg.resume()
        leg.is_unreached = is_unreached

    more = {"is_unreached": int(is_unreached)}
    if is_unreached and holding.holds_back(leg.ticket_id):
        more["is_held"] = 1
    return _step(leg, "resume", execution, change, EventKind.LEG_RESUMED, "resumed", more=more)


@transaction.atomic
def finish(*, leg: Leg, resolution: str = "", is_shared: bool = True, **by: Unpack[Attribution]) -> Leg:
    """The organisation is done. Once every blocking engagement is, the owner verifies the result.

    With `is_shared`, organisations that are engaged later receive the resolution.
    """
    execution = executed(leg, **by)
    done_at = execution.occurred_at or execution.at
    return _step(
        leg,
        "finish",
        execution,
        lambda leg: leg.finish(at=done_at, resolution=resolution, is_shared=is_shared),
        EventKind.LEG_DONE,
        "done",
        texts={"resolution": resolution},
        more={} if is_shared else {"is_shared": 0},
    )


@transaction.atomic
def approve(*, leg: Leg, actor: Actor, at: datetime) -> Leg:
    """Approve the completed work of an organisation. The alternative is `reopen`."""
    leg = locked(leg)
    if leg.stage != Stage.DONE:
        raise HandoffRefused(sentence("The engagement of %(name)s is not done yet.", name=leg.organisation))
    if leg.approved_at is not None:
        return leg
    leg.approved_at = at
    leg.save(update_fields=["approved_at"])
    record(leg, EventKind.COMPLETION_APPROVED, executed(leg, actor=actor, at=at))
    return leg


@transaction.atomic
def reopen(*, leg: Leg, **by: Unpack[Attribution]) -> Leg:
    """Reopen an engagement that was not done after all: a new cycle of the same engagement."""
    return _step(leg, "reopen", executed(leg, **by), lambda leg: leg.reopen(), EventKind.LEG_REOPENED, "reopened")


def _step(
    leg: Leg,
    verb: str,
    execution: Execution,
    change: Callable[[Leg], object],
    kind: EventKind,
    did: str,
    *,
    more: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> Leg:
    """Change the stage, then let the ticket follow."""
    leg = change_stage(leg, verb, execution, change, kind, more=more, texts=texts)
    rolled_up(leg, did, execution)
    return leg
