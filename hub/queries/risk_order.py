"""Lists by business risk. No database can compute the risk, so the tickets with the most at stake are ranked here.

Of at most `MOST` open tickets, all are ranked; of more, those that are likely to be at the top. The others follow by
number, as do tickets that have ended: they put nothing at stake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db.models import QuerySet

from hub.models import Ticket
from hub.queries import business_risk, sorting
from hub.queries.filter_fields import Reader
from hub.queries.sorting import END, Order, Page, Place

MOST = 1000
_Row = tuple[Place, int | Ticket]
"""Where a ticket is in the list; of those that are ranked, only the primary key, until a page shows them."""


def page(
    tickets: QuerySet[Ticket], order: Order, reader: Reader, *, size: int, after: str = "", before: str = ""
) -> Page:
    """A page of any order; see `sorting.page`."""
    if order.sort.slug != "risk":
        return sorting.page(tickets, order, reader, size=size, after=after, before=before)
    return _Ranking(tickets, order, reader).page(size, after=after, before=before)


def pages_forward(tickets: QuerySet[Ticket], order: Order, reader: Reader, *, size: int) -> Callable[[str], Page]:
    """The page after a place, for a reader who takes them all: the tickets are ranked once."""
    if order.sort.slug != "risk":
        return lambda after: sorting.page(tickets, order, reader, size=size, after=after)
    ranking = _Ranking(tickets, order, reader)
    return lambda after: ranking.page(size, after=after, before="")


class _Ranking:
    """The tickets in two parts: those that are ranked, and the others by number."""

    def __init__(self, tickets: QuerySet[Ticket], order: Order, reader: Reader) -> None:
        ranked, self.are_all = business_risk.ranked(tickets, reader, most=MOST)
        found: list[_Row] = [(Place(value=each.stakes.risk, number=each.number), each.pk) for each in ranked]
        self.tickets, self.order = tickets, order
        self.first = sorted(found, key=lambda each: self._key(each[0]))
        self.others = tickets.exclude(pk__in=[pk for _place, pk in self.first])

    def _key(self, place: Place) -> tuple[float, int]:
        return (-place.value if self.order.is_descending else place.value), place.number

    def page(self, size: int, *, after: str, before: str) -> Page:
        start, end = sorting.place(after, self.order), sorting.place(before, self.order)
        if before == END or end is not None:
            found = self._backwards(end, size + 1)
            has_more, found = len(found) > size, found[-size:]
            return self._page(found, has_before=has_more, has_after=before != END)
        found = self._forwards(start, size + 1)
        return self._page(found[:size], has_before=start is not None, has_after=len(found) > size)

    def _page(self, found: Sequence[_Row], *, has_before: bool, has_after: bool) -> Page:
        if not found:
            return Page(rows=[])
        known = self.tickets.in_bulk([each for _place, each in found if isinstance(each, int)])
        tickets = [known.get(each) if isinstance(each, int) else each for _place, each in found]
        return Page(
            rows=[ticket for ticket in tickets if ticket is not None],
            before=found[0][0].text() if has_before else "",
            after=found[-1][0].text() if has_after else "",
            is_ranked_in_part=not self.are_all,
        )

    def _forwards(self, start: Place | None, count: int) -> list[_Row]:
        if start is not None and start.value is None:
            return self._rest(self.others.filter(number__gt=start.number).order_by("number")[:count])
        found = self.first[self._index(start) :][:count] if start is not None else self.first[:count]
        return found + self._rest(self.others.order_by("number")[: count - len(found)])

    def _backwards(self, end: Place | None, count: int) -> list[_Row]:
        if end is not None and end.value is not None:
            return self.first[: self._index(end, after=False)][-count:]
        others = self.others if end is None else self.others.filter(number__lt=end.number)
        rest = self._rest(others.order_by("-number")[:count])[::-1]
        missing = count - len(rest)
        return [*(self.first[-missing:] if missing else []), *rest]

    def _index(self, place: Place, *, after: bool = True) -> int:
        """Where the rows after a place begin, or those before it end. Risks rise by the minute: the ticket decides."""
        for index, (known, _pk) in enumerate(self.first):
            if known.number == place.number:
                return index + after
        return sum(self._key(known) < self._key(place) for known, _pk in self.first)

    @staticmethod
    def _rest(tickets: QuerySet[Ticket]) -> list[_Row]:
        return [(Place(value=None, number=ticket.number), ticket) for ticket in tickets]
