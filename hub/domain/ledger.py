"""The ledger of a ticket, folded from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Any

from django.db.models import QuerySet

from hub.core import statements
from hub.domain.checkpoints import LEDGER, Story
from hub.domain.event_loader import Facts, load
from hub.domain.organisations import Organisations
from hub.domain.ticket_state import TicketFacts
from hub.models import LedgerSegment, Organisation, Ticket
from hub.sla import ledger as sums
from hub.sla.ledger import Charge, LedgerChange, Segment, Segments


class _Fold:
    """The segments of one ticket while its events pass; it can be saved and continued later.

    If an action in a vendor's system changed the holder, the time until the hub recorded it is transport and charged
    to the hub: the new holder could not know.
    """

    def __init__(self, ticket: Ticket, saved: Mapping[str, Any] | None = None) -> None:
        self.opened_at = int(ticket.opened_at.timestamp())
        self.ends_at: int | None = None
        """Imported history ends with its last row."""
        self.held_since: int | None = None
        """Since when the holder of the first segment has held the ticket, if that was before the segment."""
        self.facts = TicketFacts()
        self.unlearned: list[tuple[int, int]] = []
        self.holder = ""
        self.joined = Segments()
        if saved is not None:
            self._continue(saved)
        elif ticket.is_history:
            owner, self.ends_at = ticket.owner.public_id, self.opened_at
            self.joined.add(LedgerChange(self.opened_at, owner, Charge.HOLDER, owner, "unrecorded"))

    def take(self, events: Iterable[Facts]) -> None:
        """Let the events pass, in order of time."""
        for event in events:
            while self.unlearned and self.unlearned[0][0] <= event.at:
                self._change(heappop(self.unlearned)[0])
            self.facts.apply(event.kind, event.payload)
            ball = self.facts.ball()
            is_new = bool(self.holder) and ball.holder != self.holder
            if event.is_from_vendor and is_new and event.learned_at > event.at:
                heappush(self.unlearned, (event.learned_at, event.seq))
            self.holder = ball.holder
            self._change(event.at)
            if self.ends_at is not None:
                self.ends_at = max(self.ends_at, event.at)

    def segments(self) -> list[Segment]:
        """The segments, or those from the last one before the checkpoint on; the fold has ended then."""
        while self.unlearned:
            self._change(heappop(self.unlearned)[0])
        return self.joined.until(self.ends_at)

    def _change(self, at: int) -> None:
        """The holder or the charged party may have changed."""
        ball, at = self.facts.ball(), max(at, self.opened_at)
        if self.unlearned and ball.charge is not Charge.NOBODY:
            self.joined.add(LedgerChange(at, ball.holder, Charge.HUB, "", "transport"))
        else:
            self.joined.add(LedgerChange(at, *ball))

    def saved(self) -> dict[str, Any]:
        """The state as plain JSON."""
        found = self.joined.found
        return {
            "facts": self.facts.saved(),
            "unlearned": list(self.unlearned),
            "holder": self.holder,
            "found": found[-1:],
            "current": self.joined.current,
            "held_since": _held_since(found, self.held_since) if found else None,
        }

    def _continue(self, saved: Mapping[str, Any]) -> None:
        def charged(change: list[Any], charge: int) -> list[Any]:
            return [*change[:charge], Charge(change[charge]), *change[charge + 1 :]]

        self.facts = TicketFacts.continued(saved["facts"])
        self.unlearned = [(at, seq) for at, seq in saved["unlearned"]]
        self.holder, self.held_since = saved["holder"], saved["held_since"]
        current = saved["current"]
        self.joined = Segments(
            [Segment(*charged(each, 3)) for each in saved["found"]],
            LedgerChange(*charged(current, 2)) if current else None,
        )


def _held_since(found: Sequence[Segment], before: int | None) -> int:
    """Since when the holder of the last segment has held the ticket; `before`, since when that of the first."""
    since = found[-1].start
    for segment in reversed(found):
        if segment.holder != found[-1].holder:
            return since
        since = segment.start
    return since if before is None else before


def fold(ticket: Ticket, events: Sequence[Facts]) -> list[Segment]:
    """The ticket's segments from `opened_at` on, from all its events."""
    folded = _Fold(ticket)
    folded.take(events)
    return folded.segments()


