"""Limits how much e-mail and how many webhook calls are read each minute, per sender or connection.

Anything over the limit waits in order of arrival and is shown as waiting, and other sources are read meanwhile. Polled
records are not limited, since we decide when to poll.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from connectors.models import Connection, Inbound

WINDOW = timedelta(minutes=1)


class Source(NamedTuple):
    """Where something came from: for an e-mail the connection and the sender, for a call only the connection."""

    connection_id: int
    kind: str
    sender: str


@dataclass(frozen=True, kw_only=True)
class HeldBack:
    """How much of one source waits because its limit for this minute is used up."""

    connection: Connection
    kind: str
    """``mail`` or ``hook``."""
    sender: str
    waiting: int
    most: int
    """How many of this source are read each minute."""


def most(kind: str) -> int | None:
    """The limit per minute for one source of this kind; None if there is none."""
    return {Inbound.Kind.MAIL: settings.MAILS_PER_MINUTE, Inbound.Kind.HOOK: settings.HOOKS_PER_MINUTE}.get(
        Inbound.Kind(kind)
    )


def begun(*, at: datetime) -> dict[Source, int]:
    """How many items of each source were started within the last minute."""
    rows = Inbound.objects.filter(begun_at__gt=at - WINDOW, kind__in=[Inbound.Kind.MAIL, Inbound.Kind.HOOK])
    counted = rows.order_by().values_list("connection_id", "kind", "sender").annotate(count=Count("pk"))
    return {Source(connection_id, kind, sender): count for connection_id, kind, sender, count in counted}


def left(source: Source, spent: Mapping[Source, int]) -> int | None:
    """How many more items of this source may be started now; None if there is no limit."""
    allowed = most(source.kind)
    return None if allowed is None else max(0, allowed - spent.get(source, 0))


def in_turn(rows: QuerySet[Inbound], *, at: datetime, limit: int) -> list[int]:
    """Primary keys of the due rows that may be started now: the first of each source, then the second of each."""
    spent = begun(at=at)
    for source in spent:
        if left(source, spent) == 0:
            rows = rows.exclude(_of(source))
    each = Window(RowNumber(), partition_by=[F("connection_id"), F("kind"), F("sender")], order_by="pk")
    turns = rows.annotate(turn=each).order_by("turn", "pk").values_list("pk", "turn", "connection_id", "kind", "sender")
    found = []
    for pk, turn, connection_id, kind, sender in turns[:limit]:
        allowed = left(Source(connection_id, kind, sender), spent)
        if allowed is None or turn <= allowed:
            found.append(pk)
    return found


def held_back(connection: Connection | None = None) -> list[HeldBack]:
    """The sources that have reached their limit and have more waiting; only those of one connection if given."""
    spent = begun(at=timezone.now())
    over = [source for source in spent if left(source, spent) == 0]
    if connection is not None:
        over = [source for source in over if source.connection_id == connection.pk]
    names = Connection.objects.in_bulk({source.connection_id for source in over})
    found = []
    for source in over:
        waiting = Inbound.objects.filter(_of(source), state=Inbound.State.NEW, lease_until=None).count()
        if waiting:
            found.append(
                HeldBack(
                    connection=names[source.connection_id],
                    kind=source.kind,
                    sender=source.sender,
                    waiting=waiting,
                    most=most(source.kind) or 0,
                )
            )
    return found


def _of(source: Source) -> Q:
    return Q(connection=source.connection_id, kind=source.kind, sender=source.sender)
