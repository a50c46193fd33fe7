"""Limits how much e-mail and how many webhook calls are read each minute, per sender or connection.

Anything over the limit waits in order of arrival and is shown as waiting, and other sources are read meanwhile. Polled
records are not limited, since we decide when to poll.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from connectors.models import Connection, Inbound
from hub.core import clock, compiled

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
    return {Source(*source): count for *source, count in _counted(at)}


def begun_now() -> dict[Source, int]:
    """The same now, without compiling the query again."""
    return {Source(*source): count for *source, count in compiled.run(_counted_now)}


def _counted_now() -> QuerySet[Inbound, tuple[Any, ...]]:
    return _counted(clock.system())


def _counted(at: datetime) -> QuerySet[Inbound, tuple[Any, ...]]:
    rows = Inbound.objects.filter(begun_at__gt=at - WINDOW, kind__in=[Inbound.Kind.MAIL, Inbound.Kind.HOOK])
    return rows.order_by().values_list("connection_id", "kind", "sender").annotate(count=Count("pk"))


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
    return [pk for pk, *_rest in allowed(turns(rows)[:limit], spent)]


def turns(rows: QuerySet[Inbound], *more: str) -> QuerySet[Inbound, tuple[Any, ...]]:
    """Due rows, the first of each source, then the second of each: primary key, turn, source, and more fields."""
    each = Window(RowNumber(), partition_by=[F("connection_id"), F("kind"), F("sender")], order_by="pk")
    named = rows.annotate(turn=each).order_by("turn", "pk")
    return named.values_list("pk", "turn", "connection_id", "kind", "sender", *more)


def allowed(found: Iterable[tuple[Any, ...]], spent: Mapping[Source, int]) -> list[tuple[Any, ...]]:
    """Those of the rows of `turns` that their sources' limits allow now."""
    kept = []
    for row in found:
        more = left(Source(*row[2:5]), spent)
        if more is None or row[1] <= more:
            kept.append(row)
    return kept


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