def refold(story: Story, organisations: Organisations) -> list[str]:
    """Update the stored segments of a ticket from its events; only those from the first difference on are written.

    Sets the ticket's holder. Returns the names of the ticket's fields to save.
    """
    ticket, part = story.ticket, story.part(LEDGER)
    folded = _Fold(ticket, part.saved)
    if part.early:
        folded.take(part.early)
        story.keep(LEDGER, part, folded.saved())
    folded.take(part.late)
    segments = folded.segments()
    if not segments:
        return []
    _write(ticket, _rows(ticket, segments, organisations), is_whole=part.saved is None)
    ticket.holder = organisations.of([segments[-1].holder])[segments[-1].holder]
    ticket.held_since = _when(_held_since(segments, folded.held_since))
    ticket.hold_reason = segments[-1].reason
    return ["holder", "held_since", "hold_reason"]


def _write(ticket: Ticket, rows: Sequence[LedgerSegment], *, is_whole: bool) -> None:
    stored = _stored(ticket.pk) if is_whole else _stored_since(ticket.pk, rows[0].from_at)
    same = 0
    while same < min(len(stored), len(rows)) and _same(stored[same], rows[same]):
        same += 1
    gone = [segment.pk for segment in stored[same:]]
    if gone:
        LedgerSegment.objects.filter(pk__in=gone).delete()
    LedgerSegment.objects.bulk_create(rows[same:])


@statements.select
def _stored(ticket_id: int) -> QuerySet[LedgerSegment]:
    return LedgerSegment.objects.filter(ticket=ticket_id).order_by("from_at")


@statements.select
def _stored_since(ticket_id: int, since: datetime) -> QuerySet[LedgerSegment]:
    return LedgerSegment.objects.filter(ticket=ticket_id, from_at__gte=since).order_by("from_at")


def rows_of(ticket: Ticket, events: Sequence[Facts], known: Organisations | None = None) -> list[LedgerSegment]:
    """The ticket's segments as unsaved rows, from all its events."""
    return _rows(ticket, fold(ticket, events), known or Organisations())


def _rows(ticket: Ticket, segments: Sequence[Segment], organisations: Organisations) -> list[LedgerSegment]:
    named = organisations.of(name for each in segments for name in (each.holder, each.charged_to) if name)
    return [_row(ticket, segment, named) for segment in segments]


def _row(ticket: Ticket, segment: Segment, organisations: dict[str, Organisation]) -> LedgerSegment:
    return LedgerSegment(
        ticket=ticket,
        from_at=_when(segment.start),
        until_at=None if segment.end is None else _when(segment.end),
        holder=organisations[segment.holder],
        charge=segment.charge.value,
        charged_to=organisations[segment.charged_to] if segment.charged_to else None,
        reason=segment.reason,
    )


def _same(a: LedgerSegment, b: LedgerSegment) -> bool:
    return all(
        getattr(a, name) == getattr(b, name)
        for name in ("from_at", "until_at", "holder_id", "charge", "charged_to_id", "reason")
    )


def _when(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def stored(ticket: Ticket) -> list[Segment]:
    """The ticket's segments from the database."""
    rows = LedgerSegment.objects.filter(ticket=ticket).select_related("holder", "charged_to").order_by("from_at")
    return [
        Segment(
            int(row.from_at.timestamp()),
            None if row.until_at is None else int(row.until_at.timestamp()),
            row.holder.public_id,
            Charge(row.charge),
            row.charged_to.public_id if row.charged_to else "",
            row.reason,
        )
        for row in rows
    ]


def verify(ticket: Ticket) -> list[str]:
    """Faults of the ticket's ledger: gaps, overlaps, or a difference from the result of its events."""
    found = stored(ticket)
    wrong = [
        f"{_when(fault.at):%Y-%m-%d %H:%M:%S}: {fault.what}"
        for fault in sums.faults(found, opened_at=int(ticket.opened_at.timestamp()))
    ]
    events = load(ticket)
    if found != fold(ticket, events):
        wrong.append("the segments do not match the events")
    return wrong
