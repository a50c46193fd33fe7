"""The facts that rules read: for many tickets at once, in a fixed number of queries. Nothing is changed here.

Rules are pure functions of these facts and their parameters, so a rule can also be evaluated for the past.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from django.db.models import Count, ForeignKey, QuerySet

from hub.core import statements
from hub.models import OPEN, OPEN_STAGES, Attachment, Clock, Leg, Message, Person, Relation, Ticket
from hub.queries.clocks import seconds_used


class Context:
    """One ticket at an instant, with everything that guards and actions may read; each fact is loaded on first use.

    `contexts` loads the facts of many tickets at once, so that a page of tickets needs as many queries as one ticket.
    """

    def __init__(
        self,
        ticket: Ticket,
        *,
        at: datetime,
        reason: str = "",
        given: Mapping[str, Any] | None = None,
        legs: Sequence[Leg] | None = None,
    ) -> None:
        """`legs`: all engagements of the ticket by number, if they are known already."""
        self.ticket, self.at = ticket, at
        self.reason = reason
        """The reason entered with the transition, or the cause of the rule."""
        self.given = dict(given or {})
        """Values of fields entered with the transition."""
        self._known_legs = legs

    @cached_property
    def legs(self) -> list[Leg]:
        if self._known_legs is not None:
            return list(self._known_legs)
        return _legs([self.ticket])[self.ticket.pk]

    @cached_property
    def clocks(self) -> list[Clock]:
        return _clocks([self.ticket])[self.ticket.pk]

    @cached_property
    def messages(self) -> int:
        return _counts(Message, [self.ticket]).get(self.ticket.pk, 0)

    @cached_property
    def attachments(self) -> int:
        return _counts(Attachment, [self.ticket]).get(self.ticket.pk, 0)

    @cached_property
    def open_children(self) -> int:
        return _children([self.ticket]).get(self.ticket.pk, 0)

    @property
    def lead(self) -> Leg | None:
        """The leading engagement, open or ended."""
        return next((leg for leg in self.legs if leg.is_lead), None)

    @property
    def open_legs(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.stage in OPEN_STAGES]

    def used(self, target: str, contract: str) -> float | None:
        """The percentage of the goal used by the clock, the highest if there are several; None if there is no clock."""
        found = [
            100 * seconds_used(clock, at=self.at) / clock.goal_seconds
            for clock in self.clocks
            if clock.goal_seconds and clock.target == target and clock.contract.kind == contract
        ]
        return max(found, default=None)

    def plain(self) -> dict[str, Any]:
        """The facts as plain values, under the names that expressions may use (`EXPRESSION_NAMES`)."""
        requester, lead = self.ticket.requester, self.lead
        return {
            "ticket": self._plain_ticket(),
            "lead": _leg(lead) if lead is not None else {},
            "requester": _person(requester) if requester is not None else {},
            "legs": [_leg(leg) for leg in self.legs],
            "clocks": [_clock(clock) for clock in self.clocks],
        }

    def _plain_ticket(self) -> dict[str, Any]:
        ticket = self.ticket
        return {
            "number": ticket.label,
            "title": ticket.title,
            "description": ticket.description,
            "kind": ticket.kind,
            "priority": ticket.priority,
            "impact": ticket.impact,
            "urgency": ticket.urgency,
            "phase": str(ticket.phase),
            "status": ticket.status.slug,
            "bounces": ticket.bounces,
            "is_major": ticket.is_major,
            "service": ticket.service.name if ticket.service else "",
            "tier": ticket.service.tier if ticket.service else 0,
            "holder": ticket.holder.name,
            "hold_reason": ticket.hold_reason,
            "open_children": self.open_children,
            "age_minutes": int((self.at - ticket.opened_at).total_seconds() // 60),
        }


def _person(person: Person) -> dict[str, Any]:
    return {"name": person.name, "is_vip": person.is_vip, "organisation": person.organisation.name}


def _clock(clock: Clock) -> dict[str, Any]:
    return {
        "target": clock.target,
        "contract": clock.contract.kind,
        "party": clock.party.name,
        "state": clock.state,
        "is_breached": clock.is_breached,
    }


def _leg(leg: Leg) -> dict[str, Any]:
    return {
        "organisation": leg.organisation.name,
        "stage": str(leg.stage),
        "is_lead": leg.is_lead,
        "waits_on": leg.waits_on,
        "reason_code": leg.reason_code,
        "remote_status": leg.remote_status,
    }


RELATED = ("status__version", "service", "requester__organisation", "holder", "owner", "team", "assignee")
"""Relations of a ticket that are loaded with it."""


def _legs(tickets: Sequence[Ticket]) -> dict[int, list[Leg]]:
    rows = {ticket.pk: ticket for ticket in tickets}
    found: dict[int, list[Leg]] = {pk: [] for pk in rows}
    for leg in _legs_of_one(*rows) if len(rows) == 1 else _in_order(Leg.objects.filter(ticket__in=list(rows))):
        leg.ticket = rows[leg.ticket_id]
        found[leg.ticket_id].append(leg)
    return found


@statements.select
def _legs_of_one(ticket_id: int) -> QuerySet[Leg]:
    return _in_order(Leg.objects.filter(ticket=ticket_id))


def _in_order(legs: QuerySet[Leg]) -> QuerySet[Leg]:
    return legs.select_related("organisation").order_by("number")


def _clocks(tickets: Sequence[Ticket]) -> dict[int, list[Clock]]:
    found: dict[int, list[Clock]] = {ticket.pk: [] for ticket in tickets}
    rows = Clock.objects.filter(ticket__in=list(found), is_current=True)
    for clock in rows.select_related("contract__calendar", "calendar", "party").order_by("pk"):
        found[clock.ticket_id].append(clock)
    return found


def _counts(model: type[Message] | type[Attachment], tickets: Sequence[Ticket]) -> dict[int, int]:
    rows = model._default_manager.filter(ticket__in=[ticket.pk for ticket in tickets])
    return dict(rows.values_list("ticket").annotate(count=Count("pk")))


def _children(tickets: Sequence[Ticket]) -> dict[int, int]:
    rows = Relation.objects.filter(
        from_ticket__in=[ticket.pk for ticket in tickets], kind=Relation.Kind.PARENT, to_ticket__phase__in=OPEN
    )
    return dict(rows.values_list("from_ticket").annotate(count=Count("pk")))


def contexts(tickets: Iterable[Ticket], *, at: datetime) -> dict[int, Context]:
    """The facts of these tickets by primary key, in a fixed number of queries, however many tickets there are."""
    rows = list(tickets)
    legs, clocks, children = _legs(rows), _clocks(rows), _children(rows)
    messages, attachments = _counts(Message, rows), _counts(Attachment, rows)
    found = {}
    for ticket in rows:
        made = found[ticket.pk] = Context(ticket, at=at)
        made.legs, made.clocks = legs[ticket.pk], clocks[ticket.pk]
        made.messages, made.attachments = messages.get(ticket.pk, 0), attachments.get(ticket.pk, 0)
        made.open_children = children.get(ticket.pk, 0)
    return found


def context(ticket: Ticket, *, at: datetime, reason: str = "", given: Mapping[str, Any] | None = None) -> Context:
    """The facts of one ticket; its row is read again, with its `RELATED` rows."""
    return Context(fresh(ticket), at=at, reason=reason, given=given)


def fresh(ticket: Ticket) -> Ticket:
    """The ticket, read again with its `RELATED` rows."""
    return _fresh.one(ticket.pk)


def again(ticket: Ticket) -> Ticket:
    """The ticket, read again without its `RELATED` rows: those that it still refers to are those of `ticket`."""
    found = _alone.one(ticket.pk)
    for name in RELATED:
        field = cast("ForeignKey[Any, Any]", Ticket._meta.get_field(name.partition("__")[0]))
        if field.is_cached(ticket) and getattr(found, field.attname) == getattr(ticket, field.attname):
            field.set_cached_value(found, field.get_cached_value(ticket))
    return found


@statements.select
def _alone(ticket_id: int) -> QuerySet[Ticket]:
    return Ticket.objects.filter(pk=ticket_id)


@statements.select
def _fresh(ticket_id: int) -> QuerySet[Ticket]:
    return Ticket.objects.select_related(*RELATED).filter(pk=ticket_id)


def all_done(legs: Iterable[Leg]) -> bool:
    """Whether none of these engagements is both open and blocking."""
    return all(leg.stage not in OPEN_STAGES or not leg.is_blocking for leg in legs)
