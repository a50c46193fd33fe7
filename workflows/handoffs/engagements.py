"""The only way to change an engagement: offer a ticket to an organisation and record what it does with it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, EventKind, Leg, Message, Organisation, Phase, Stage, Ticket, WaitsOn
from workflows.handoffs import briefing
from workflows.handoffs.transitions import HandoffRefused, change_stage, executed, locked, record, rolled_up
from workflows.lifecycle import transitions
from workflows.rules.execution import Execution


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

    They hold the ticket from confirmed delivery on; until then the time is transport. Their time to answer starts then,
    too. `also`: messages they receive although these were not addressed to them.
    """
    ticket = tickets.locked(ticket)
    _may_be_engaged(ticket, organisation)
    giver = _giver(ticket)
    if is_lead:
        _take_lead(ticket)
    pack = briefing.pack(ticket, to=organisation, reason=reason, also=also)
    leg = Leg.objects.create(
        ticket=ticket,
        organisation=organisation,
        given_by=giver,
        number=_next_number(ticket),
        is_lead=is_lead,
        is_blocking=is_blocking,
        brief=briefing.as_text(pack),
        pack=pack,
        reason=reason,
        priority=ticket.priority,
        offered_at=at,
        deadline_at=_deadline(ticket, at, accept_within),
    )
    record(
        leg,
        EventKind.LEG_OFFERED,
        executed(leg, actor=actor, at=at),
        more={
            "given_by": giver.public_id,
            "is_lead": int(is_lead),
            "is_blocking": int(is_blocking),
            "deadline": leg.deadline_at.isoformat() if leg.deadline_at else "",
        },
        texts={"reason": reason},
    )
    if ticket.phase == Phase.NEW:
        transitions.move(ticket=ticket, name="activate", actor=actor, at=at)
    return Leg.objects.get(pk=leg.pk)


def _deadline(ticket: Ticket, at: datetime, accept_within: timedelta | None) -> datetime | None:
    """The deadline of an offer: as given, otherwise as the workflow says; None for no deadline."""
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
        why = _("Handed over to %(name)s.") % {"name": organisation}
        recall(leg=lead, actor=actor, at=at, reason=f"{why} {reason}".strip())
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


@transaction.atomic
def begin_there(
    *,
    ticket: Ticket,
    organisation: Organisation,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    within: Execution | None = None,
) -> Leg:
    """The engagement for a ticket created in the vendor's system: already working, without an acceptance clock."""
    ticket = tickets.locked(ticket)
    _take_lead(ticket)
    leg = Leg(
        ticket=ticket,
        organisation=organisation,
        given_by=ticket.owner,
        number=_next_number(ticket),
        stage=Stage.WORKING,
        is_lead=True,
        is_born_there=True,
        priority=ticket.priority,
        offered_at=occurred_at or at,
        delivered_at=occurred_at or at,
        answered_at=occurred_at or at,
    )
    leg.save()
    execution = executed(leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin, within=within)
    record(leg, EventKind.LEG_BORN, execution, more={"is_lead": 1})
    transitions.roll_up(ticket=ticket, actor=actor, at=at, occurred_at=occurred_at, origin=origin)
    return Leg.objects.get(pk=leg.pk)


@transaction.atomic
def confirm_delivery(
    *, leg: Leg, actor: Actor, at: datetime, occurred_at: datetime | None = None, origin: str = "", key: str = ""
) -> Leg:
    """Record that the offer reached their system: they hold the ticket from now on. Idempotent."""
    leg = locked(leg)
    if leg.delivered_at is not None:
        return leg
    leg.delivered_at = occurred_at or at
    if leg.deadline_at is not None:
        # Their time to answer counts from delivery.
        leg.deadline_at += max(leg.delivered_at - leg.offered_at, timedelta(0))
    leg.save(update_fields=["delivered_at", "deadline_at"])
    record(
        leg,
        EventKind.LEG_DELIVERED,
        executed(leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin),
        more={"remote": key},
    )
    return leg


@transaction.atomic
def confirm_reached(*, leg: Leg, actor: Actor, at: datetime, origin: str = "") -> Leg:
    """Record that our last answer reached their system; no change if none was under way."""
    leg = locked(leg)
    if not leg.is_unreached:
        return leg
    leg.is_unreached = False
    leg.save(update_fields=["is_unreached"])
    record(leg, EventKind.LEG_REACHED, executed(leg, actor=actor, at=at, origin=origin))
    return leg


@transaction.atomic
def accept(
    *,
    leg: Leg,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    within: Execution | None = None,
) -> Leg:
    """They accept the engagement."""
    execution = executed(leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin, within=within)
    if leg.delivered_at is None:
        # Accepting implies delivery.
        leg = confirm_delivery(leg=leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin)
    leg = change_stage(leg, "accept", execution, lambda leg: leg.accept(at=occurred_at or at), EventKind.LEG_ACCEPTED)
    rolled_up(leg, "accepted", execution)
    return leg


@transaction.atomic
def start(
    *,
    leg: Leg,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    within: Execution | None = None,
) -> Leg:
    """They start work."""
    execution = executed(leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin, within=within)
    leg = change_stage(leg, "start", execution, lambda leg: leg.start(), EventKind.LEG_STARTED)
    rolled_up(leg, "started", execution)
    return leg


