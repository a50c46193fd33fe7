"""Engaging organisations: offering a ticket, handing it over, giving the lead, recalling an engagement.

What an organisation then does with its engagement is in `stages`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Unpack

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from hub.core import statements
from hub.core.rows import insert
from hub.core.sentences import sentence, sentences
from hub.core.statements import Change
from hub.domain import holding, tickets
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, EventKind, Leg, Message, Organisation, Phase, Stage, Ticket
from workflows.handoffs import briefing
from workflows.handoffs.transitions import Attribution, HandoffRefused, change_stage, executed, locked, record
from workflows.lifecycle import transitions


@transaction.atomic
def offer(
    *,
    ticket: Ticket,
    organisation: Organisation,
    actor: Actor,
    at: datetime,
    reason: str = "",
    is_lead: bool = True,
    is_blocking: bool = True,
    accept_within: timedelta | None = None,
    also: Iterable[Message] = (),
) -> Leg:
    """Offer the ticket to an organisation. With `is_lead`, the previous leading engagement loses the lead.

    The organisation holds the ticket from confirmed delivery on; until then the time is transport. Its time to answer
    starts then, too. `also`: messages it receives although they were not addressed to it.
    """
    ticket = tickets.locked(ticket)
    _may_be_engaged(ticket, organisation)
    if is_lead:
        _take_lead(ticket)
    pack = briefing.pack(ticket, to=organisation, reason=reason, also=also)
    leg = _new_leg(
        ticket,
        organisation,
        is_lead=is_lead,
        is_blocking=is_blocking,
        brief=briefing.as_text(pack),
        pack=pack,
        reason=reason,
        offered_at=at,
        deadline_at=_deadline(ticket, at, accept_within),
    )
    _record_offer(leg, actor=actor, at=at)
    if ticket.phase == Phase.NEW:
        transitions.move(ticket=ticket, name="activate", actor=actor, at=at)
    return Leg.objects.get(pk=leg.pk)


def _record_offer(leg: Leg, **by: Unpack[Attribution]) -> None:
    facts = {
        "given_by": leg.given_by.public_id,
        "is_lead": int(leg.is_lead),
        "is_blocking": int(leg.is_blocking),
        "deadline": leg.deadline_at.isoformat() if leg.deadline_at else "",
    } | ({"is_held": 1} if holding.holds_back(leg.ticket_id) else {})
    record(leg, EventKind.LEG_OFFERED, executed(leg, **by), more=facts, texts={"reason": leg.reason})


def _deadline(ticket: Ticket, at: datetime, accept_within: timedelta | None) -> datetime | None:
    """The deadline of an offer: as given, otherwise as the workflow version sets it; None for no deadline."""
    minutes = ticket.status.version.accept_minutes
    within = accept_within or (timedelta(minutes=minutes) if minutes else None)
    return at + within if within else None


@transaction.atomic
def hand_over(
    *,
    ticket: Ticket,
    organisation: Organisation,
    actor: Actor,
    at: datetime,
    reason: str = "",
    is_blocking: bool = True,
    accept_within: timedelta | None = None,
    also: Iterable[Message] = (),
) -> Leg:
    """Hand the ticket over: recall the leading engagement and offer the ticket to another organisation."""
    ticket = tickets.locked(ticket)
    _may_be_engaged(ticket, organisation)
    lead = Leg.objects.filter(ticket=ticket, is_lead=True, stage__in=OPEN_STAGES).first()
    if lead is not None:
        recall(leg=lead, actor=actor, at=at, reason=_why_recalled(organisation, reason))
    return offer(
        ticket=ticket,
        organisation=organisation,
        actor=actor,
        at=at,
        reason=reason,
        is_blocking=is_blocking,
        accept_within=accept_within,
        also=also,
    )


def _why_recalled(organisation: Organisation, reason: str) -> str:
    if reason.strip():
        return _("Handed over to %(name)s. %(reason)s") % {"name": organisation, "reason": reason}
    return _("Handed over to %(name)s.") % {"name": organisation}


@transaction.atomic
def begin_there(*, ticket: Ticket, organisation: Organisation, **by: Unpack[Attribution]) -> Leg:
    """The engagement for a ticket created in the vendor's system: already working, without an acceptance clock."""
    ticket = tickets.locked(ticket)
    began_at = by.get("occurred_at") or by["at"]
    _take_lead(ticket)
    leg = _new_leg(
        ticket,
        organisation,
        stage=Stage.WORKING,
        is_lead=True,
        is_born_there=True,
        offered_at=began_at,
        delivered_at=began_at,
        answered_at=began_at,
    )
    execution = executed(leg, **by)
    record(leg, EventKind.LEG_BORN, execution, more={"is_lead": 1})
    transitions.roll_up(
        ticket=ticket,
        actor=execution.actor,
        at=execution.at,
        occurred_at=execution.occurred_at,
        origin=execution.origin,
    )
    return Leg.objects.get(pk=leg.pk)


