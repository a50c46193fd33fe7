"""Engagements declined, returned or expired: counted, and beyond the budget decided by joint triage."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, EventKind, Leg, ReasonCode, Ticket
from workflows.handoffs.transitions import HandoffRefused, answered, change_stage, executed, locked, record, why_not
from workflows.lifecycle import triage
from workflows.rules.execution import Execution


@transaction.atomic
def decline(
    *,
    leg: Leg,
    reason: str,
    actor: Actor,
    at: datetime,
    code: str = "",
    occurred_at: datetime | None = None,
    origin: str = "",
    within: Execution | None = None,
) -> Leg:
    """They decline; we hold the ticket again, with their reason.

    Beyond the ticket's budget of returns joint triage starts, unless a rule has engaged somebody else.
    """
    execution = executed(leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin, within=within)

    def change(leg: Leg) -> None:
        leg.decline(at=occurred_at or at, reason=reason)
        leg.reason_code = _code(code)

    leg = change_stage(
        leg, "decline", execution, change, EventKind.LEG_DECLINED, more={"code": _code(code)}, texts={"reason": reason}
    )
    _bounced(leg)
    answered(leg, "declined", execution)
    _may_be_disputed(leg, reason, execution)
    return leg


@transaction.atomic
def give_back(
    *,
    leg: Leg,
    reason: str,
    actor: Actor,
    at: datetime,
    code: str = "",
    occurred_at: datetime | None = None,
    origin: str = "",
    within: Execution | None = None,
) -> Leg:
    """They return the ticket; we hold it again, with their reason.

    A return beyond the ticket's budget is blocked: the engagement stays with them, and joint triage decides.
    """
    execution = executed(leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin, within=within)
    fresh = locked(leg)
    if why := why_not(fresh, "give_back"):
        raise HandoffRefused(why)
    if fresh.ticket.bounces >= fresh.ticket.status.version.bounce_budget:
        return _blocked(fresh, reason, _code(code), execution)

    def change(leg: Leg) -> None:
        leg.give_back(at=occurred_at or at, reason=reason)
        leg.reason_code = _code(code)

    leg = change_stage(
        leg,
        "give_back",
        execution,
        change,
        EventKind.LEG_RETURNED,
        more={"code": _code(code)},
        texts={"reason": reason},
    )
    _bounced(leg)
    answered(leg, "returned", execution)
    return leg


def _code(code: str) -> str:
    return code if code in ReasonCode.values else ""


def _bounced(leg: Leg) -> None:
    Ticket.objects.filter(pk=leg.ticket_id).update(bounces=F("bounces") + 1)


def _may_be_disputed(leg: Leg, reason: str, execution: Execution) -> None:
    """Start joint triage after a decline beyond the budget if nobody leads; a decline itself cannot be blocked."""
    ticket = Ticket.objects.select_related("status__version").get(pk=leg.ticket_id)
    if not ticket.is_open or ticket.bounces <= ticket.status.version.bounce_budget:
        return
    if leg.is_lead and not Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES, is_lead=True).exists():
        told = _("%(name)s declines: %(reason)s") % {"name": leg.organisation, "reason": reason or "–"}
        triage.start(ticket=ticket, cause="bounces", reason=told, actor=execution.actor, at=execution.at)


def _blocked(leg: Leg, reason: str, code: str, execution: Execution) -> Leg:
    """Record a return beyond the budget and start joint triage; the engagement does not change."""
    record(leg, EventKind.RETURN_BLOCKED, execution, more={"code": code}, texts={"reason": reason})
    told = _("%(name)s wants to return the ticket: %(reason)s") % {"name": leg.organisation, "reason": reason or "–"}
    triage.start(ticket=leg.ticket, cause="bounces", reason=told, actor=execution.actor, at=execution.at)
    return leg


@transaction.atomic
def expire(*, leg: Leg, actor: Actor, at: datetime) -> Leg:
    """Let an offer expire that nobody answered in time."""
    execution = executed(leg, actor=actor, at=at)
    leg = change_stage(leg, "expire", execution, lambda leg: leg.expire(at=at), EventKind.LEG_EXPIRED)
    _bounced(leg)
    answered(leg, "expired", execution)
    return leg
