"""Import a log into the record: rows become events, and the ledger and the clocks are folded from them.

An import triggers nothing: no transition is called, and nothing is escalated, notified or sent.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import F

from hub.core.rows import load
from hub.domain import clock_rows, clocks, history, ledger, numbers, tickets
from hub.domain.actors import Actor
from hub.domain.event_loader import Facts
from hub.domain.organisations import Organisations
from hub.importing.profile import UNKNOWN_CLASS, Policy, Profile
from hub.importing.rows import Reject, Row, files, read
from hub.models import (
    Calendar,
    Clock,
    Contract,
    Event,
    EventKind,
    HistoryImport,
    LedgerSegment,
    Organisation,
    Phase,
    Publication,
    Target,
    Team,
    Ticket,
    UnmappedValue,
)
from hub.sla.clock_states import ClockState
from hub.sla.clock_states import State as ClockPhase

BATCH = 200
PHASES = {
    "new": Phase.NEW,
    "active": Phase.ACTIVE,
    "resolved": Phase.RESOLVED,
    "closed": Phase.CLOSED,
}

Progress = Callable[[int, int, int], None]
"""Called with the number of tickets done, of all tickets, and of rows done."""


@dataclass
class Story:
    """The rows of one ticket in the order of the file."""

    key: str
    rows: list[Row] = field(default_factory=list)


def fingerprint(source: Path, profile: Profile, parties: Mapping[str, str]) -> str:
    """A hash of the content, the profile and the map of parties: equal for an import of the same log."""
    seen = hashlib.sha256()
    for path in files(source):
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                seen.update(chunk)
    seen.update(json.dumps([profile.raw, dict(parties)], sort_keys=True, default=str).encode())
    return seen.hexdigest()


def read_stories(source: Path, profile: Profile, reject: Callable[[Reject], None]) -> dict[str, Story]:
    """All readable rows by ticket, in the order of the tickets' first rows."""
    found: dict[str, Story] = {}
    for row in read(source, profile, reject):
        found.setdefault(row.ticket, Story(row.ticket)).rows.append(row)
    return found


