"""The clocks of a ticket: which contracts apply, and where each promise stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from hub.domain.facts import TicketFacts
from hub.domain.folding import Facts, load
from hub.domain.organisations import organisations_of
from hub.models import Calendar, Clock, Contract, EventKind, Organisation, Phase, Publication, Span, Target, Ticket
from hub.queries.calendars import calendar_of
from hub.sla import calendars, clocks
from hub.sla.clocks import ClockRule, ClockState, Occurrence, State


@dataclass(frozen=True, kw_only=True)
class Terms:
    """One contract's promise of one kind to or by one party, ready to be folded."""

    contract: Contract
    target: str
    party: Organisation
    rule: ClockRule


def terms_for(
    ticket: Ticket, organisations: Iterable[Organisation], contracts: Iterable[Contract] | None = None
) -> list[Terms]:
    """The promises that apply: the service's SLA, and the UC of every organisation engaged.

    A contract for the very service beats one for every service. A clock that runs keeps the version it
    was begun with.
    """
    engaged = {organisation.pk: organisation for organisation in organisations}
    found: list[Terms] = []
    for contract in _contracts(ticket, list(engaged)) if contracts is None else contracts:
        parties = [engaged[contract.organisation_id]] if contract.organisation_id in engaged else list(engaged.values())
        if contract.kind == Contract.Kind.SLA:
            parties = [ticket.owner]
        found += [terms for party in parties for terms in _terms(contract, party)]
    return found


def _contracts(ticket: Ticket, engaged: list[int]) -> Iterator[Contract]:
    contracts = Contract.objects.select_related("calendar", "organisation").prefetch_related("targets__calendar")
    if ticket.imported_from is not None:
        yield from contracts.filter(history_policy__startswith=f"{ticket.imported_from.format}.").order_by("pk")
        return
    pinned = list(contracts.filter(clocks__ticket=ticket).distinct().order_by("pk") if ticket.pk else contracts.none())
    yield from pinned
    taken = {(contract.kind, contract.organisation_id) for contract in pinned}
    candidates = contracts.filter(status=Publication.PUBLISHED, history_policy="").order_by("-version", "-pk")
    best: dict[tuple[str, int | None], Contract] = {}
    for contract in candidates:
        concerns = contract.kind == Contract.Kind.SLA or contract.organisation_id in engaged
        if not concerns or contract.service_id not in (None, ticket.service_id):
            continue
        key = (contract.kind, contract.organisation_id)
        current = best.get(key)
        if current is None or (current.service_id is None and contract.service_id is not None):
            best[key] = contract
    yield from (contract for key, contract in best.items() if key not in taken)


def _terms(contract: Contract, party: Organisation) -> Iterator[Terms]:
    targets: dict[str, list[Target]] = {}
    for target in contract.targets.all():
        targets.setdefault(target.kind, []).append(target)
    for kind, rows in targets.items():
        rule = _rule(contract, kind, rows, party)
        if rule is not None:
            yield Terms(contract=contract, target=kind, party=party, rule=rule)


def _rule(contract: Contract, kind: str, rows: list[Target], party: Organisation) -> ClockRule | None:
    is_sla = contract.kind == Contract.Kind.SLA
    if contract.rules:
        keys: Keys | None = _written_rule(contract, party)
    else:
        keys = _sla_keys(contract, kind) if is_sla else _uc_keys(contract, kind, party)
    if keys is None:
        return None
    return ClockRule(
        id=f"{contract.pk}.{kind}.{party.public_id}",
        calendar=str(contract.calendar_id),
        calendar_by_priority={row.priority: str(row.calendar_id) for row in rows if row.calendar_id},
        goals={row.priority: row.goal_seconds for row in rows},
        holders=None if is_sla else frozenset([party.public_id]),
        on_change=clocks.OnChange(contract.on_change),
        pause_on=frozenset(contract.pause_reasons),
        start_on=keys["start_on"],
        stop_on=keys.get("stop_on", NONE),
        resume_on=keys.get("resume_on", NONE),
        continue_on=keys.get("continue_on", NONE),
        restart_on=keys.get("restart_on", NONE),
    )


