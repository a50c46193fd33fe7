"""Where folds start. A long ticket is not folded from its first event for every change: its folds keep checkpoints.

A checkpoint is a cache of the state after all but the newest events. It may be deleted at any time: the next fold
starts from the beginning then, and compares all stored rows. An event that is recorded later and belongs before the end
of a checkpoint makes it invalid. `verify_ledger` always folds all events (docs/decisions/0043).
"""

from __future__ import annotations

import hashlib
import zoneinfo
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import hub
from hub.domain import event_loader
from hub.domain.event_loader import Facts
from hub.models import Checkpoint, EventKind, Ticket

LONG = 60
"""More events than this after the last checkpoint, and the next one is kept."""
NEWEST = 20
"""So many events are never in a checkpoint: what vendors report late usually belongs between these."""

LEDGER, CLOCKS = Checkpoint.Fold.LEDGER, Checkpoint.Fold.CLOCKS


class Part(NamedTuple):
    """What one fold starts from, and the events after it."""

    saved: Mapping[str, Any] | None
    """The state to continue; None at the beginning."""
    early: Sequence[Facts]
    """The events up to the next checkpoint; none if no checkpoint is due."""
    late: Sequence[Facts]


class Story:
    """The events of one ticket as far as its folds need them."""

    def __init__(
        self, ticket: Ticket, events: Sequence[Facts], checkpoints: Mapping[str, Checkpoint] | None = None
    ) -> None:
        """`events` are all, in order of time, or with checkpoints those that no checkpoint covers."""
        self.ticket, self.events = ticket, events
        self.checkpoints = checkpoints or {}
        self.kept: list[Checkpoint] = []

    def part(self, fold: str, *, until: int | None = None) -> Part:
        """Where this fold starts: at its checkpoint, if there is one and no later event belongs before its end.

        `until`: the fold goes no further than this (Unix seconds), so no checkpoint that ends later can be used.
        """
        checkpoint = self.checkpoints.get(fold)
        if checkpoint is None or (until is not None and int(checkpoint.occurred_at.timestamp()) > until):
            return self.whole()
        end = int(checkpoint.occurred_at.timestamp()), checkpoint.seq
        after = [event for event in self.events if event[:2] > end]
        if any(event.seq > checkpoint.covered_seq for event in self.events if event[:2] <= end):
            return self.whole()
        return _split(checkpoint.state, after)

    def whole(self) -> Part:
        """The fold from the first event on."""
        if self.checkpoints:
            self.events, self.checkpoints = event_loader.load(self.ticket), {}
        return _split(None, self.events)

    def engaged(self) -> set[str]:
        """Public ids of the organisations that were ever engaged."""
        legs = [leg for each in self.checkpoints.values() for _key, leg in each.state["facts"]["legs"]]
        return {leg["organisation"] for leg in legs} | {
            str(event.payload["organisation"])
            for event in self.events
            if event.kind.startswith("leg.") or event.kind == EventKind.HISTORY_ROW
        }

    def organisations(self) -> set[str]:
        """Public ids of the organisations that the folds will need: the owner, and those named by events."""
        owners = {each.state["facts"]["owner"] for each in self.checkpoints.values()}
        return self.engaged() | owners | event_loader.organisations_in(self.events)

    def keep(self, fold: str, part: Part, state: Mapping[str, Any]) -> None:
        """Remember the state after the early events as the next checkpoint; `save` stores it."""
        last = part.early[-1]
        self.kept.append(
            Checkpoint(
                ticket=self.ticket,
                fold=fold,
                occurred_at=datetime.fromtimestamp(last.at, UTC),
                seq=last.seq,
                covered_seq=self.ticket.last_seq,
                next_seq=min(event.seq for event in part.late),
                rules=RULES,
                state=state,
            )
        )


def save(told: Iterable[Story]) -> None:
    """Store the checkpoints that were kept, with one statement. The caller holds the row locks of the tickets."""
    kept = [checkpoint for story in told for checkpoint in story.kept]
    if kept:
        names = ["occurred_at", "seq", "covered_seq", "next_seq", "rules", "state"]
        Checkpoint.objects.bulk_create(
            kept, update_conflicts=True, unique_fields=["ticket", "fold"], update_fields=names
        )


def _split(saved: Mapping[str, Any] | None, events: Sequence[Facts]) -> Part:
    """A checkpoint becomes due with more than LONG events. Imported history never changes and needs none."""
    if len(events) <= LONG or any(event.kind == EventKind.HISTORY_ROW for event in events):
        return Part(saved, (), events)
    return Part(saved, events[:-NEWEST], events[-NEWEST:])


def stories(tickets: Iterable[Ticket], folds: Collection[str] = (LEDGER, CLOCKS)) -> dict[int, Story]:
    """The stories of tickets by their primary keys, for these folds, with at most two queries."""
    tickets = list(tickets)
    kept: dict[int, dict[str, Checkpoint]] = {}
    if long := [ticket.pk for ticket in tickets if ticket.last_seq > LONG]:
        for row in Checkpoint.objects.filter(ticket__in=long, fold__in=folds, rules=RULES):
            kept.setdefault(row.ticket_id, {})[row.fold] = row
    kept = {pk: rows for pk, rows in kept.items() if len(rows) == len(folds)}
    since = {pk: min(row.next_seq for row in rows.values()) for pk, rows in kept.items()}
    events = event_loader.load_all(tickets, since=since)
    return {ticket.pk: Story(ticket, events[ticket.pk], kept.get(ticket.pk)) for ticket in tickets}


FOLDING = (
    *(
        f"domain/{name}.py"
        for name in ("checkpoints", "clocks", "event_loader", "ledger", "occurrences", "ticket_state")
    ),
    *(f"models/{name}.py" for name in ("calendar", "event", "leg", "workflow")),
    "queries/calendars.py",
    "sla/*.py",
)
"""The files of `hub` that decide what a fold gives."""


def _rules() -> str:
    """A digest of the code that folds and of the time zones: if either changes, no earlier checkpoint counts."""
    home, digest = Path(hub.__file__).parent, hashlib.sha256()
    for pattern in FOLDING:
        for file in sorted(home.glob(pattern)):
            digest.update(file.read_bytes())
    for folder in zoneinfo.TZPATH:
        zones = Path(folder) / "tzdata.zi"
        digest.update(zones.read_bytes() if zones.is_file() else b"")
    digest.update(version("tzdata").encode())
    return digest.hexdigest()


RULES = _rules()
"""Made when the process starts, from the files that it runs."""
