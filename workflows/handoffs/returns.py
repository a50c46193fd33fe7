"""Engagements declined, returned or expired: counted, and decided by joint triage beyond the return limit."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, EventKind, Leg, ReasonCode, Ticket
from workflows.handoffs.transitions import (
    Attribution,
    HandoffRefused,
    answered,
    change_stage,
    executed,
    locked,
    record,
    why_not,
)
from workflows.lifecycle import triage
from workflows.rules.execution import Execution


@transaction.atomic
def decline(*, leg: Leg, reason: str, code: str = "", **by: Unpack[Attribution]) -> Leg:
    """The organisation declines; we hold the ticket again. `code` is a `ReasonCode`; any other value is ignored.

    Beyond the workflow's return limit joint triage starts, unless a rule has engaged another organisation.
    """
    execution = executed(leg, **by)

    def change(leg: Leg) -> None:
        leg.decline(at=execution.occurred_at or execution.at, reason=reason)
        leg.reason_code = _code(code)

    more, texts = {"code": _code(code)}, {"reason": reason}
    leg = change_stage(leg, "decline", execution, change, EventKind.LEG_DECLINED, more=more, texts=texts)
    _count_return(leg)
    answered(leg, "declined", execution)
    _start_triage_beyond_limit(leg, reason, execution)
    return leg


@transaction.atomic
def give_back(*, leg: Leg, reason: str, code: str = "", **by: Unpack[Attribution]) -> Leg:
    """The organisation returns the ticket; we hold it again. `code` is a `ReasonCode`; any other value is ignored.

    A return beyond the workflow's return limit is blocked: the engagement stays open, and joint triage decides.
    """
    execution = executed(leg, **by)
    fresh = locked(leg)
    if why := why_not(fresh, "give_back"):
        raise HandoffRefused(why)
    if fresh.ticket.bounces >= fresh.ticket.status.version.bounce_budget:
        return _blocked(fresh, reason, _code(code), execution)

    def change(leg: Leg) -> None:
        leg.give_back(at=execution.occurred_at or execution.at, reason=reason)
        leg.reason_code = _code(code)

    more, texts = {"code": _code(code)}, {"reason": reason}
    leg = change_stage(leg, "give_back", execution, change, EventKind.LEG_RETURNED, more=more, texts=texts)
    _count_return(leg)
    answered(leg, "returned", execution)
    return leg


def _code(code: str) -> str:
    return code if code in ReasonCode.values else ""


def _count_return(leg: Leg) -> None:
    Ticket.objects.filter(pk=leg.ticket_id).update(bounces=F("bounces") + 1)


def _start_triage_beyond_limit(leg: Leg, reason: str, execution: Execution) -> None:
    """Start joint triage after a decline beyond the limit if nobody leads; a decline itself cannot be blocked."""
    ticket = Ticket.objects.select_related("status__version").get(pk=leg.ticket_id)
    if not ticket.is_open or ticket.bounces <= ticket.status.version.bounce_budget:
        return
    if leg.is_lead and not Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES, is_lead=True).exists():
        why = _("%(name)s declines: %(reason)s") % {"name": leg.organisation, "reason": reason or "–"}
        triage.start(ticket=ticket, cause="bounces", reason=why, actor=execution.actor, at=execution.at)


def _blocked(leg: Leg, reason: str, code: str, execution: Execution) -> Leg:
    """Record a return beyond the limit and start joint triage; the engagement does not change."""
    record(leg, EventKind.RETURN_BLOCKED, execution, more={"code": code}, texts={"reason": reason})
    why = _("%(name)s tried to return the ticket: %(reason)s") % {"name": leg.organisation, "reason": reason or "–"}
    triage.start(ticket=leg.ticket, cause="bounces", reason=why, actor=execution.actor, at=execution.at)
    return leg


@transaction.atomic
def expire(*, leg: Leg, actor: Actor, at: datetime) -> Leg:
    """Let an offer expire that was not answered in time. HandoffRefused if it has been answered."""
    execution = executed(leg, actor=actor, at=at)
    leg = change_stage(leg, "expire", execution, lambda leg: leg.expire(at=at), EventKind.LEG_EXPIRED)
    _count_return(leg)
    answered(leg, "expired", execution)
    return leg