NONE: frozenset[str] = frozenset()


Keys = dict[str, frozenset[str]]
"""The events a rule reacts to, by what they do to the clock: start_on, stop_on and so on."""


def _written_rule(contract: Contract, party: Organisation) -> Keys:
    who = party.public_id
    return {name: frozenset(key.replace("{party}", who) for key in keys) for name, keys in contract.rules.items()}


def _sla_keys(contract: Contract, kind: str) -> Keys | None:
    ends = {"resolve", "cancel"}
    if kind == Target.Kind.FIRST_RESPONSE:
        # Resolution without an answer counts as the response; a reopen never restarts it.
        return {"start_on": frozenset({"create"}), "stop_on": frozenset({"first_response", *ends})}
    if kind == Target.Kind.RESOLVE:
        return {
            "start_on": frozenset({"create"}),
            "stop_on": frozenset(ends),
            **_after_reopen(contract, {"reopen"}),
        }
    return None


def _uc_keys(contract: Contract, kind: str, party: Organisation) -> Keys | None:
    who = party.public_id
    ends = {f"done:{who}", "resolve", "cancel"}
    if kind == Target.Kind.ACKNOWLEDGE:
        handed = frozenset({f"handoff:{who}"})
        again = handed if contract.on_return == Contract.OnReturn.RESTART else NONE
        return {"start_on": handed, "stop_on": frozenset({f"accept:{who}", *ends}), "restart_on": again}
    if kind != Target.Kind.RESOLVE:
        return None
    begins = f"{'accept' if contract.starts_on == Contract.StartsOn.ACCEPTANCE else 'handoff'}:{who}"
    keys: Keys = {"start_on": frozenset({begins}), "stop_on": frozenset(ends)}
    keys |= _after_reopen(contract, {f"reopen:{who}"})
    key = "restart_on" if contract.on_return == Contract.OnReturn.RESTART else "resume_on"
    return keys | {key: keys.get(key, NONE) | {begins}}


def _after_reopen(contract: Contract, events: set[str]) -> Keys:
    key = {
        Contract.Reopen.RESUME: "resume_on",
        Contract.Reopen.CONTINUE: "continue_on",
        Contract.Reopen.RESTART: "restart_on",
    }[Contract.Reopen(contract.on_reopen)]
    return {key: frozenset(events)}


def occurrences(events: Sequence[Facts], perspective: str) -> list[Occurrence]:
    """The ticket's events as clocks see them, for the ticket itself ("") or one organisation."""
    facts = TicketFacts()
    found: list[Occurrence] = []
    status, holders = "open", frozenset[str]()
    for event in events:
        before = facts.phase
        facts.apply(event.kind, event.payload)
        found += _types(event, facts, before)
        if event.kind == EventKind.HISTORY_ROW:
            continue
        if facts.status_for(perspective) != status or facts.holders() != holders:
            status, holders = facts.status_for(perspective), facts.holders()
            change = Occurrence(event.at, event.seq, "status", status, status=status, holders=holders)
            # Who holds it and what it waits for is true before anything that starts because of it.
            found.insert(_before_this(found, event), change)
    return found


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
        if payload.get("is_for_requester") and payload["author_kind"] != "requester":
            yield seen("first_response", payload["organisation"])
    elif kind == EventKind.LEG_BORN:
        yield seen("handoff", payload["organisation"])
        yield seen("accept", payload["organisation"])
    elif kind in _LEG_TYPES:
        yield seen(_LEG_TYPES[EventKind(kind)], payload["organisation"])
    elif kind == EventKind.HISTORY_ROW:
        yield from _row_types(event)


def _moved(before: str, after: str) -> Iterator[str]:
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
    """An imported row: its opening before the first, then status and holder, each only where it changed."""
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
        yield Occurrence(event.at, event.seq, "resolve" if kind in _ENDED else "reopen", organisation)
    if "closed_at" in payload:
        yield Occurrence(int(str(payload["closed_at"])), event.seq, "close")


