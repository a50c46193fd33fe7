"""Following a vendor's status with the transitions of its engagement."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.domain.actors import Actor
from hub.models import Leg, Organisation, Stage
from workflows.handoffs import engagements, returns, transitions
from workflows.rules.execution import Execution


def follow(
    *,
    leg: Leg,
    verb: str,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    waits_on: str = "",
    organisation: Organisation | None = None,
    reason: str = "",
    is_forced: bool = False,
) -> Leg:
    """Take the engagement to where the vendor's status says, through every stage in between.

    A vendor that goes from new to done has accepted and worked in between. No change if the engagement is there
    already; HandoffRefused if there is no way. With `is_forced`, the policy's guards are not checked.
    """
    leg = transitions.locked(leg)
    came: dict[str, Any] = {"actor": actor, "at": at, "occurred_at": occurred_at, "origin": origin}
    came["within"] = Execution(ticket=leg.ticket, actor=actor, at=at, is_forced=is_forced)
    if verb == "acknowledge":
        return leg
    if verb == "decline" and leg.stage == Stage.OFFERED:
        return returns.decline(leg=leg, reason=reason, **came)
    if verb in ("decline", "return"):
        if leg.stage == Stage.OFFERED:
            leg = engagements.accept(leg=leg, **came)
        return leg if leg.stage == Stage.RETURNED else returns.give_back(leg=leg, reason=reason, **came)
    if leg.stage == Stage.OFFERED:
        leg = engagements.accept(leg=leg, **came)
    if verb == "accept":
        return leg if leg.stage != Stage.DONE else engagements.reopen(leg=leg, **came)
    return _follow_work(leg, verb, came, waits_on=waits_on, organisation=organisation, reason=reason)


def _follow_work(
    leg: Leg,
    verb: str,
    came: Mapping[str, Any],
    *,
    waits_on: str,
    organisation: Organisation | None,
    reason: str,
) -> Leg:
    if verb == "done":
        return leg if leg.stage == Stage.DONE else engagements.finish(leg=leg, resolution=reason, **came)
    if leg.stage == Stage.ACCEPTED:
        leg = engagements.start(leg=leg, **came)
    elif leg.stage == Stage.DONE:
        leg = engagements.reopen(leg=leg, **came)
    if leg.stage == Stage.WAITING:
        if verb == "wait" and (leg.waits_on, leg.waits_on_organisation, leg.wait_reason) == (
            waits_on,
            organisation,
            reason,
        ):
            return leg
        leg = engagements.resume(leg=leg, **came)
    if verb == "wait":
        return engagements.wait(leg=leg, waits_on=waits_on, organisation=organisation, reason=reason, **came)
    if leg.stage != Stage.WORKING:
        raise transitions.HandoffRefused(transitions.refusal(leg, verb))
    return leg
