"""Joint triage: we and several organisations discuss whose ticket it is; one person decides by a deadline.

While joint triage is open, the time is contested: no party is charged for it until the decision.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from hub.core import statements
from hub.core.sentences import sentence
from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, EventKind, Leg, Membership, Organisation, Ticket, User
from hub.queries import permissions
from hub.translation import Refusal
from workflows.models import Triage
from workflows.notifications import notify
from workflows.notifications.notify import Told


class TriageRefused(Refusal):
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
    """Start joint triage, or return the one already open. TriageRefused without a reason, or if the ticket is not open.

    The deadline is `minutes` from now, otherwise as many as the workflow version sets. Without an `owner`, the first
    manager decides.
    """
    ticket = tickets.locked(ticket)
    known = Triage.objects.filter(ticket=ticket, decided_at=None).first()
    if known is not None:
        return known
    if not ticket.is_open:
        raise TriageRefused(sentence("%(ticket)s is no longer open; there is nothing to decide.", ticket=ticket.label))
    if not reason.strip():
        raise TriageRefused(sentence("Enter what needs to be decided: every participant reads it first."))
    minutes = minutes or ticket.status.version.triage_minutes
    owner = owner or next(iter(notify.in_role(Membership.Role.MANAGER)), None)
    triage = Triage.objects.create(
        ticket=ticket, cause=cause, reason=reason, owner=owner, began_at=at, deadline_at=at + timedelta(minutes=minutes)
    )
    triage.legs.set(Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES))
    _record_start(triage, actor=actor, at=at)
    until = triage.deadline_at.astimezone(ZoneInfo(ticket.owner.time_zone))
    _notify(triage, "began", sentence("Joint triage: decide by %(time)s", time=f"{until:%H:%M %Z}"), at)
    return triage


def _record_start(triage: Triage, *, actor: Actor, at: datetime) -> None:
    history.record(
        ticket=triage.ticket,
        kind=EventKind.TRIAGE_STARTED,
        payload={
            "triage": triage.public_id,
            "deadline": triage.deadline_at.isoformat(),
            "owner": triage.owner.public_id if triage.owner else "",
            "cause": triage.cause,
        },
        texts={"reason": triage.reason},
        actor=actor,
        at=at,
    )


@transaction.atomic
def decide(*, triage: Triage, organisation: Organisation | None, decision: str, actor: Actor, at: datetime) -> Triage:
    """Record the decision. The hand-over that follows is a separate step: `triage_decisions` does both."""
    ticket = tickets.locked(triage.ticket)
    fresh = Triage.objects.select_for_update().get(pk=triage.pk)
    if fresh.decided_at is not None:
        raise TriageRefused(sentence("This joint triage is already decided."))
    if not decision.strip():
        raise TriageRefused(sentence("Enter the decision and its reason: both are added to the ticket."))
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
    """End the open joint triage of a ticket that is no longer open; the ticket must be locked.

    After the ticket is reopened, a new joint triage can start.
    """
    found = _undecided.first(ticket.pk)
    if found is None:
        return ticket
    decide(
        triage=found,
        organisation=None,
        decision=_("The ticket was resolved or cancelled before a decision was made."),
        actor=actor,
        at=at,
    )
    return Ticket.objects.get(pk=ticket.pk)


@statements.select
def _undecided(ticket_id: int) -> QuerySet[Triage]:
    return Triage.objects.filter(ticket=ticket_id, decided_at=None)


def is_open(ticket: Ticket) -> Triage | None:
    """The ticket's open joint triage, if any."""
    return Triage.objects.filter(ticket=ticket, decided_at=None).select_related("owner").first()


# -- the deadline


def due(*, at: datetime, limit: int = 20) -> list[int]:
    """Primary keys of joint triages whose deadline has passed without a decision or a reminder."""
    return list(waiting(at=at).order_by("deadline_at", "pk").values_list("pk", flat=True)[:limit])


def waiting(*, at: datetime) -> QuerySet[Triage]:
    """Joint triages whose deadline has passed without a decision or a reminder."""
    return Triage.objects.filter(decided_at=None, reminded_at=None, deadline_at__lte=at)


@transaction.atomic
def remind(*, triage_id: int, at: datetime) -> None:
    """Notify everybody who can decide that the deadline has passed; once per joint triage."""
    tickets.locked(Triage.objects.select_related("ticket").get(pk=triage_id).ticket)
    triage = Triage.objects.select_for_update(of=("self",)).select_related("ticket", "owner").get(pk=triage_id)
    if triage.decided_at is not None or triage.reminded_at is not None:
        return
    triage.reminded_at = at
    triage.save(update_fields=["reminded_at"])
    _notify(triage, "overdue", sentence("Joint triage is overdue: nobody has decided whose ticket this is"), at)


def _notify(triage: Triage, what: str, why: str, at: datetime) -> None:
    """Notify the decision owner and the managers."""
    users = [triage.owner] if triage.owner is not None and triage.owner.is_active else []
    users += [user for user in notify.in_role(Membership.Role.MANAGER) if user not in users]
    notice = Told(
        key=f"triage:{triage.public_id}:{what}", kind="escalation", ticket=triage.ticket, why=why, is_urgent=True
    )
    notify.tell(notice, notify.people(users), at=at)


def left_to_others(user: User, ticket: Ticket) -> str:
    """Why this user cannot hand the ticket over while joint triage is open; empty if they can."""
    found = is_open(ticket)
    if found is None or permissions.may_decide(user, found.owner):
        return ""
    if found.owner is None:
        return sentence("This ticket is in joint triage: a manager decides who takes it.")
    return sentence("This ticket is in joint triage: %(person)s decides who takes it.", person=str(found.owner))