def fold(
    ticket: Ticket, events: Sequence[Facts], *, as_of: datetime, contracts: Iterable[Contract] | None = None
) -> list[tuple[Terms, ClockState]]:
    """Every clock of the ticket at `as_of`, by the contracts that apply or those given."""
    terms = terms_for(ticket, _engaged(events), contracts)
    seen = {"": _ordered(events, "")} | {
        term.party.public_id: _ordered(events, term.party.public_id)
        for term in terms
        if term.contract.kind != Contract.Kind.SLA
    }
    tables = _tables(terms)
    return [
        (
            term,
            clocks.fold(
                term.rule,
                seen["" if term.contract.kind == Contract.Kind.SLA else term.party.public_id],
                as_of=int(as_of.timestamp()),
                calendars=tables,
            ),
        )
        for term in terms
    ]


def _ordered(events: Sequence[Facts], perspective: str) -> list[Occurrence]:
    return sorted(occurrences(events, perspective), key=lambda occurrence: occurrence[:2])


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


def refold(ticket: Ticket, events: Sequence[Facts], *, as_of: datetime) -> None:
    """Bring the stored clocks up to the events; a clock that has not started has no row."""
    stored = {
        (clock.contract_id, clock.target, clock.party_id, clock.cycle): clock
        for clock in Clock.objects.filter(ticket=ticket)
    }
    for term, state in fold(ticket, events, as_of=as_of):
        if state.state is State.NOT_STARTED:
            continue
        for row in rows_of(ticket, term, state):
            known = stored.pop((row.contract_id, row.target, row.party_id, row.cycle), None)
            row.pk = known.pk if known else None
            if known is None or any(getattr(known, n) != getattr(row, n) for n in _COMPARED):
                row.save()
                _write_spans(row, state)
    if stored:
        Clock.objects.filter(pk__in=[clock.pk for clock in stored.values()]).delete()


_COMPARED = (
    "state", "revision", "goal_seconds", "used_seconds", "paused_seconds", "as_of", "started_at", "stopped_at",
    "due_at", "projected_due_at", "breach_at", "is_breached", "breaches", "next_fire_at", "is_current",
)  # fmt: skip


def rows_of(ticket: Ticket, term: Terms, state: ClockState) -> Iterator[Clock]:
    """The state as rows: one for the cycle that runs, one for every earlier one."""
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
    fires_at = None if state.breached or state.state is not State.ACTIVE else state.breach_at
    yield Clock(
        ticket=ticket,
        contract=term.contract,
        target=term.target,
        party=term.party,
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
    spans = [span for span in state.spans if span.cycle == clock.cycle]
    runs_on = clock.is_current and state.state is not State.STOPPED
    return [
        Span(
            clock=clock,
            state=span.state.value,
            from_at=_when(span.start),
            until_at=None if runs_on and index == len(spans) - 1 else _when(span.end),
        )
        for index, span in enumerate(spans)
        if span.end > span.start and span.state is not State.STOPPED
    ]


def _write_spans(clock: Clock, state: ClockState) -> None:
    Span.objects.filter(clock=clock).delete()
    Span.objects.bulk_create(spans_of(clock, state))


def _when(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _when_known(at: int | None) -> datetime | None:
    return None if at is None else _when(at)


# -- the sweep


def due_clocks(*, at: datetime, limit: int = 100) -> list[int]:
    """Clocks whose breach lies in the past and is not written down yet."""
    return list(
        Clock.objects.filter(next_fire_at__lte=at).order_by("next_fire_at", "pk").values_list("pk", flat=True)[:limit]
    )


@transaction.atomic
def fire(*, clock_id: int, at: datetime) -> None:
    """Fold the ticket's clocks up to now, so that what has breached says so, with its true instant."""
    ticket_id = Clock.objects.filter(pk=clock_id).values_list("ticket_id", flat=True).first()
    if ticket_id is None:
        return
    ticket = Ticket.objects.select_for_update(of=("self",)).select_related("owner").get(pk=ticket_id)
    refold(ticket, load(ticket), as_of=at)
