"""Applying a vendor's status to its engagement."""

from __future__ import annotations

from datetime import datetime

from hub.domain.actors import Actor
from hub.models import Leg, Organisation, Stage
from workflows.handoffs import returns, stages, transitions
from workflows.handoffs.transitions import Attribution
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
    """Take the engagement to the stage that the vendor's status means, through every stage in between.

    A vendor that goes from new to done has accepted and worked in between. `verb` is one of `verbs.STATUSES`. No change
    if the engagement is already in that stage; HandoffRefused if the law has no way to it. With `is_forced`, the
    workflow's guards are not checked.
    """
    leg = transitions.locked(leg)
    by: Attribution = {"actor": actor, "at": at, "occurred_at": occurred_at, "origin": origin}
    by["within"] = Execution(ticket=leg.ticket, actor=actor, at=at, is_forced=is_forced)
    if verb == "acknowledge":
        return leg
    if verb == "decline" and leg.stage == Stage.OFFERED:
        return returns.decline(leg=leg, reason=reason, **by)
    if verb in ("decline", "return"):
        if leg.stage == Stage.OFFERED:
            leg = stages.accept(leg=leg, **by)
        return leg if leg.stage == Stage.RETURNED else returns.give_back(leg=leg, reason=reason, **by)
    if leg.stage == Stage.OFFERED:
        leg = stages.accept(leg=leg, **by)
    if verb == "accept":
        return leg if leg.stage != Stage.DONE else stages.reopen(leg=leg, **by)
    return _follow_work(leg, verb, by, waits_on=waits_on, organisation=organisation, reason=reason)


def _follow_work(
    leg: Leg,
    verb: str,
    by: Attribution,
    *,
    waits_on: str,
    organisation: Organisation | None,
    reason: str,
) -> Leg:
    if verb == "done":
        return leg if leg.stage == Stage.DONE else stages.finish(leg=leg, resolution=reason, **by)
    if leg.stage == Stage.ACCEPTED:
        leg = stages.start(leg=leg, **by)
    elif leg.stage == Stage.DONE:
        leg = stages.reopen(leg=leg, **by)
    if leg.stage == Stage.WAITING:
        if verb == "wait" and (leg.waits_on, leg.waits_on_organisation, leg.wait_reason) == (
            waits_on,
            organisation,
            reason,
        ):
            return leg
        leg = stages.resume(leg=leg, **by)
    if verb == "wait":
        return stages.wait(leg=leg, waits_on=waits_on, organisation=organisation, reason=reason, **by)
    if leg.stage != Stage.WORKING:
        raise transitions.HandoffRefused(transitions.refusal(leg, verb))
    return leg