@transaction.atomic
def recall(*, leg: Leg, reason: str, actor: Actor, at: datetime) -> Leg:
    """End the engagement and take the ticket back."""
    return change_stage(
        leg,
        "recall",
        executed(leg, actor=actor, at=at),
        lambda leg: leg.recall(at=at, reason=reason),
        EventKind.LEG_RECALLED,
        texts={"reason": reason},
    )


@transaction.atomic
def give_lead(*, leg: Leg, actor: Actor, at: datetime, reason: str = "", accept_within: timedelta | None = None) -> Leg:
    """Make this open engagement the leading one; the previous one stays open.

    The leading engagement is blocking: the ticket cannot be resolved before it is done.
    """
    leg = locked(leg)
    if not leg.is_open:
        raise HandoffRefused(
            sentence("The engagement of %(name)s has ended; offer the ticket again.", name=leg.organisation)
        )
    if not leg.ticket.is_open:
        raise HandoffRefused(sentence("%(ticket)s is no longer open; reopen it first.", ticket=leg.ticket.label))
    if accept_within is not None and leg.stage == Stage.OFFERED:
        leg.deadline_at = at + accept_within
        leg.save(update_fields=["deadline_at"])
    if not leg.is_lead:
        _take_lead(leg.ticket)
        leg.is_lead = leg.is_blocking = True
        leg.save(update_fields=["is_lead", "is_blocking"])
        record(leg, EventKind.LEG_LEADS, executed(leg, actor=actor, at=at), texts={"reason": reason})
        transitions.roll_up(ticket=leg.ticket, actor=actor, at=at)
        ticket = Ticket.objects.get(pk=leg.ticket_id)
        if leg.stage == Stage.OFFERED and ticket.phase == Phase.WAITING:
            transitions.move(ticket=ticket, name="activate", actor=actor, at=at)
    return leg


def _may_be_engaged(ticket: Ticket, organisation: Organisation) -> None:
    """HandoffRefused if the ticket cannot be offered to this organisation now."""
    if not ticket.is_open:
        raise HandoffRefused(
            sentence(
                "%(label)s is %(phase)s; reopen it before handing it over.",
                label=ticket.label,
                phase=ticket.get_phase_display(),
            )
        )
    if organisation.archived_at is not None:
        raise HandoffRefused(sentence("%(name)s is archived and takes no tickets.", name=organisation))
    engaged = _engaged(ticket.pk)
    if organisation.pk in engaged:
        raise HandoffRefused(
            sentence(
                "%(name)s is already engaged on this ticket; make that engagement the leading one instead.",
                name=organisation,
            )
        )
    most = ticket.status.version.most_organisations
    if len(engaged) >= most:
        raise HandoffRefused(
            sentences(
                "Only %(most)d organisation may be engaged at the same time; recall it first.",
                "Only %(most)d organisations may be engaged at the same time; recall one first.",
                most,
                most=most,
            )
        )


@statements.select
def _engaged(ticket_id: int) -> QuerySet[Leg, int]:
    """The organisation of each open engagement."""
    return Leg.objects.filter(ticket=ticket_id, stage__in=OPEN_STAGES).values_list("organisation_id", flat=True)


@statements.select
def _last_number(ticket_id: int) -> QuerySet[Leg, int]:
    return Leg.objects.filter(ticket=ticket_id).order_by("-number").values_list("number", flat=True)[:1]


def _new_leg(ticket: Ticket, organisation: Organisation, **facts: Any) -> Leg:
    """A new engagement, given by the ticket's owner: a ticket that a vendor returns comes back to us first."""
    leg = Leg(
        ticket=ticket,
        organisation=organisation,
        given_by=ticket.owner,
        number=(_last_number.first(ticket.pk) or 0) + 1,
        priority=ticket.priority,
        **facts,
    )
    insert(leg)
    return leg


def _take_lead(ticket: Ticket) -> None:
    """Take the lead from the engagement that has it, before another one gets it."""
    _without_lead(ticket.pk)


@statements.update
def _without_lead(ticket_id: int) -> Change:
    return Change(Leg.objects.filter(ticket=ticket_id, is_lead=True), {"is_lead": False})