@transaction.atomic
def wait(
    *,
    leg: Leg,
    waits_on: str,
    actor: Actor,
    at: datetime,
    organisation: Organisation | None = None,
    reason: str = "",
    occurred_at: datetime | None = None,
    origin: str = "",
    within: Execution | None = None,
) -> Leg:
    """They wait for the requester, for us, for another organisation, or for themselves."""
    execution = executed(leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin, within=within)
    if waits_on not in WaitsOn.values:
        raise HandoffRefused(_("Say who is waited for: requester, us, other or own."))
    if waits_on == WaitsOn.OTHER and organisation is None:
        waits_on = WaitsOn.US
    leg = change_stage(
        leg,
        "wait",
        execution,
        lambda leg: leg.wait(waits_on=waits_on, organisation=organisation, reason=reason),
        EventKind.LEG_WAITING,
        more={
            "waits_on": str(waits_on),
            "waits_on_organisation": organisation.public_id if organisation else "",
            "reason": reason,
        },
    )
    rolled_up(leg, "waiting", execution)
    return leg


@transaction.atomic
def resume(
    *,
    leg: Leg,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    within: Execution | None = None,
) -> Leg:
    """End their waiting. If we end it, they hold the ticket once our answer has reached their system."""
    execution = executed(leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin, within=within)
    unreached = bool(leg.remote_number) and not origin
    leg = change_stage(
        leg,
        "resume",
        execution,
        lambda leg: _resumed(leg, unreached),
        EventKind.LEG_RESUMED,
        more={"is_unreached": int(unreached)},
    )
    rolled_up(leg, "resumed", execution)
    return leg


def _resumed(leg: Leg, is_unreached: bool) -> None:
    leg.resume()
    leg.is_unreached = is_unreached


@transaction.atomic
def finish(
    *,
    leg: Leg,
    actor: Actor,
    at: datetime,
    resolution: str = "",
    occurred_at: datetime | None = None,
    origin: str = "",
    within: Execution | None = None,
) -> Leg:
    """They are done; once every blocking engagement is, the owner verifies."""
    execution = executed(leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin, within=within)
    leg = change_stage(
        leg,
        "finish",
        execution,
        lambda leg: leg.finish(at=occurred_at or at, resolution=resolution),
        EventKind.LEG_DONE,
        texts={"resolution": resolution},
    )
    rolled_up(leg, "done", execution)
    return leg


@transaction.atomic
def recall(*, leg: Leg, reason: str, actor: Actor, at: datetime) -> Leg:
    """We take the ticket back."""
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
    """Make this open engagement the leading one; the previous one continues beside it.

    The leading engagement is blocking: the ticket cannot be resolved before it is done.
    """
    leg = locked(leg)
    if not leg.is_open:
        raise HandoffRefused(
            _("The engagement of %(name)s is over; offer the ticket again.") % {"name": leg.organisation}
        )
    if not leg.ticket.is_open:
        raise HandoffRefused(_("%(ticket)s is over; reopen it first.") % {"ticket": leg.ticket.label})
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


@transaction.atomic
def approve(*, leg: Leg, actor: Actor, at: datetime) -> Leg:
    """Confirm that their work is done. The alternative is `reopen`."""
    leg = locked(leg)
    if leg.stage != Stage.DONE:
        raise HandoffRefused(_("The engagement of %(name)s is not done yet.") % {"name": leg.organisation})
    if leg.approved_at is not None:
        return leg
    leg.approved_at = at
    leg.save(update_fields=["approved_at"])
    record(leg, EventKind.COMPLETION_APPROVED, executed(leg, actor=actor, at=at))
    return leg


@transaction.atomic
def reopen(
    *,
    leg: Leg,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    within: Execution | None = None,
) -> Leg:
    """Reopen an engagement that was not done after all: a new cycle of the same engagement."""
    execution = executed(leg, actor=actor, at=at, occurred_at=occurred_at, origin=origin, within=within)
    leg = change_stage(leg, "reopen", execution, lambda leg: leg.reopen(), EventKind.LEG_REOPENED)
    rolled_up(leg, "reopened", execution)
    return leg


def _may_be_engaged(ticket: Ticket, organisation: Organisation) -> None:
    if not ticket.is_open:
        raise HandoffRefused(
            _("%(label)s is %(phase)s; reopen it before handing it over.")
            % {"label": ticket.label, "phase": ticket.get_phase_display()}
        )
    if organisation.archived_at is not None:
        raise HandoffRefused(_("%(name)s is archived and takes no tickets.") % {"name": organisation})
    open_legs = Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES)
    if open_legs.filter(organisation=organisation).exists():
        raise HandoffRefused(
            _("%(name)s is already engaged on this ticket; make that engagement the leading one instead.")
            % {"name": organisation}
        )
    most = ticket.status.version.most_organisations
    if open_legs.count() >= most:
        text = ngettext(
            "Only %(most)d organisation may be engaged at the same time; recall it first.",
            "Only %(most)d organisations may be engaged at the same time; recall one first.",
            most,
        )
        raise HandoffRefused(text % {"most": most})


def _giver(ticket: Ticket) -> Organisation:
    """The organisation that offers: always us. A vendor's return comes back to us first."""
    return ticket.owner


def _take_lead(ticket: Ticket) -> None:
    Leg.objects.filter(ticket=ticket, is_lead=True).update(is_lead=False)


def _next_number(ticket: Ticket) -> int:
    return (Leg.objects.filter(ticket=ticket).aggregate(last=Max("number"))["last"] or 0) + 1
