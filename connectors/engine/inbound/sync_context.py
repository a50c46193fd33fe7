"""One look at one linked ticket, and what of it is kept as heard for a person to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.engine import outbox
from connectors.engine.mapping import Mapped
from connectors.kit.contract import RemoteTicket, Unread
from connectors.models import Connection, Difference, Link
from hub.domain.actors import Actor
from hub.models import Leg, Ticket

Contents = Mapping[str, bytes]
"""Contents of files that are new to us, by their key, read before the transaction began."""


@dataclass
class SyncContext:
    """One look at one linked ticket: what every step below needs."""

    link: Link
    leg: Leg
    ticket: Ticket
    connection: Connection
    mapped: Mapped
    remote: RemoteTicket
    at: datetime
    unread: list[Unread] = field(default_factory=list)
    """Notes and files that could not be understood or kept."""

    def __post_init__(self) -> None:
        self.unread.extend(self.remote.unread)

    def actor(self, name: str = "") -> Actor:
        return Actor.vendor(self.connection.organisation, (name or self.remote.author)[:150])

    @property
    def origin(self) -> str:
        return str(self.connection.public_id)


def differ(context: SyncContext, field: str, theirs: str, why: str, *, is_corrected: bool = False) -> None:
    """Keep it as heard, raise it once, answer it by at most one corrective write."""
    value = theirs[:255]
    settle(context, field, but=value)
    if Difference.objects.filter(link=context.link, field=field, value=value, is_dealt_with=True).exists():
        return
    _row, is_new = Difference.objects.get_or_create(
        link=context.link,
        field=field,
        value=value,
        resolved_at=None,
        defaults={"why": why, "heard_at": context.at},
    )
    if is_new and is_corrected:
        context.link.agreed.pop(field, None)
        Link.objects.filter(pk=context.link.pk).update(agreed=context.link.agreed)
        outbox.queue_fields(context.link)


def settle(context: SyncContext, field: str, *, but: str | None = None) -> None:
    rows = Difference.objects.filter(link=context.link, field=field, resolved_at=None)
    (rows.exclude(value=but) if but is not None else rows).update(resolved_at=context.at)
    dealt_with = Difference.objects.filter(link=context.link, field=field, is_dealt_with=True)
    (dealt_with.exclude(value=but) if but is not None else dealt_with).update(is_dealt_with=False)
