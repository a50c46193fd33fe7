"""Which contracts apply to a ticket, and which of its events start, stop and restart each clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Q, QuerySet

from hub.core import statements
from hub.core.read_once import read_once
from hub.models import Clock, Contract, Organisation, Publication, Target, Ticket
from hub.sla.clock_rules import ClockRule, OnChange


@dataclass(frozen=True, kw_only=True)
class Terms:
    """One target of a contract for one party, with the rule by which its clock is folded."""

    contract: Contract
    target: str
    party: Organisation
    rule: ClockRule


def terms_for(ticket: Ticket, organisations: Iterable[Organisation], contracts: Iterable[Contract]) -> list[Terms]:
    """What these contracts promise for the ticket and the organisations engaged."""
    engaged = {organisation.pk: organisation for organisation in organisations}
    found: list[Terms] = []
    for contract in contracts:
        parties = [engaged[contract.organisation_id]] if contract.organisation_id in engaged else list(engaged.values())
        if contract.kind == Contract.Kind.SLA:
            parties = [ticket.owner]
        found += [terms for party in parties for terms in _terms(contract, party)]
    return found


def contracts_for(
    tickets: Sequence[Ticket],
    engaged: Mapping[int, Collection[Organisation]],
    pinned: Mapping[int, Mapping[int, Contract]] | None = None,
) -> dict[int, list[Contract]]:
    """The contracts that apply to each ticket: the service's SLA, and the UC of every organisation engaged.

    A contract for the ticket's service takes precedence over one for every service. Running clocks keep the version of
    the contract they started with: `pinned` are these contracts by ticket, if known.
    """
    ours = [ticket for ticket in tickets if ticket.imported_from_id is None]
    candidates = _candidates(ours, engaged)
    pinned = _pinned(ours) if pinned is None else pinned
    return {
        ticket.pk: list(
            _policies(ticket)
            if ticket.imported_from is not None
            else _in_force(ticket, engaged[ticket.pk], pinned.get(ticket.pk, {}), candidates)
        )
        for ticket in tickets
    }


def _policies(ticket: Ticket) -> Iterator[Contract]:
    assert ticket.imported_from is not None
    rows = Contract.objects.filter(history_policy__startswith=f"{ticket.imported_from.format}.")
    yield from map(_loaded, rows.order_by("pk").values_list("public_id", flat=True))


def _pinned(tickets: Sequence[Ticket]) -> dict[int, dict[int, Contract]]:
    found: dict[int, dict[int, Contract]] = {}
    stored = [ticket for ticket in tickets if ticket.pk]
    for clock in Clock.objects.filter(ticket__in=stored).select_related("contract") if stored else ():
        found.setdefault(clock.ticket_id, {})[clock.contract_id] = clock.contract
    return found


class _Candidate(NamedTuple):
    public_id: str
    kind: str
    organisation_id: int | None
    service_id: int | None


def _in_force(
    ticket: Ticket,
    engaged: Collection[Organisation],
    pinned: Mapping[int, Contract],
    candidates: Sequence[_Candidate],
) -> Iterator[Contract]:
    taken = set()
    for _pk, contract in sorted(pinned.items()):
        taken.add((contract.kind, contract.organisation_id))
        yield _loaded(contract.public_id)
    parties = {organisation.pk for organisation in engaged}
    best: dict[tuple[str, int | None], _Candidate] = {}
    for each in candidates:
        concerns = each.kind == Contract.Kind.SLA or each.organisation_id in parties
        if not concerns or each.service_id not in (None, ticket.service_id):
            continue
        current = best.get((each.kind, each.organisation_id))
        if current is None or (current.service_id is None and each.service_id is not None):
            best[each.kind, each.organisation_id] = each
    yield from (_loaded(each.public_id) for key, each in best.items() if key not in taken)


def _candidates(tickets: Sequence[Ticket], engaged: Mapping[int, Collection[Organisation]]) -> Sequence[_Candidate]:
    """The contracts in force for the tickets' services and the organisations engaged, the newest versions first.

    The number of other contracts does not matter: the conditions are those of an index.
    """
    if not tickets:
        return ()
    parties = {organisation.pk for ticket in tickets for organisation in engaged[ticket.pk]}
    services = {ticket.service_id for ticket in tickets if ticket.service_id is not None}
    parties, services = parties or {0}, services or {0}  # no row has this key
    if statements.is_few(parties) and statements.is_few(services):
        found: Iterable[_Row] = _for_few(sorted(services), sorted(parties))
    else:
        found = _published(services, parties)
    return [_Candidate(*row) for row in found]


_Row = tuple[str, str, int | None, int | None]


@statements.select
def _for_few(services: Sequence[int], parties: Sequence[int]) -> QuerySet[Contract, _Row]:
    return _published(services, parties)


def _published(services: Iterable[int], parties: Iterable[int]) -> QuerySet[Contract, _Row]:
    concerns = Q(kind=Contract.Kind.SLA) | Q(organisation__pk__in=parties)
    for_service = Q(service=None) | Q(service__pk__in=services)
    rows = Contract.objects.filter(concerns, for_service, status=Publication.PUBLISHED, history_policy="")
    return rows.order_by("-version", "-pk").values_list("public_id", "kind", "organisation_id", "service_id")


@read_once(maxsize=4096)
def _loaded(public_id: str) -> Contract:
    """A published contract with its targets and calendars. A published version never changes, so it is read once."""
    rows = Contract.objects.select_related("calendar", "organisation").prefetch_related("targets__calendar")
    return rows.get(public_id=public_id)


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
        on_change=OnChange(contract.on_change),
        pause_on=frozenset(contract.pause_reasons),
        start_on=keys["start_on"],
        stop_on=keys.get("stop_on", NONE),
        resume_on=keys.get("resume_on", NONE),
        continue_on=keys.get("continue_on", NONE),
        restart_on=keys.get("restart_on", NONE),
        repeats=is_sla and kind == Target.Kind.NEXT_UPDATE and not contract.rules,
    )


NONE: frozenset[str] = frozenset()
CONTESTED = "contested"
"""The pause reason for open joint triage."""


Keys = dict[str, frozenset[str]]
"""The events a rule reacts to, by their effect on the clock: start_on, stop_on, resume_on, continue_on, restart_on."""


def _written_rule(contract: Contract, party: Organisation) -> Keys:
    who = party.public_id
    return {name: frozenset(key.replace("{party}", who) for key in keys) for name, keys in contract.rules.items()}


def _sla_keys(contract: Contract, kind: str) -> Keys | None:
    ends = {"resolve", "cancel"}
    if kind == Target.Kind.ACKNOWLEDGE:
        # Until somebody takes the ticket up; a reopen does not restart the clock.
        return {"start_on": frozenset({"create"}), "stop_on": frozenset({"begin", *ends})}
    if kind == Target.Kind.NEXT_UPDATE:
        # From each message of the requester after the first response until ours; the oldest unanswered one counts.
        return {"start_on": frozenset({"asked"}), "stop_on": frozenset({"update", *ends})}
    if kind == Target.Kind.FIRST_RESPONSE:
        # A resolution counts as the response; a reopen does not restart the clock.
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
    if kind == Target.Kind.FIRST_RESPONSE:
        handed = frozenset({f"handoff:{who}"})
        again = handed if contract.on_return == Contract.OnReturn.RESTART else NONE
        return {"start_on": handed, "stop_on": frozenset({f"said:{who}", *ends}), "restart_on": again}
    if kind == Target.Kind.NEXT_UPDATE:
        taken = frozenset({f"accept:{who}"})
        again = taken | {f"said:{who}", f"reopen:{who}"}
        return {"start_on": taken, "stop_on": frozenset(ends), "restart_on": again}
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
