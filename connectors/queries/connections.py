"""One connection: its figures, its unmapped values, and its newest payloads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min

from connectors.engine import rate_limits, registry
from connectors.kit.contract import TicketConnector
from connectors.models import Connection, Inbound, Link, Outbound
from hub.models import Leg, UnmappedValue


@dataclass(frozen=True, kw_only=True)
class Condition:
    """The state of one connection in figures."""

    waiting: int
    unclear: int
    parked: int
    unread: int
    oldest: datetime | None
    """When the oldest change that waits to be sent was queued."""
    links: int
    still: int
    """Links that are stopped until a person has checked them."""
    used: int | None
    most: int | None
    """Our requests within the window of the vendor's rate limit, and how many are allowed."""


def condition(connection: Connection) -> Condition:
    """The current figures of a connection."""
    said = Outbound.objects.filter(link__connection=connection)
    open_states = [Outbound.State.READY, Outbound.State.UNCLEAR, Outbound.State.PARKED]
    counts = dict(said.filter(state__in=open_states).values_list("state").annotate(count=Count("pk")))
    waiting = said.filter(state__in=[Outbound.State.READY, Outbound.State.UNCLEAR])
    links = Link.objects.filter(connection=connection).exclude(state=Link.State.ARCHIVED)
    try:
        allowed = registry.kind_of(connection).limits
    except registry.UnknownConnector:
        allowed = None
    limiter = rate_limits.RateLimiter(connection, allowed) if allowed else None
    return Condition(
        waiting=counts.get(Outbound.State.READY, 0),
        unclear=counts.get(Outbound.State.UNCLEAR, 0),
        parked=counts.get(Outbound.State.PARKED, 0),
        unread=Inbound.objects.filter(connection=connection, state=Inbound.State.NEW).count(),
        oldest=waiting.aggregate(oldest=Min("queued_at"))["oldest"],
        links=links.count(),
        still=links.exclude(state=Link.State.ACTIVE).count(),
        used=rate_limits.used(connection, limiter.limits) if limiter else None,
        most=limiter.most if limiter else None,
    )


def unmapped(connection: Connection) -> list[UnmappedValue]:
    """The vendor's values that are not mapped yet, the most frequent first."""
    return list(UnmappedValue.objects.filter(source=connection.public_id, resolved_at=None).order_by("-count", "pk"))


@dataclass(frozen=True, kw_only=True)
class Raw:
    """An inbound row, with its body as text."""

    row: Inbound
    text: str


def raw(connection: Connection, *, most: int = 20) -> list[Raw]:
    """The newest payloads, each cut at 20,000 characters. The caller checks whether the user may see them."""
    rows = Inbound.objects.filter(connection=connection).order_by("-pk")[:most]
    return [Raw(row=row, text=_pretty(bytes(row.body))) for row in rows]


def _pretty(body: bytes) -> str:
    try:
        text = json.dumps(json.loads(body), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
    return text[:20_000]


def origin_without_record(leg: Leg) -> str:
    """The origin of an action on the guest link; empty if the vendor's own system has to be sent the change, too."""
    link = Link.objects.filter(leg=leg).select_related("connection__profile").first()
    if link is None or issubclass(registry.kind_of(link.connection), TicketConnector):
        return ""
    return str(link.connection.public_id)
