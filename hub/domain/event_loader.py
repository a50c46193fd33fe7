"""Loads the events from which ledger and clocks are folded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from hub.core import statements
from hub.models import ActorKind, Event, EventKind, Ticket

FOLDED = frozenset(EventKind) - {
    EventKind.TICKET_EDITED,
    EventKind.MESSAGE_WITHDRAWN,
    EventKind.ATTACHMENT_ADDED,
    EventKind.ALERT_FIRED,
    EventKind.ALERT_RECOVERED,
    EventKind.ALERT_ACKNOWLEDGED,
    EventKind.TICKET_RELATED,
    EventKind.TICKET_UNRELATED,
    EventKind.STATUS_CHANGED,
    EventKind.TICKET_ASSIGNED,
    EventKind.VERSION_MOVED,
    EventKind.MAJOR_CHANGED,
    EventKind.RULE_ACTED,
    EventKind.ESCALATED,
    EventKind.ESCALATION_ACKNOWLEDGED,
    EventKind.RETURN_BLOCKED,
    EventKind.COMPLETION_APPROVED,
    EventKind.TEXTS_ERASED,
    EventKind.TASK_ADDED,
    EventKind.TASK_DONE,
}
"""Kinds that affect the ledger or the clocks."""


class Facts(NamedTuple):
    """The parts of an event that a fold needs; times in Unix seconds.

    `at` is when the event occurred, `learned_at` when it was recorded.
    """

    at: int
    seq: int
    kind: str
    payload: dict[str, object]
    learned_at: int
    is_from_vendor: bool


def organisations_in(events: Iterable[Facts]) -> set[str]:
    """Public ids of the organisations that the events name: the owner, and those engaged."""
    named = {event.payload.get(name) for event in events for name in ("owner", "organisation")}
    return {str(name) for name in named if name}


def load(ticket: Ticket) -> list[Facts]:
    """The ticket's events of the kinds in FOLDED, in the order in which they occurred, without those undone."""
    return load_all([ticket])[ticket.pk]


def load_all(tickets: Iterable[Ticket], *, since: Mapping[int, int] | None = None) -> dict[int, list[Facts]]:
    """The same for many tickets, by their primary keys, with one query.

    `since`: the lowest `seq` that is wanted, for tickets of which not all events are.
    """
    found: dict[int, list[Facts]] = {ticket.pk: [] for ticket in tickets}
    undone: dict[int, set[int]] = {}
    for ticket_id, o, seq, kind, payload, r, actor in _rows(list(found), since or {}):
        if kind == EventKind.ACTION_UNDONE:
            undone.setdefault(ticket_id, set()).update(payload["events"])
            continue
        is_from_vendor = actor == ActorKind.VENDOR
        found[ticket_id].append(Facts(int(o.timestamp()), seq, kind, payload, int(r.timestamp()), is_from_vendor))
    for ticket_id, gone in undone.items():
        found[ticket_id] = [fact for fact in found[ticket_id] if fact.seq not in gone]
    for facts in found.values():
        facts.sort(key=lambda fact: fact[:2])
    return found


_Row = tuple[int, datetime, int, str, dict[str, Any], datetime, str]


def _rows(tickets: Sequence[int], since: Mapping[int, int]) -> Iterable[_Row]:
    if len(tickets) == 1:
        return _of_one(tickets[0], since.get(tickets[0], 0))
    wanted = Q(ticket__in=[pk for pk in tickets if pk not in since])
    for pk, seq in since.items():
        wanted |= Q(ticket=pk, seq__gte=seq)
    return _facts_in(Event.objects.filter(wanted))


@statements.select
def _of_one(ticket_id: int, since: int) -> QuerySet[Event, _Row]:
    return _facts_in(Event.objects.filter(ticket=ticket_id, seq__gte=since))


def _facts_in(events: QuerySet[Event]) -> QuerySet[Event, _Row]:
    names = ("ticket_id", "occurred_at", "seq", "kind", "payload", "recorded_at", "actor_kind")
    return events.filter(kind__in=FOLDED).values_list(*names)
