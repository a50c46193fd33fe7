"""A list of tickets in groups: how many there are for each value of a field, and how many are late or at risk."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, QuerySet

from hub.models import Ticket
from hub.queries.clock_states import late_clocks, soon_clocks
from hub.queries.filter_fields import Field, Reader, allowed
from hub.queries.filters import NONE, Condition, Filters

GROUPED = ("holder", "service", "priority", "status", "team", "assignee", "customer", "site", "kind", "phase")
"""The fields by which a list can be grouped."""
MOST = 200
"""The most groups that are shown, those with the most tickets; the total counts all."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The tickets with one value."""

    label: str
    filters: Filters
    """The filters of the list of these tickets."""
    count: int
    breached: int
    at_risk: int


@dataclass(frozen=True, kw_only=True)
class Totals:
    groups: list[Group]
    count: int
    breached: int
    at_risk: int
    is_cut: bool


def grouped(reader: Reader) -> list[Field]:
    """The fields by which this reader may group."""
    fields = allowed(reader)
    return [fields[slug] for slug in GROUPED if slug in fields]


def totals(tickets: QuerySet[Ticket], field: Field, filters: Filters, reader: Reader) -> Totals:
    """The groups of these tickets, the largest first, and the sums over all of them. Two queries."""
    rows = list(_counted(tickets, field, reader))
    shown = rows[:MOST]
    labels = field.labels([value for value, *_counts in shown if value is not None], reader)
    groups = [
        Group(
            label=labels.get(value, str(value)) if value is not None else str(field.empty or "–"),
            filters=_with(filters, field, value),
            count=count,
            breached=late,
            at_risk=soon,
        )
        for value, count, late, soon in shown
    ]
    return Totals(
        groups=groups,
        count=sum(row[1] for row in rows),
        breached=sum(row[2] for row in rows),
        at_risk=sum(row[3] for row in rows),
        is_cut=len(rows) > MOST,
    )


def _counted(tickets: QuerySet[Ticket], field: Field, reader: Reader) -> list[tuple[str | None, int, int, int]]:
    path = field.path if field.choices or field.slug == "status" else f"{field.path}__public_id"
    late, soon = (
        Exists(clocks(at=reader.at, of=reader.known).filter(ticket=OuterRef("pk")))
        for clocks in (late_clocks, soon_clocks)
    )
    if field.slug == "holder" and reader.known is not None:
        tickets = tickets.filter(holder__in=reader.known)
    rows = (
        tickets.order_by()
        .values(path)
        .annotate(count=Count("pk"), late=Count("pk", filter=late), soon=Count("pk", filter=soon))
    )
    return list(rows.order_by("-count", path).values_list(path, "count", "late", "soon"))


def _with(filters: Filters, field: Field, value: str | None) -> Filters:
    """The filters of the list of one group; a condition on the field itself is replaced."""
    rest = filters.without(field.slug)
    condition = Condition(field=field.slug, values=(NONE if value is None else value,))
    return Filters(show=rest.show, conditions=(*rest.conditions, condition))
