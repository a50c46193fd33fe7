"""What is due to be sent, on links that a worker may lease now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from connectors.engine import registry
from connectors.models import Connection, Lane, Link, Outbound
from hub.core.jobs import Due


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


def due_calls(*, at: datetime, without: Collection[int], limit: int = 100) -> list[Due]:
    """Links with something to send, what people wait for first; except those of some connections."""
    rows = waiting(at=at).exclude(link__connection__in=without).order_by("-is_urgent", "next_attempt_at", "pk")
    found = rows.values_list("link", "link__connection", "link__connection__connector", "is_urgent")
    calls: dict[int, Due] = {}
    for link, system, slug, is_urgent in found[:limit]:
        calls.setdefault(link, Due(link, system, registry.calls_at_once(slug), "out", is_urgent))
    return list(calls.values())


def due_links(*, at: datetime, limit: int = 50) -> list[int]:
    """Primary keys of links with something to send, those whose turn came first."""
    links = waiting(at=at).values("link").annotate(first=Min("next_attempt_at")).order_by("first", "link")
    return list(links.values_list("link", flat=True)[:limit])


def head(rows: Sequence[Outbound], lane: Lane) -> Outbound | None:
    """The next item of the lane, if it can be sent now: nothing overtakes a parked item, or the ticket's creation."""
    creation = next((row for row in rows if row.kind == Outbound.Kind.CREATE), None)
    first = next((row for row in rows if row.lane == lane), None)
    item = creation if creation is not None and lane == Lane.FIELDS else first
    if item is None or (creation is not None and item.pk != creation.pk):
        return None
    return item if item.state != Outbound.State.PARKED and is_due(item, timezone.now()) else None


def is_due(item: Outbound, at: datetime) -> bool:
    """Whether the item can be tried now."""
    return item.next_attempt_at is not None and item.next_attempt_at <= at
