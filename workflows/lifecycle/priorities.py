"""Priority from impact, urgency and the service's tier; a person may override it, with a reason.

The matrix is that of the workflow version, or else the usual one (ITIL). A mission-critical service raises the
priority by one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Phase, Priority, Service, Ticket, WorkflowVersion

USUAL = {
    "1": {"1": "P1", "2": "P2", "3": "P3"},
    "2": {"1": "P2", "2": "P3", "3": "P4"},
    "3": {"1": "P3", "2": "P4", "3": "P4"},
}
MISSION_CRITICAL = 1


def derived(
    *, impact: int | None, urgency: int | None, service: Service | None, version: WorkflowVersion | None
) -> str:
    """The priority for this impact and urgency (1 high to 3 low) and service; empty if either is unknown."""
    if impact is None or urgency is None:
        return ""
    own = (version.priority_matrix or {}) if version is not None else {}
    found = str(own.get(str(impact), {}).get(str(urgency), "") or USUAL[str(impact)][str(urgency)])
    if service is None or service.tier != MISSION_CRITICAL:
        return found
    return Priority.values[max(Priority.values.index(found) - 1, 0)]


def of(ticket: Ticket) -> str:
    """The ticket's derived priority; empty if impact or urgency is unknown."""
    return derived(impact=ticket.impact, urgency=ticket.urgency, service=ticket.service, version=ticket.status.version)


@transaction.atomic
def opened(
    *,
    priority: str = "",
    impact: int | None = None,
    urgency: int | None = None,
    service: Service | None = None,
    actor: Actor,
    at: datetime,
    **more: Any,
) -> Ticket:
    """Open a ticket with a derived priority; a given priority that differs counts as set manually."""
    state = tickets.first_state(Phase.NEW, service=service)
    follows = derived(impact=impact, urgency=urgency, service=service, version=state.version)
    ticket = tickets.open_ticket(
        priority=priority or follows or Priority.P3, service=service, actor=actor, at=at, **more
    )
    if impact is not None or urgency is not None:
        ticket = tickets.edit_ticket(ticket=ticket, changes={"impact": impact, "urgency": urgency}, actor=actor, at=at)
    return _set_manually(tickets.locked(ticket), is_set=bool(priority and follows and priority != follows))


@transaction.atomic
def weigh(*, ticket: Ticket, impact: int | None, urgency: int | None, actor: Actor, at: datetime) -> Ticket:
    """Set impact and urgency; the priority follows unless it was set manually."""
    ticket = tickets.edit_ticket(ticket=ticket, changes={"impact": impact, "urgency": urgency}, actor=actor, at=at)
    return follow(ticket=ticket, actor=actor, at=at)


def follow(*, ticket: Ticket, actor: Actor, at: datetime) -> Ticket:
    """Set the derived priority. No change if it is unknown, was set manually, or the ticket is no longer open."""
    wanted = of(ticket)
    if not wanted or ticket.is_priority_set or not ticket.is_open:
        return ticket
    return tickets.set_priority(
        ticket=ticket, priority=wanted, reason=_("impact, urgency and service"), actor=actor, at=at
    )


@transaction.atomic
def override(*, ticket: Ticket, priority: str, reason: str, actor: Actor, at: datetime) -> Ticket:
    """Set the priority manually; from then on it is no longer derived. NotEditable without a reason."""
    if not reason.strip():
        raise tickets.NotEditable(_("Enter a reason: the priority differs from the one that impact and urgency give."))
    ticket = tickets.set_priority(ticket=ticket, priority=priority, reason=reason, actor=actor, at=at)
    return _set_manually(ticket, is_set=True)


@transaction.atomic
def let_follow(*, ticket: Ticket, actor: Actor, at: datetime) -> Ticket:
    """Withdraw a priority that was set manually: it is derived again."""
    return follow(ticket=_set_manually(tickets.locked(ticket), is_set=False), actor=actor, at=at)


def _set_manually(ticket: Ticket, *, is_set: bool) -> Ticket:
    if ticket.is_priority_set != is_set:
        ticket.is_priority_set = is_set
        ticket.save(update_fields=["is_priority_set"])
    return ticket
