"""What is due to be sent, on links that a worker may lease now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from connectors.engine import registry
from connectors.models import Connection, Lane, Link, Outbound
from hub.core import clock, compiled, statements
from hub.core.jobs import Due

MOST_CALLS = 100
"""The most items that one sweep looks at."""
MOST_TOGETHER = statements.MOST
"""The most links that one job claims at once."""
FEW_ITEMS = 3
"""The most items on a link that is claimed together with others."""


def waiting(*, at: datetime) -> QuerySet[Outbound]:
    """What can be sent now: on links with a free lease, over connections that are not resting."""
    return Outbound.objects.filter(
        Q(link__lease_until__isnull=True) | Q(link__lease_until__lte=at),
        Q(link__connection__resting_until__isnull=True) | Q(link__connection__resting_until__lte=at),
        link__connection__state=Connection.State.ACTIVE,
        link__state=Link.State.ACTIVE,
        state__in=[Outbound.State.READY, Outbound.State.UNCLEAR],
        next_attempt_at__lte=at,
    )


def unsettled() -> QuerySet[Outbound]:
    """What is not settled yet, in order, with what it takes to compose it."""
    open_states = [Outbound.State.READY, Outbound.State.UNCLEAR, Outbound.State.PARKED]
    rows = Outbound.objects.filter(state__in=open_states)
    return rows.select_related("message__author_organisation", "attachment").order_by("link", "seq")


@statements.select
def of_link(link_id: int) -> QuerySet[Outbound]:
    """What is not settled yet on this link, in order."""
    return unsettled().filter(link=link_id)


@statements.select
def item_of(link_id: int, item_id: int) -> QuerySet[Outbound]:
    """The item of the link, if it is not settled yet."""
    return unsettled().filter(link=link_id, pk=item_id)


@statements.select
def _of_few(links: Sequence[int]) -> QuerySet[Outbound]:
    return unsettled().filter(link__pk__in=links)


def of_links(links: Sequence[Link]) -> dict[int, list[Outbound]]:
    """What is not settled yet on these links, in order, by the links' primary keys; at most `MOST_TOGETHER` links."""
    found: dict[int, list[Outbound]] = {link.pk: [] for link in links}
    for item in of_link(links[0].pk) if len(links) == 1 else _of_few(list(found)):
        found[item.link_id].append(item)
    return found


def due_calls(*, at: datetime, without: Collection[int], limit: int = MOST_CALLS) -> list[Due]:
    """Links with something to send, what people wait for first; except those of some connections.

    Where more links of a system are due than calls can be made to it at once, several links are one call.
    """
    if without or limit != MOST_CALLS:
        first = list(_named(waiting(at=at).exclude(link__connection__in=without))[:limit])
    else:
        first = compiled.run(_first_calls)
    calls: dict[int, Due] = {}
    counts = Counter(link for link, *_rest in first)
    for link, system, slug, is_urgent in first:
        calls.setdefault(link, Due(link, system, registry.calls_at_once(slug), "out", bool(is_urgent)))
    if len(first) == limit and len(calls) < limit // 4:  # the queues of a few links hide those behind them
        rows = waiting(at=at).exclude(link__connection__in=without)
        for link, system, slug, count in _behind(rows)[:limit]:
            counts[link] = count
            calls.setdefault(link, Due(link, system, registry.calls_at_once(slug), "out"))
    return _together(list(calls.values()), counts)


def _first_calls() -> QuerySet[Outbound, tuple[Any, ...]]:
    return _named(waiting(at=clock.system()))[:MOST_CALLS]


def _named(rows: QuerySet[Outbound]) -> QuerySet[Outbound, tuple[Any, ...]]:
    """The link of each row, its system, and whether a person waits, most urgent first."""
    in_order = rows.order_by("-is_urgent", "next_attempt_at", "pk")
    return in_order.values_list("link", *_SYSTEM, "is_urgent")


def _behind(rows: QuerySet[Outbound]) -> Any:
    """The links of these rows with their systems and their number of rows, those whose turn came first."""
    links = rows.values("link", *_SYSTEM).annotate(first=Min("next_attempt_at"), count=Count("pk"))
    return links.order_by("first", "link").values_list("link", *_SYSTEM, "count")


_SYSTEM = ("link__connection", "link__connection__connector")


def _together(calls: Sequence[Due], counts: Mapping[int, int]) -> list[Due]:
    """The calls, urgent ones first; those that must wait for each other anyway are made one call.

    A link with more than a few items is a call of its own: the others would wait for all of them.
    """
    found = [call for call in calls if call.is_urgent]
    by_system: dict[int, list[Due]] = {}
    for call in calls:
        if not call.is_urgent and counts[call.row_id] > FEW_ITEMS:
            found.append(call)
        elif not call.is_urgent:
            by_system.setdefault(call.system, []).append(call)
    for each in by_system.values():
        size = min(MOST_TOGETHER, max(1, len(each) // each[0].most))
        for first, *others in (each[at : at + size] for at in range(0, len(each), size)):
            found.append(first._replace(others=tuple(other.row_id for other in others)))
    return found


def due_links(*, at: datetime, limit: int = 50) -> list[int]:
    """Primary keys of links with something to send, those whose turn came first."""
    links = waiting(at=at).values("link").annotate(first=Min("next_attempt_at")).order_by("first", "link")
    return list(links.values_list("link", flat=True)[:limit])


def head(rows: Sequence[Outbound], lane: Lane) -> Outbound | None:
    """The next item of the lane, if it can be sent now: nothing overtakes a parked item, or the ticket's creation."""
    item = first(rows, lane)
    if item is None or (item.kind == Outbound.Kind.CREATE and lane != Lane.FIELDS):
        return None
    return item if item.state != Outbound.State.PARKED and is_due(item, timezone.now()) else None


def first(rows: Sequence[Outbound], lane: Lane) -> Outbound | None:
    """What everything else of the lane waits for: the ticket's creation, otherwise the lane's first item."""
    creation = next((row for row in rows if row.kind == Outbound.Kind.CREATE), None)
    return creation or next((row for row in rows if row.lane == lane), None)


def is_due(item: Outbound, at: datetime) -> bool:
    """Whether the item can be tried now."""
    return item.next_attempt_at is not None and item.next_attempt_at <= at
