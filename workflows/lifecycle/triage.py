"""Joint triage: we and several organisations discuss whose ticket it is; one person decides by a deadline.

While it is open, the time is contested: nobody is charged for it until the decision.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, EventKind, Leg, Membership, Organisation, Ticket, User
from workflows.models import Triage
from workflows.notifications import notify
from workflows.notifications.notify import Told


class TriageRefused(Exception):
    """Joint triage cannot be started or decided now; the message says why."""


@transaction.atomic
def start(
    *,
    ticket: Ticket,
    cause: str,
    reason: str,
    actor: Actor,
    at: datetime,
    owner: User | None = None,
    minutes: int | None = None,
) -> Triage:
    """Start joint triage, or return the one already open. TriageRefused without a reason or on a finished ticket."""
    ticket = tickets.locked(ticket)
    known = Triage.objects.filter(ticket=ticket, decided_at=None).first()
    if known is not None:
        return known
    if not ticket.is_open:
        raise TriageRefused(_("%(ticket)s is over; there is nothing to decide.") % {"ticket": ticket.label})
    if not reason.strip():
        raise TriageRefused(_("Say what needs to be decided: every participant reads that first."))
    minutes = minutes or ticket.status.version.triage_minutes
    owner = owner or next(iter(notify.in_role(Membership.Role.MANAGER)), None)
    triage = Triage.objects.create(
        ticket=ticket, cause=cause, reason=reason, owner=owner, began_at=at, deadline_at=at + timedelta(minutes=minutes)
    )
    triage.legs.set(Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES))
    history.record(
        ticket=ticket,
        kind=EventKind.TRIAGE_STARTED,
        payload={
            "triage": triage.public_id,
            "deadline": triage.deadline_at.isoformat(),
            "owner": owner.public_id if owner else "",
            "cause": cause,
        },
        texts={"reason": reason} if reason else {},
        actor=actor,
        at=at,
    )
    until = triage.deadline_at.astimezone(ZoneInfo(ticket.owner.time_zone))
    _tell(triage, "began", _("Joint triage: decide by %(time)s") % {"time": f"{until:%H:%M %Z}"}, at)
    return triage


@transaction.atomic
def decide(*, triage: Triage, organisation: Organisation | None, decision: str, actor: Actor, at: datetime) -> Triage:
    """Record the decision. The hand-over that follows is a separate step: `triage_decisions` does both."""
    ticket = tickets.locked(triage.ticket)
    fresh = Triage.objects.select_for_update().get(pk=triage.pk)
    if fresh.decided_at is not None:
        raise TriageRefused(_("This joint triage is already decided."))
    if not decision.strip():
        raise TriageRefused(_("Enter the decision and its reason: both go with the ticket."))
    fresh.decided_at, fresh.decided_for, fresh.decision = at, organisation, decision
    fresh.save(update_fields=["decided_at", "decided_for", "decision"])
    history.record(
        ticket=ticket,
        kind=EventKind.TRIAGE_DECIDED,
        payload={"triage": fresh.public_id, "organisation": organisation.public_id if organisation else ""},
        texts={"decision": decision},
        actor=actor,
        at=at,
    )
    return fresh


def ended(*, ticket: Ticket, actor: Actor, at: datetime) -> Ticket:
    """End the open joint triage of a ticket that is over; after a reopen a new one can start. The ticket is locked."""
    found = Triage.objects.filter(ticket=ticket, decided_at=None).first()
    if found is None:
        return ticket
    decide(
        triage=found, organisation=None, decision=_("The ticket ended before a decision was made."), actor=actor, at=at
    )
    return Ticket.objects.get(pk=ticket.pk)


def is_open(ticket: Ticket) -> Triage | None:
    return Triage.objects.filter(ticket=ticket, decided_at=None).select_related("owner").first()


# -- the deadline


def due(*, at: datetime, limit: int = 20) -> list[int]:
    rows = Triage.objects.filter(decided_at=None, reminded_at=None, deadline_at__lte=at)
    return list(rows.order_by("deadline_at", "pk").values_list("pk", flat=True)[:limit])


@transaction.atomic
def remind(*, triage_id: int, at: datetime) -> None:
    """Remind everybody who can decide that the deadline has passed; once per joint triage."""
    tickets.locked(Triage.objects.select_related("ticket").get(pk=triage_id).ticket)
    triage = Triage.objects.select_for_update(of=("self",)).select_related("ticket", "owner").get(pk=triage_id)
    if triage.decided_at is not None or triage.reminded_at is not None:
        return
    triage.reminded_at = at
    triage.save(update_fields=["reminded_at"])
    _tell(triage, "overdue", _("Joint triage is overdue: nobody has decided whose ticket this is"), at)


def _tell(triage: Triage, what: str, why: str, at: datetime) -> None:
    users = [triage.owner] if triage.owner is not None and triage.owner.is_active else []
    users += [user for user in notify.in_role(Membership.Role.MANAGER) if user not in users]
    told = Told(
        key=f"triage:{triage.public_id}:{what}", kind="escalation", ticket=triage.ticket, why=str(why), is_urgent=True
    )
    notify.tell(told, notify.people(users), at=at)
