"""The ledger of a ticket, folded from its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush

from hub.domain.event_loader import Facts, load
from hub.domain.organisations import Organisations
from hub.domain.ticket_state import TicketFacts
from hub.models import LedgerSegment, Organisation, Ticket
from hub.sla import ledger as sums
from hub.sla.ledger import Charge, LedgerChange, Segment


def changes(events: Sequence[Facts]) -> Iterator[LedgerChange]:
    """Every change of the holder or the charged party.

    If an action in a vendor's system changed the holder, the time until the hub recorded it is transport and charged
    to the hub: the new holder could not know.
    """
    facts = TicketFacts()
    unlearned: list[tuple[int, int]] = []
    holder = ""
    for event in events:
        while unlearned and unlearned[0][0] <= event.at:
            yield _change(heappop(unlearned)[0], facts, bool(unlearned))
        facts.apply(event.kind, event.payload)
        ball = facts.ball()
        if event.is_from_vendor and holder and ball.holder != holder and event.learned_at > event.at:
            heappush(unlearned, (event.learned_at, event.seq))
        holder = ball.holder
        yield _change(event.at, facts, bool(unlearned))
    while unlearned:
        yield _change(heappop(unlearned)[0], facts, bool(unlearned))


def _change(at: int, facts: TicketFacts, is_unlearned: bool) -> LedgerChange:
    ball = facts.ball()
    if is_unlearned and ball.charge is not Charge.NOBODY:
        return LedgerChange(at, ball.holder, Charge.HUB, "", "transport")
    return LedgerChange(at, *ball)


def fold(ticket: Ticket, events: Sequence[Facts]) -> list[Segment]:
    """The ticket's segments from `opened_at` on. Imported history ends with its last row."""
    opened_at = int(ticket.opened_at.timestamp())
    ends_at = None
    first: list[LedgerChange] = []
    if ticket.is_history:
        ends_at = max([event.at for event in events], default=opened_at)
        owner = ticket.owner.public_id
        first = [LedgerChange(opened_at, owner, Charge.HOLDER, owner, "unrecorded")]
    found = (turn if turn.at > opened_at else turn._replace(at=opened_at) for turn in changes(events))
    return sums.segments([*first, *found], ends_at=ends_at)


def refold(ticket: Ticket, events: Sequence[Facts], organisations: Organisations | None = None) -> list[str]:
    """Update the stored segments from the events; only those from the first difference on are written.

    Sets the ticket's holder. Returns the names of the ticket's fields to save.
    """
    rows = rows_of(ticket, events, organisations or Organisations())
    stored = list(LedgerSegment.objects.filter(ticket=ticket).order_by("from_at"))
    same = 0
    while same < min(len(stored), len(rows)) and _same(stored[same], rows[same]):
        same += 1
    gone = [segment.pk for segment in stored[same:]]
    if gone:
        LedgerSegment.objects.filter(pk__in=gone).delete()
    LedgerSegment.objects.bulk_create(rows[same:])
    return _show_holder(ticket, rows)


def rows_of(ticket: Ticket, events: Sequence[Facts], organisations: Organisations | None = None) -> list[LedgerSegment]:
    """The ticket's segments as unsaved rows."""
    wanted = fold(ticket, events)
    holders = (organisations or Organisations()).of(segment.holder for segment in wanted)
    return [_row(ticket, segment, holders) for segment in wanted]


def _show_holder(ticket: Ticket, rows: Sequence[LedgerSegment]) -> list[str]:
    if not rows:
        return []
    last = rows[-1]
    since = last.from_at
    for row in reversed(rows):
        if row.holder_id != last.holder_id:
            break
        since = row.from_at
    ticket.holder, ticket.held_since, ticket.hold_reason = last.holder, since, last.reason
    return ["holder", "held_since", "hold_reason"]


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
