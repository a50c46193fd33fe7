"""The values that a filter offers, with the number of tickets each would show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet

from hub.models import ENGAGED_STAGES, Leg, Ticket
from hub.queries.clock_states import late_clocks
from hub.queries.filter_fields import Field, Reader
from hub.queries.filters import NONE
from hub.queries.sorting import MOST_COUNTED, counted

MOST = 50
"""The most values of one field; those with the most tickets."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value of a field."""

    value: str
    label: str
    count: int | None = None
    """How many tickets have the value; None if they are not counted."""

    @property
    def is_capped(self) -> bool:
        return self.count is not None and self.count > MOST_COUNTED


def choices(tickets: QuerySet[Ticket], field: Field, reader: Reader, *, text: str = "") -> list[Choice]:
    """The values of a field among these tickets, the most frequent first; with `text`, those whose name has it.

    Fields with few values show all of them in their own order.
    """
    if field.is_time:
        return [Choice(value=value, label=str(label)) for value, label in field.choices]
    if field.choices:
        return [
            Choice(
                value=value,
                label=str(label),
                count=counted(tickets.filter(field.match([value], reader))),
            )
            for value, label in field.choices
        ]
    found = _counts(tickets, field, reader, text)
    labels = field.labels(list(found), reader)
    named = [Choice(value=value, label=labels[value], count=count) for value, count in found.items() if value in labels]
    named = sorted(named, key=lambda choice: (-(choice.count or 0), choice.label))
    if field.empty and not text:
        empty = counted(tickets.filter(field.match([NONE], reader)))
        named.append(Choice(value=NONE, label=str(field.empty), count=empty))
    return named


def _counts(tickets: QuerySet[Ticket], field: Field, reader: Reader, text: str) -> dict[str, int]:
    """The number of tickets by value, for the most frequent ones with the text in their name."""
    rows: QuerySet[Any, Any]
    if field.slug == "engaged":
        legs = Leg.objects.filter(ticket__in=tickets.values("pk"), stage__in=ENGAGED_STAGES)
        legs = legs.filter(organisation__name__icontains=text) if text else legs
        rows = legs.values_list("organisation__public_id").annotate(count=Count("ticket", distinct=True))
    elif field.slug == "party":
        late = late_clocks(at=reader.at, of=reader.known).filter(ticket__in=tickets.values("pk"))
        late = late.filter(party__name__icontains=text) if text else late
        rows = late.values_list("party__public_id").annotate(count=Count("ticket", distinct=True))
    else:
        is_status = field.slug == "status"
        path = field.path if is_status else f"{field.path}__public_id"
        if text:
            tickets = tickets.filter(**{f"{'status' if is_status else field.path}__name__icontains": text})
        if field.slug == "holder" and reader.known is not None:
            tickets = tickets.filter(holder__in=reader.known)
        rows = tickets.order_by().values_list(path).annotate(count=Count("pk"))
    return {value: count for value, count in rows.order_by("-count")[: MOST + 1] if value is not None}
