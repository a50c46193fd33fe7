"""The clocks of a ticket, folded from its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.domain.applicable_contracts import CONTESTED, Terms, contracts_for, terms_for
from hub.domain.event_loader import Facts
from hub.domain.organisations import Organisations, organisations_of
from hub.domain.ticket_state import TicketFacts
from hub.models import Calendar, Contract, EventKind, Phase, Ticket
from hub.queries.calendars import calendar_of
from hub.sla import calendars, clocks
from hub.sla.clock_rules import RESOLVE, Occurrence
from hub.sla.clock_states import ClockState


def occurrences(events: Sequence[Facts], perspective: str, *, minds_disputes: bool = False) -> list[Occurrence]:
    """The ticket's events as input of the clocks, for the ticket itself ("") or for one organisation.

    `minds_disputes`: the contract pauses during joint triage (``contested``).
    """
    facts = TicketFacts()
    found: list[Occurrence] = []
    status, holders = "open", frozenset[str]()
    asking = _Asking()
    for event in events:
        before = facts.phase
        facts.apply(event.kind, event.payload)
        now = facts.status_for(perspective, minds_disputes=minds_disputes)
        # Resolving ends a wait, unless the wait continues, as that of one organisation can.
        for each in _types(event, facts, before):
            ends_wait = each.type == RESOLVE and each.status is None
            found.append(each._replace(status=now) if ends_wait else each)
        if event.kind == EventKind.HISTORY_ROW:
            continue
        if asking.has_asked(event, facts, before):
            found.append(Occurrence(event.at, event.seq, "asked"))
        if now != status or facts.holders() != holders:
            status, holders = now, facts.holders()
            change = Occurrence(event.at, event.seq, "status", status, status=status, holders=holders)
            # Holders and status change before anything that starts because of the change.
            found.insert(_before_this(found, event), change)
    return found


class _Asking:
    """Finds the oldest unanswered message of the requester after the first response."""

    def __init__(self) -> None:
        self.is_answered = self.waits = False

    def has_asked(self, event: Facts, facts: TicketFacts, before: str) -> bool:
        """Whether a wait for our answer begins with this event. On a resolved ticket it begins with the reopening."""
        payload = event.payload
        if event.kind == EventKind.TICKET_MOVED:
            if facts.phase == Phase.RESOLVED:
                self.is_answered, self.waits = True, False  # a resolution is an answer, too
            return self.waits and "reopen" in _moved(before, facts.phase)
        if event.kind != EventKind.MESSAGE_ADDED:
            return False
        if payload["author_kind"] == "requester":
            was_waiting, self.waits = self.waits, self.is_answered
            return self.waits and not was_waiting and facts.is_open
        if payload.get("is_for_requester") and not payload.get("supersedes"):
            self.is_answered, self.waits = True, False
        return False


def _before_this(found: list[Occurrence], event: Facts) -> int:
    index = len(found)
    while index and found[index - 1].seq == event.seq:
        index -= 1
    return index


def _types(event: Facts, facts: TicketFacts, before: str) -> Iterator[Occurrence]:
    kind, payload = event.kind, event.payload

    def seen(type_: str, qualifier: object = "", **more: object) -> Occurrence:
        return Occurrence(event.at, event.seq, type_, str(qualifier), **more)  # type: ignore[arg-type]

    if kind == EventKind.TICKET_OPENED:
        yield seen("create", priority=facts.priority)
    elif kind == EventKind.PRIORITY_CHANGED:
        yield seen("priority", facts.priority, priority=facts.priority)
    elif kind == EventKind.TICKET_MOVED:
        yield from (seen(type_) for type_ in _moved(before, facts.phase))
    elif kind == EventKind.MESSAGE_ADDED:
        yield from (seen(*what) for what in _said(facts, payload))
    elif kind == EventKind.LEG_BORN:
        yield seen("handoff", payload["organisation"])
        yield seen("accept", payload["organisation"])
    elif kind in _LEG_TYPES:
        yield seen(_LEG_TYPES[EventKind(kind)], payload["organisation"])
    elif kind == EventKind.HISTORY_ROW:
        yield from _row_types(event)


def _said(facts: TicketFacts, payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The occurrences of a message: first response, update for the requester, message of an engaged organisation."""
    who = str(payload["organisation"])
    if payload["author_kind"] == "requester":
        return
    is_news = facts.is_open and not payload.get("supersedes")  # an edited message is no update
    if payload.get("is_for_requester"):
        yield "first_response", who
        if is_news:
            yield "update", who
    if is_news and who in facts.holders():
        yield "said", who


def _moved(before: str, after: str) -> Iterator[str]:
    if before == Phase.NEW and after in (Phase.ACTIVE, Phase.WAITING):
        yield "begin"
    if after == Phase.RESOLVED:
        yield "resolve"
    elif after == Phase.CANCELLED:
        yield "cancel"
    elif before in (Phase.RESOLVED, Phase.CLOSED) and after == Phase.ACTIVE:
        yield "reopen"