class Importer:
    """One import, with caches of the rows it looks up."""

    def __init__(self, *, batch: HistoryImport, profile: Profile, at: datetime) -> None:
        self.batch, self.profile, self.at = batch, profile, at
        self.actor = Actor.system("import")
        self.parties: Mapping[str, str] = batch.parties
        self.us = tickets.us()
        self.organisations: dict[str, Organisation] = {}
        self.teams: dict[tuple[int, str], Team] = {}
        self.states = {phase: tickets.first_state(phase) for phase in Phase}
        self.known = Organisations()
        self.contracts = list(_contracts(batch.format))
        self.unmapped: Counter[tuple[str, str]] = Counter()

    def run(self, stories: Mapping[str, Story], progress: Progress) -> None:
        """Import the tickets that do not exist yet, one transaction per batch. May be stopped and run again."""
        there = set(self.batch.tickets.values_list("source_number", flat=True))
        todo = iter([story for key, story in stories.items() if key not in there])
        done, rows = len(there), self.batch.rows_done
        progress(done, len(stories), rows)
        while chunk := list(islice(todo, BATCH)):
            with transaction.atomic():
                self._write(chunk)
                done, rows = done + len(chunk), rows + sum(len(story.rows) for story in chunk)
                self.batch.tickets_done, self.batch.rows_done = done, rows
                self.batch.save(update_fields=["tickets_done", "rows_done"])
            progress(done, len(stories), rows)
        with transaction.atomic():
            self.batch.status = HistoryImport.Status.DONE
            self.batch.save(update_fields=["status"])

    def _write(self, chunk: Sequence[Story]) -> None:
        made = [
            self._ticket(story, number) for story, number in zip(chunk, numbers.take("ticket", len(chunk)), strict=True)
        ]
        load([ticket for ticket, _events in made])
        for ticket, events in made:
            for event in events:
                event.ticket = ticket
        load([event for _ticket, events in made for event in events])
        segments: list[LedgerSegment] = []
        clocks_of: list[tuple[Clock, ClockState]] = []
        for ticket, events in made:
            facts = [_facts(event) for event in events]
            segments += ledger.rows_of(ticket, facts, self.known)
            clocks_of += self._clocks(ticket, facts)
        load(segments)
        load([clock for clock, _state in clocks_of])
        load([span for clock, state in clocks_of for span in clock_rows.spans_of(clock, state)])
        self._remember_unmapped()

    def _clocks(self, ticket: Ticket, facts: Sequence[Facts]) -> Iterator[tuple[Clock, ClockState]]:
        for contract in self.contracts:
            # A clock that stops at the closing runs until then, even if the closing is after the last row.
            as_of = ticket.changed_at
            if "close" in contract.rules.get("stop_on", ()) and ticket.closed_at:
                as_of = max(as_of, ticket.closed_at)
            folded = clocks.fold(ticket, facts, as_of=as_of, contracts=[contract], known=self.known)
            for term, state in folded:
                if state.state is not ClockPhase.NOT_STARTED:
                    for clock in clock_rows.rows_of(ticket, term, state):
                        clock.next_fire_at = None
                        yield clock, state

    def _ticket(self, story: Story, number: int) -> tuple[Ticket, list[Event]]:
        first, last = story.rows[0], story.rows[-1]
        opened_at = min(first.opened_at or first.changed_at, first.changed_at)
        kind = self._class(last.status)
        phase = PHASES.get(kind, Phase.WAITING)
        ticket = Ticket(
            number=number,
            title=first.title or story.key,
            priority=self._priority(last.priority),
            phase=phase,
            status=self.states[phase],
            owner=self.us,
            holder=self.us,
            held_since=opened_at,
            opened_at=opened_at,
            changed_at=opened_at,
            imported_from=self.batch,
            source_number=story.key,
            raw={"status": last.status, "priority": last.priority, "team": last.team, "party": last.party},
        )
        ticket.team = self._team(self._organisation(last.party), last.team)
        if phase in (Phase.RESOLVED, Phase.CLOSED):
            ticket.resolved_at = last.changed_at
            ticket.closed_at = last.closed_at or last.changed_at if phase == Phase.CLOSED else None
        events = list(self._events(ticket, story))
        return ticket, events

    def _events(self, ticket: Ticket, story: Story) -> Iterator[Event]:
        before: Row | None = None
        at = ticket.opened_at
        final_priority = self._priority(story.rows[-1].priority)
        for index, row in enumerate(story.rows, start=1):
            raw_at, at = row.changed_at, max(at, row.changed_at)
            organisation = self._organisation(row.party)
            self._note_unmapped(row)
            payload: dict[str, object] = {
                "row": index,
                "line": row.line,
                "status": row.status,
                "class": self._class(row.status),
                "team": row.team,
                "party": row.party,
                "organisation_name": party_of(row.party, self.parties),
                "organisation": organisation.public_id,
                "priority": self._priority(row.priority),
                "changed": _changed(before, row, self.parties),
            }
            if before is None:
                payload["opened_at"] = int(ticket.opened_at.timestamp())
                # These policies take the goal for the whole ticket from the priority of the last row.
                payload["policy_priority"] = final_priority
            if row is story.rows[-1] and row.closed_at is not None:
                payload["closed_at"] = int(row.closed_at.timestamp())
            if row.version is not None:
                payload["version"] = row.version
            if raw_at < at:
                payload["raw_at"] = int(raw_at.timestamp())
            yield history.build(
                ticket=ticket,
                kind=EventKind.HISTORY_ROW,
                payload=payload,
                actor=self.actor,
                at=at,
                origin=self.batch.public_id,
            )
            before = row
        self._show(ticket, story.rows[-1])

    def _show(self, ticket: Ticket, last: Row) -> None:
        ticket.holder = self._organisation(last.party)
        ticket.hold_reason = self._class(last.status)
        ticket.held_since = ticket.changed_at

    def _class(self, status: str) -> str:
        return self.profile.class_of(status) or UNKNOWN_CLASS

    def _priority(self, value: str) -> str:
        return self.profile.priorities.get(value, value)[:16]

    def _organisation(self, party: str) -> Organisation:
        """The organisation of a party value: the one in the map, else an organisation of that name."""
        name = party_of(party, self.parties)
        if name not in self.organisations:
            self.organisations[name] = (
                self.us if name in self.profile.us else Organisation.objects.get_or_create(name=name or "(none)")[0]
            )
        return self.organisations[name]

    def _note_unmapped(self, row: Row) -> None:
        """Count values that the profile or the map does not cover. The ticket keeps them raw, and a page shows them."""
        if self.profile.class_of(row.status) is None:
            self.unmapped["status", row.status] += 1
        if row.priority not in self.profile.priorities and row.priority not in self.profile.unknown:
            self.unmapped["priority", row.priority] += 1
        if self.parties and row.party not in self.parties:
            self.unmapped["party", row.party] += 1

    def _team(self, organisation: Organisation, name: str) -> Team | None:
        if not name or name in self.profile.unknown:
            return None
        key = (organisation.pk, name)
        if key not in self.teams:
            self.teams[key] = Team.objects.get_or_create(organisation=organisation, name=name)[0]
        return self.teams[key]

    def _remember_unmapped(self) -> None:
        for (name, value), count in self.unmapped.items():
            row, is_new = UnmappedValue.objects.get_or_create(
                source=self.batch.public_id,
                field=name,
                value=value[:255],
                defaults={"count": count, "first_seen_at": self.at, "last_seen_at": self.at},
            )
            if not is_new:
                UnmappedValue.objects.filter(pk=row.pk).update(count=F("count") + count, last_seen_at=self.at)
        self.unmapped.clear()


