"""What the events of a ticket mean for its clocks: events in, occurrences out, as each party's clocks see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hub.domain.event_loader import Facts
from hub.domain.ticket_state import TicketFacts
from hub.models import EventKind, Phase
from hub.sla.clock_rules import RESOLVE, Occurrence


class View(NamedTuple):
    """Whose clocks: the ticket's own ("") or those of one organisation."""

    organisation: str
    minds_disputes: bool
    """The contract pauses during joint triage (``contested``)."""


class Observer:
    """Translates events into occurrences; it can be saved and continued later."""

    def __init__(
        self, views: Iterable[View], facts: TicketFacts | None = None, saved: Mapping[str, bool] | None = None
    ) -> None:
        """`facts` and `saved` continue what was observed before; the facts are the observer's own from now on."""
        self.facts = facts or TicketFacts()
        self.asking = _Asking(**(saved or {}))
        self.known = {view: self._now(view) for view in views}

    def saved(self) -> dict[str, bool]:
        """What the facts do not tell, as plain JSON."""
        return {"is_answered": self.asking.is_answered, "waits": self.asking.waits}

    def take(self, events: Iterable[Facts]) -> dict[View, list[Occurrence]]:
        """The events, in order of time, as occurrences in order of time, for each view."""
        found: dict[View, list[Occurrence]] = {view: [] for view in self.known}
        has_rows = False
        for event in events:
            before = self.facts.phase
            self.facts.apply(event.kind, event.payload)
            meant = list(_types(event, self.facts, before))
            is_row = event.kind == EventKind.HISTORY_ROW
            has_rows = has_rows or is_row
            if not is_row and self.asking.has_asked(event, self.facts, before):
                meant.append(Occurrence(event.at, event.seq, "asked"))
            for view, occurrences in found.items():
                occurrences += self._seen(view, event, meant, is_row)
        if has_rows:  # a row tells of the opening before it and of the closing after it
            for occurrences in found.values():
                occurrences.sort(key=lambda occurrence: occurrence[:2])
        return found

    def _seen(self, view: View, event: Facts, meant: Sequence[Occurrence], is_row: bool) -> Sequence[Occurrence]:
        status, holders = now = self._now(view)
        # Resolving ends a wait, unless the wait continues, as that of one organisation can.
        seen = [
            each._replace(status=status) if each.type == RESOLVE and each.status is None else each for each in meant
        ]
        if is_row or now == self.known[view]:
            return seen
        self.known[view] = now
        # Holders and status change before anything that starts because of the change.
        return [Occurrence(event.at, event.seq, "status", status, status=status, holders=holders), *seen]

    def _now(self, view: View) -> tuple[str, frozenset[str]]:
        facts = self.facts
        return facts.status_for(view.organisation, minds_disputes=view.minds_disputes), facts.holders()


class _Asking:
    """Finds the oldest unanswered message of the requester after the first response."""

    def __init__(self, is_answered: bool = False, waits: bool = False) -> None:
        self.is_answered, self.waits = is_answered, waits

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
