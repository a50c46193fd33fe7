"""Reads linked records again, completely, as they are in the vendor's system now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from connectors.engine import backoff, registry, texts
from connectors.engine.inbound import absences, identity, reconcile, records
from connectors.engine.leases import LEASE
from connectors.kit.contract import TicketConnector
from connectors.kit.errors import ConnectorError, Missing
from connectors.models import Connection, Link
from hub.core.clock import now
from hub.core.jobs import Due


def due(*, at: datetime, limit: int = 50) -> list[int]:
    """Primary keys of links whose record has to be read again now."""
    return list(waiting(at=at).order_by("pk").values_list("pk", flat=True)[:limit])


def due_calls(*, at: datetime, without: Collection[int], limit: int = 100) -> list[Due]:
    """The same with the connections that are called, except some connections."""
    rows = waiting(at=at).exclude(connection__in=without).order_by("pk")
    found = rows.values_list("pk", "connection", "connection__connector")[:limit]
    return [Due(pk, system, registry.calls_at_once(slug)) for pk, system, slug in found]


def waiting(*, at: datetime) -> QuerySet[Link]:
    """Links whose record has to be read again now."""
    return Link.objects.filter(
        Q(next_look_at__isnull=True) | Q(next_look_at__lte=at),
        Q(connection__resting_until__isnull=True) | Q(connection__resting_until__lte=at),
        is_dirty=True,
        state__in=[Link.State.ACTIVE, Link.State.ALIAS],
        connection__state=Connection.State.ACTIVE,
    ).exclude(remote_key="")


def look(*, link_id: int) -> None:
    """Read one linked record with all its notes and files."""
    at = timezone.now()
    until = at + LEASE
    claimed = Link.objects.filter(
        Q(next_look_at__isnull=True) | Q(next_look_at__lte=at), pk=link_id, is_dirty=True
    ).update(next_look_at=until)
    if not claimed:
        return
    # What another process writes meanwhile is kept: that the record has to be read again, or that the link is stopped.
    link = Link.objects.select_related("connection__organisation", "connection__service", "leg__ticket").get(pk=link_id)
    mine = Link.objects.filter(pk=link_id, next_look_at=until, state=link.state)
    try:
        with registry.ready(link.connection, TicketConnector) as connector:
            _look_at(link, connector)
    except Missing as error:
        if not identity.not_found(link, error):
            mine.update(next_look_at=timezone.now() + absences.look_after(link))
        return
    except ConnectorError as error:
        failures = link.look_failures + 1
        why = {} if link.state == Link.State.ALIAS else {"why": texts.storable(str(error))}
        mine.update(look_failures=failures, next_look_at=timezone.now() + backoff.probe(failures), **why)
        return
    why = {} if link.state == Link.State.ALIAS else {"why": ""}
    mine.update(is_dirty=False, next_look_at=None, look_failures=0, **why)


def _look_at(link: Link, connector: TicketConnector) -> None:
    """Read a linked record completely; if it was merged, also the status of the surviving record."""
    records.follow(link.connection, connector, connector.fetch(link.remote_key), is_whole=True)
    alias = Link.objects.select_related("leg__ticket").get(pk=link.pk)
    if alias.state != Link.State.ALIAS or not alias.merged_key:
        return
    with suppress(Missing):  # our user may not see the surviving record
        reconcile.follow_survivor(alias=alias, remote=connector.glance(alias.merged_key), at=now())


def mark_dirty(connection: Connection) -> int:
    """Have all active links of a connection read again, for example after its mapping changed; returns their number."""
    if not issubclass(registry.kind_of(connection), TicketConnector):
        return 0
    return Link.objects.filter(connection=connection, state=Link.State.ACTIVE).update(is_dirty=True, next_look_at=None)


def look_again(connection: Connection, keys: Sequence[str]) -> None:
    """Have these records read again, because they are reported as deleted: see `identity.MISSED_UNTIL_GONE`."""
    links = Link.objects.filter(connection=connection, remote_key__in=keys, state=Link.State.ACTIVE, is_dirty=False)
    links.update(is_dirty=True, next_look_at=None)