_LEG_TYPES = {
    EventKind.LEG_DELIVERED: "handoff",
    EventKind.LEG_ACCEPTED: "accept",
    EventKind.LEG_DONE: "done",
    EventKind.LEG_REOPENED: "reopen",
}


_ENDED = ("resolved", "closed")


def _row_types(event: Facts) -> Iterator[Occurrence]:
    """The occurrences of an imported row: opening (first row), then holder and status, each only if it changed."""
    payload = event.payload
    changed = payload["changed"]
    assert isinstance(changed, list)
    organisation, kind = str(payload["organisation"]), str(payload["class"])
    if "opened_at" in payload:
        opened_at = int(str(payload["opened_at"]))
        yield Occurrence(opened_at, 0, "create", priority=str(payload["policy_priority"]))
    if "organisation" in changed:
        yield Occurrence(event.at, event.seq, "handoff", organisation, holders=frozenset([organisation]))
    if "status" in changed:
        yield Occurrence(event.at, event.seq, "status", kind, status=kind)
        yield Occurrence(event.at, event.seq, RESOLVE if kind in _ENDED else "reopen", organisation, status=kind)
    if "closed_at" in payload:
        yield Occurrence(int(str(payload["closed_at"])), event.seq, "close")


def fold(
    ticket: Ticket,
    events: Sequence[Facts],
    *,
    as_of: datetime,
    contracts: Iterable[Contract] | None = None,
) -> list[tuple[Terms, ClockState]]:
    """Every clock of the ticket at `as_of`, by the contracts that apply or by those given."""
    if contracts is None:
        [(_ticket, folded)] = fold_all([ticket], {ticket.pk: events}, Organisations(), as_of=as_of)
        return folded
    engaged = sorted(organisations_of(_engaged(events)).values(), key=lambda organisation: organisation.pk)
    return _folded(terms_for(ticket, engaged, contracts), events, as_of)


def fold_all(
    tickets: Sequence[Ticket],
    events: Mapping[int, Sequence[Facts]],
    known: Organisations,
    *,
    as_of: datetime,
    pinned: Mapping[int, Mapping[int, Contract]] | None = None,
) -> list[tuple[Ticket, list[tuple[Terms, ClockState]]]]:
    """Every clock of each ticket at `as_of`, by the contracts that apply; events by the tickets' primary keys.

    `pinned`: the contracts by which each ticket's clocks were started, if known.
    """
    names = {ticket.pk: _engaged(events[ticket.pk]) for ticket in tickets}
    organisations = known.of({name for each in names.values() for name in each})
    engaged = {
        ticket.pk: sorted(
            (organisations[name] for name in names[ticket.pk] if name in organisations),
            key=lambda organisation: organisation.pk,
        )
        for ticket in tickets
    }
    applicable = contracts_for(tickets, engaged, pinned)
    return [
        (
            ticket,
            _folded(terms_for(ticket, engaged[ticket.pk], applicable[ticket.pk]), events[ticket.pk], as_of),
        )
        for ticket in tickets
    ]


def _folded(terms: Sequence[Terms], events: Sequence[Facts], as_of: datetime) -> list[tuple[Terms, ClockState]]:
    views = {_view(term) for term in terms}
    seen = {(who, minds): _ordered(events, who, minds) for who, minds in views}
    tables = _tables(terms)
    until = int(as_of.timestamp())
    return [(term, clocks.fold(term.rule, seen[_view(term)], as_of=until, calendars=tables)) for term in terms]


def _view(term: Terms) -> tuple[str, bool]:
    """The organisation whose view of the events counts ("" for an SLA), and whether joint triage pauses the clock."""
    who = "" if term.contract.kind == Contract.Kind.SLA else term.party.public_id
    return who, CONTESTED in term.contract.pause_reasons


def _ordered(events: Sequence[Facts], perspective: str, minds_disputes: bool) -> list[Occurrence]:
    found = occurrences(events, perspective, minds_disputes=minds_disputes)
    return sorted(found, key=lambda occurrence: occurrence[:2])


def _engaged(events: Sequence[Facts]) -> set[str]:
    """Public ids of the organisations that the events engage."""
    return {
        str(event.payload["organisation"])
        for event in events
        if event.kind.startswith("leg.") or event.kind == EventKind.HISTORY_ROW
    }


def _tables(terms: Iterable[Terms]) -> dict[str, calendars.Calendar]:
    rows: dict[str, Calendar] = {}
    for term in terms:
        rows[str(term.contract.calendar_id)] = term.contract.calendar
        rows |= {str(t.calendar_id): t.calendar for t in term.contract.targets.all() if t.calendar is not None}
    return {key: calendar_of(row) for key, row in rows.items()}