def party_of(value: str, parties: Mapping[str, str]) -> str:
    """The party of a value; the value itself if the map does not contain it."""
    return parties.get(value, value)


def _changed(before: Row | None, row: Row, parties: Mapping[str, str]) -> list[str]:
    """The facts that this row changed. A row that changes nothing causes no hand-over and restarts no clock."""
    if before is None:
        return ["status", "team", "organisation", "priority"]
    pairs = {
        "status": (before.status, row.status),
        "team": (before.team, row.team),
        "organisation": (party_of(before.party, parties), party_of(row.party, parties)),
        "priority": (before.priority, row.priority),
    }
    return [name for name, (old, new) in pairs.items() if old != new]


def _facts(event: Event) -> Facts:
    at = int(event.occurred_at.timestamp())
    return Facts(at, event.seq, event.kind, event.payload, at, False)


def _contracts(format_: str) -> Iterator[Contract]:
    yield from (
        Contract.objects.filter(history_policy__startswith=f"{format_}.")
        .select_related("calendar", "organisation")
        .prefetch_related("targets__calendar")
        .order_by("pk")
    )


@transaction.atomic
def publish_policies(profile: Profile) -> None:
    """Publish the profile's policies as contracts, once. A changed policy becomes a new version."""
    for policy in profile.policies:
        name = f"History, {profile.label}, policy {policy.name}"
        slug = f"{profile.format}.{policy.name}"
        current = Contract.objects.filter(history_policy=slug).first()
        wanted = _policy_facts(policy)
        if current is not None and _contract_facts(current) == wanted:
            continue
        version = 1
        if current is not None:
            version = current.version + 1
            Contract.objects.filter(history_policy=slug).update(
                history_policy=f"retired.{slug}.{current.version}", status=Publication.RETIRED
            )
        _publish(policy, name, slug, version)


def _publish(policy: Policy, name: str, slug: str, version: int) -> None:
    described = policy.calendar
    calendar = Calendar.objects.create(
        name=name,
        version=version,
        status=Publication.PUBLISHED,
        time_zone=described["zone"],
        weekly=described["weekly"],
        holidays=described.get("holidays", []),
        exceptions=described.get("exceptions", {}),
    )
    contract = Contract.objects.create(
        name=name,
        version=version,
        status=Publication.PUBLISHED,
        kind=policy.kind,
        calendar=calendar,
        pause_reasons=list(policy.pauses),
        history_policy=slug,
        rules=dict(policy.rules),
    )
    goals: dict[str, int | None] = {**policy.goals} or {"": None}
    Target.objects.bulk_create(
        Target(contract=contract, kind=Target.Kind.RESOLVE, priority=priority, goal_seconds=goal)
        for priority, goal in goals.items()
    )


def _policy_facts(policy: Policy) -> object:
    spec = policy.calendar
    calendar = [spec["zone"], spec["weekly"], list(spec.get("holidays", [])), spec.get("exceptions", {})]
    goals: dict[str, int | None] = {**policy.goals} or {"": None}
    return [policy.kind, calendar, list(policy.pauses), dict(policy.rules), goals]


def _contract_facts(contract: Contract) -> object:
    c = contract.calendar
    goals = dict(contract.targets.values_list("priority", "goal_seconds"))
    calendar = [c.time_zone, c.weekly, c.holidays, c.exceptions]
    return [contract.kind, calendar, contract.pause_reasons, contract.rules, goals]


class RejectFile:
    """The CSV report of unreadable rows, with file, line and reason, in the reports folder."""

    def __init__(self, batch_id: str) -> None:
        self.path = settings.VAR / "reports" / f"import-{batch_id}.csv"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self.first = ""
        self._file = self.path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["file", "line", "reason"])

    def __call__(self, reject: Reject) -> None:
        self.count += 1
        reason = reject.reason.encode("utf-8", "backslashreplace").decode()
        self.first = self.first or f"{reject.file}, line {reject.line}: {reason}"
        self._writer.writerow([reject.file, reject.line, reason])

    def close(self) -> None:
        self._file.close()
