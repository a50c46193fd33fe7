"""The clocks of a ticket, folded from its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from hub.domain.applicable_contracts import CONTESTED, Terms, terms_for
from hub.domain.event_loader import Facts, load
from hub.domain.organisations import organisations_of
from hub.domain.ticket_state import TicketFacts
from hub.models import Calendar, Clock, Contract, EventKind, Organisation, Phase, Span, Ticket
from hub.queries.calendars import calendar_of
from hub.sla import calendars, clocks
from hub.sla.clock_rules import RESOLVE, Occurrence
from hub.sla.clock_states import ClockState, State


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
    pinned: Iterable[Contract] | None = None,
) -> list[tuple[Terms, ClockState]]:
    """Every clock of the ticket at `as_of`, by the contracts that apply or by those given.

    `pinned`: the contracts by which the ticket's clocks were started, if known.
    """
    terms = terms_for(ticket, _engaged(events), contracts, pinned=pinned)
    views = {_view(term) for term in terms}
    seen = {(who, minds): _ordered(events, who, minds) for who, minds in views}
    tables = _tables(terms)
    return [
        (
            term,
            clocks.fold(
                term.rule,
                seen[_view(term)],
                as_of=int(as_of.timestamp()),
                calendars=tables,
            ),
        )
        for term in terms
    ]


def _view(term: Terms) -> tuple[str, bool]:
    """The organisation whose view of the events counts ("" for an SLA), and whether joint triage pauses the clock."""
    who = "" if term.contract.kind == Contract.Kind.SLA else term.party.public_id
    return who, CONTESTED in term.contract.pause_reasons


def _ordered(events: Sequence[Facts], perspective: str, minds_disputes: bool) -> list[Occurrence]:
    found = occurrences(events, perspective, minds_disputes=minds_disputes)
    return sorted(found, key=lambda occurrence: occurrence[:2])


def _engaged(events: Sequence[Facts]) -> list[Organisation]:
    names = {
        str(event.payload["organisation"])
        for event in events
        if event.kind.startswith("leg.") or event.kind == EventKind.HISTORY_ROW
    }
    return sorted(organisations_of(names).values(), key=lambda organisation: organisation.pk)


def _tables(terms: Iterable[Terms]) -> dict[str, calendars.Calendar]:
    rows: dict[str, Calendar] = {}
    for term in terms:
        rows[str(term.contract.calendar_id)] = term.contract.calendar
        rows |= {str(t.calendar_id): t.calendar for t in term.contract.targets.all() if t.calendar is not None}
    return {key: calendar_of(row) for key, row in rows.items()}


def refold(ticket: Ticket, events: Sequence[Facts], *, as_of: datetime, is_lazy: bool = False) -> None:
    """Update the stored clocks from the events. Clocks that have not started have no row.

    With `is_lazy`, only clocks that the events changed are written: one that merely ran on since its row was written
    keeps the row, with the `as_of` of that time, from which `hub.queries.clocks.seconds_used` counts on.
    """
    stored = {
        (clock.contract_id, clock.target, clock.party_id, clock.cycle): clock
        for clock in Clock.objects.filter(ticket=ticket).select_related("calendar", "contract__calendar")
    }
    pinned = {clock.contract_id: clock.contract for clock in stored.values()}.values()
    changed: list[tuple[Clock, ClockState]] = []
    for term, state in fold(ticket, events, as_of=as_of, pinned=pinned):
        if state.state is State.NOT_STARTED:
            continue
        for row in rows_of(ticket, term, state):
            known = stored.pop((row.contract_id, row.target, row.party_id, row.cycle), None)
            row.pk = known.pk if known else None
            if known is None or not is_lazy or _has_changed(known, row):
                row.save(force_insert=known is None, force_update=known is not None)
                changed.append((row, state))
    _write_spans(changed)
    if stored:
        Clock.objects.filter(pk__in=[clock.pk for clock in stored.values()]).delete()


_COMPARED = (
    "state",
    "revision",
    "goal_seconds",
    "started_at",
    "stopped_at",
    "due_at",
    "breach_at",
    "is_breached",
    "breaches",
    "next_fire_at",
    "is_current",
    "calendar_id",
)


def _has_changed(known: Clock, row: Clock) -> bool:
    """Whether the events changed a clock, more than that time has passed for it."""
    if any(getattr(known, name) != getattr(row, name) for name in _COMPARED):
        return True
    passed = calendar_of(known.hours).elapsed(int(known.as_of.timestamp()), int(row.as_of.timestamp()))
    runs, waits = row.state == Clock.State.ACTIVE, row.state == Clock.State.PAUSED
    return (
        passed < 0
        or row.used_seconds != known.used_seconds + (passed if runs else 0)
        or row.paused_seconds != known.paused_seconds + (passed if waits else 0)
    )


def rows_of(ticket: Ticket, term: Terms, state: ClockState) -> Iterator[Clock]:
    """The state as unsaved rows: one per previous cycle, and one for the current cycle."""
    for past in state.previous_cycles:
        yield Clock(
            ticket=ticket,
            contract=term.contract,
            target=term.target,
            party=term.party,
            cycle=past.cycle,
            is_current=False,
            state=Clock.State.STOPPED,
            goal_seconds=past.goal,
            used_seconds=past.elapsed,
            as_of=_when(past.ended_at),
            stopped_at=_when(past.ended_at),
            is_breached=past.breached,
            breaches=_breaches(state, past.cycle),
        )
    yield _current_row(ticket, term, state)


def _current_row(ticket: Ticket, term: Terms, state: ClockState) -> Clock:
    fires_at = None if state.breached or state.state is not State.ACTIVE else state.breach_at
    return Clock(
        ticket=ticket,
        contract=term.contract,
        target=term.target,
        party=term.party,
        calendar_id=int(state.calendar),
        cycle=state.cycle,
        state=Clock.State.CANCELLED if _was_cancelled(ticket, state) else state.state.value,
        revision=state.revision,
        goal_seconds=state.goal,
        used_seconds=state.elapsed,
        paused_seconds=state.paused,
        as_of=_when(state.as_of),
        started_at=_when_known(state.started_at),
        stopped_at=_when_known(state.stopped_at),
        due_at=_when_known(state.due_at),
        projected_due_at=_when_known(state.projected_due_at),
        breach_at=_when_known(state.breach_at),
        is_breached=state.breached,
        breaches=_breaches(state, state.cycle),
        next_fire_at=_when_known(fires_at),
    )


def _was_cancelled(ticket: Ticket, state: ClockState) -> bool:
    return ticket.phase == Phase.CANCELLED and state.state is State.STOPPED


def _breaches(state: ClockState, cycle: int) -> list[dict[str, int | str]]:
    return [
        {"revision": b.revision, "at": b.at, "cause": b.cause, "goal": b.goal}
        for b in state.breaches
        if b.cycle == cycle
    ]


def spans_of(clock: Clock, state: ClockState) -> list[Span]:
    """The periods of one cycle as rows. The last one has no end while the clock is not stopped, however short it is."""
    rows = [
        Span(clock=clock, state=span.state.value, from_at=_when(span.start), until_at=_when(span.end))
        for span in state.spans
        if span.cycle == clock.cycle and span.end > span.start and span.state is not State.STOPPED
    ]
    if clock.is_current and state.state is not State.STOPPED:
        if rows and rows[-1].state == state.state.value and rows[-1].until_at == _when(state.as_of):
            rows[-1].until_at = None
        else:
            rows.append(Span(clock=clock, state=state.state.value, from_at=_when(state.as_of)))
    return rows


def _write_spans(changed: Sequence[tuple[Clock, ClockState]]) -> None:
    """Bring the spans of these clocks up to date; of each, only those from the first difference on are written."""
    if not changed:
        return
    stored: dict[int, list[Span]] = {clock.pk: [] for clock, _state in changed}
    for span in Span.objects.filter(clock__in=list(stored)).order_by("from_at", "pk"):
        stored[span.clock_id].append(span)
    gone: list[int] = []
    new: list[Span] = []
    for clock, state in changed:
        before, after = stored[clock.pk], spans_of(clock, state)
        same = 0
        while same < min(len(before), len(after)) and _same(before[same], after[same]):
            same += 1
        gone += [span.pk for span in before[same:]]
        new += after[same:]
    if gone:
        Span.objects.filter(pk__in=gone).delete()
    if new:
        Span.objects.bulk_create(new)


def _same(a: Span, b: Span) -> bool:
    return (a.state, a.from_at, a.until_at) == (b.state, b.from_at, b.until_at)


def _when(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _when_known(at: int | None) -> datetime | None:
    return None if at is None else _when(at)


# -- clocks that are due


def due_clocks(*, at: datetime, limit: int = 100) -> list[int]:
    """Keys of clocks whose breach has passed and is not stored yet."""
    return list(waiting(at=at).order_by("next_fire_at", "pk").values_list("pk", flat=True)[:limit])


def waiting(*, at: datetime) -> QuerySet[Clock]:
    """Clocks whose breach has passed and is not stored yet."""
    return Clock.objects.filter(next_fire_at__lte=at)


@transaction.atomic
def fire(*, clock_id: int, at: datetime) -> None:
    """Fold the ticket's clocks up to `at`, so that breaches are stored with their exact time."""
    ticket_id = Clock.objects.filter(pk=clock_id).values_list("ticket_id", flat=True).first()
    if ticket_id is None:
        return
    ticket = Ticket.objects.select_for_update(of=("self",)).select_related("owner").get(pk=ticket_id)
    refold(ticket, load(ticket), as_of=at)
