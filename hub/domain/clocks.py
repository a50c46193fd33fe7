"""The clocks of a ticket, folded from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.domain.applicable_contracts import CONTESTED, Terms, contracts_for, terms_for
from hub.domain.checkpoints import CLOCKS, Story
from hub.domain.event_loader import Facts
from hub.domain.occurrences import Observer, View
from hub.domain.organisations import Organisations
from hub.domain.ticket_state import TicketFacts
from hub.models import Calendar, Contract, Ticket
from hub.queries.calendars import calendar_of
from hub.sla import calendars
from hub.sla.clock_runs import ClockRun
from hub.sla.clock_states import ClockState


def fold(
    ticket: Ticket,
    events: Sequence[Facts],
    *,
    as_of: datetime,
    contracts: Iterable[Contract] | None = None,
    known: Organisations | None = None,
) -> list[tuple[Terms, ClockState]]:
    """Every clock of the ticket at `as_of`, from all its events, by the contracts that apply or by those given."""
    story, known = Story(ticket, events), known or Organisations()
    if contracts is None:
        [(_ticket, folded)] = fold_all([story], known, as_of=as_of)
        return folded
    engaged = sorted(known.of(story.engaged()).values(), key=lambda organisation: organisation.pk)
    return _folded(story, terms_for(ticket, engaged, contracts), as_of)


def fold_all(
    stories: Sequence[Story],
    known: Organisations,
    *,
    as_of: datetime,
    pinned: Mapping[int, Mapping[int, Contract]] | None = None,
) -> list[tuple[Ticket, list[tuple[Terms, ClockState]]]]:
    """Every clock of each ticket at `as_of`, by the contracts that apply.

    `pinned`: by the tickets' primary keys, the contracts by which their clocks were started, if known.
    """
    names = {story.ticket.pk: story.engaged() for story in stories}
    organisations = known.of({name for each in names.values() for name in each})
    engaged = {
        pk: sorted(
            (organisations[name] for name in each if name in organisations), key=lambda organisation: organisation.pk
        )
        for pk, each in names.items()
    }
    applicable = contracts_for([story.ticket for story in stories], engaged, pinned)
    return [
        (
            story.ticket,
            _folded(story, terms_for(story.ticket, engaged[story.ticket.pk], applicable[story.ticket.pk]), as_of),
        )
        for story in stories
    ]


def _folded(story: Story, terms: Sequence[Terms], as_of: datetime) -> list[tuple[Terms, ClockState]]:
    until = int(as_of.timestamp())
    part = story.part(CLOCKS, until=until)
    if part.saved is not None and not _Fold.can_continue(terms, part.saved):
        part = story.whole()
    folded = _Fold(terms, part.saved)
    if part.early and part.early[-1].at <= until:
        folded.take(part.early, until)
        story.keep(CLOCKS, part, folded.saved())
        folded.take(part.late, until)
    else:
        folded.take([*part.early, *part.late], until)
    return folded.states(until)


class _Fold:
    """The clocks of one ticket while its events pass; it can be saved and continued later."""

    def __init__(self, terms: Sequence[Terms], saved: Mapping[str, Any] | None = None) -> None:
        self.terms, self.tables = terms, _tables(terms)
        views = {_view(term) for term in terms}
        if saved is None:
            self.observer = Observer(views)
            self.runs = [ClockRun(term.rule, self.tables) for term in terms]
        else:
            self.observer = Observer(views, TicketFacts.continued(saved["facts"]), saved["asking"])
            self.runs = [self._continued(term, saved["runs"].get(term.rule.id)) for term in terms]

    @staticmethod
    def can_continue(terms: Iterable[Terms], saved: Mapping[str, Any]) -> bool:
        """Whether each clock was folded by the same rule then, or cannot have started before."""
        engaged = {leg["organisation"] for _key, leg in saved["facts"]["legs"]}
        for term in terms:
            run, who = saved["runs"].get(term.rule.id), term.party.public_id
            if run is None:
                can_start_only_now = who not in engaged and term.rule.start_on <= {f"handoff:{who}", f"accept:{who}"}
                if not can_start_only_now:
                    return False
            elif run["rule"] != term.rule.digest():
                return False
        return True

    def _continued(self, term: Terms, saved: Mapping[str, Any] | None) -> ClockRun:
        if saved is not None:
            return ClockRun.continued(term.rule, self.tables, saved)
        run = ClockRun(term.rule, self.tables)
        run.priority = self.observer.facts.priority
        run.status, run.holders = self.observer.known[_view(term)]
        return run

    def take(self, events: Iterable[Facts], until: int) -> None:
        """Let the events pass, in order of time; those after `until` do not count."""
        seen = self.observer.take(events)
        for term, run in zip(self.terms, self.runs, strict=True):
            run.take(seen[_view(term)], until=until)

    def states(self, as_of: int) -> list[tuple[Terms, ClockState]]:
        """Every clock at `as_of`; the fold has ended then."""
        return [(term, run.report(as_of)) for term, run in zip(self.terms, self.runs, strict=True)]

    def saved(self) -> dict[str, Any]:
        """The state as plain JSON."""
        runs = {run.rule.id: run.saved() | {"rule": run.rule.digest()} for run in self.runs}
        return {"facts": self.observer.facts.saved(), "asking": self.observer.saved(), "runs": runs}


def _view(term: Terms) -> View:
    """Whose view of the events counts: the ticket's for an SLA, otherwise the organisation's."""
    who = "" if term.contract.kind == Contract.Kind.SLA else term.party.public_id
    return View(who, CONTESTED in term.contract.pause_reasons)


def _tables(terms: Iterable[Terms]) -> dict[str, calendars.Calendar]:
    rows: dict[str, Calendar] = {}
    for term in terms:
        rows[str(term.contract.calendar_id)] = term.contract.calendar
        rows |= {str(t.calendar_id): t.calendar for t in term.contract.targets.all() if t.calendar is not None}
    return {key: calendar_of(row) for key, row in rows.items()}
