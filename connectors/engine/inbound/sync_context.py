"""The context in which one linked record is followed, and its differences, which a person sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from connectors.engine import outbox
from connectors.engine.mapping import Mapped
from connectors.kit.contract import RemoteTicket, Unread
from connectors.models import Binding, Connection, Difference, Lane, Link, Outbound
from hub.core import statements
from hub.domain.actors import Actor
from hub.models import Leg, Ticket

Contents = Mapping[str, bytes]
"""The contents of new files by key, fetched before the transaction began."""


class Bound(NamedTuple):
    """A note or file that is bound on a link."""

    fingerprint: str
    is_gone: bool
    """Whether the record was read without it."""


@dataclass
class SyncContext:
    """What every step of following one linked record needs."""

    link: Link
    leg: Leg
    ticket: Ticket
    connection: Connection
    mapped: Mapped
    remote: RemoteTicket
    at: datetime
    unread: list[Unread] = field(default_factory=list)
    """Notes and files that could not be read or stored."""

    def __post_init__(self) -> None:
        self.unread.extend(self.remote.unread)

    @cached_property
    def fields_that_differ(self) -> set[str]:
        """Fields with differences that are open, or that a person has dealt with."""
        return set(_fields_that_differ(self.link.pk))

    @cached_property
    def bound(self) -> dict[str, dict[str, Bound]]:
        """The vendor's notes and files that were bound when the record was read, by lane and key."""
        found: dict[str, dict[str, Bound]] = {lane: {} for lane in Lane}
        for lane, key, fingerprint, gone_at in _bound(self.link.pk):
            found[lane][key] = Bound(fingerprint, is_gone=gone_at is not None)
        return found

    @cached_property
    def being_written(self) -> dict[str, str]:
        """The values that are being written now: reading one of them is an echo of our own change."""
        found: dict[str, str] = {}
        for intent in _intents(self.link.pk):
            found |= intent.get("fields", {})
        return found

    def actor(self, name: str = "") -> Actor:
        return Actor.vendor(self.connection.organisation, (name or self.remote.author)[:150])

    @property
    def origin(self) -> str:
        return str(self.connection.public_id)


@statements.select
def _fields_that_differ(link_id: int) -> QuerySet[Difference, str]:
    rows = Difference.objects.filter(Q(resolved_at=None) | Q(is_dealt_with=True), link=link_id)
    return rows.values_list("field", flat=True)


@statements.select
def _bound(link_id: int) -> QuerySet[Binding, tuple[str, str, str, datetime | None]]:
    return Binding.objects.filter(link=link_id).values_list("lane", "remote_key", "fingerprint", "gone_at")


@statements.select
def _intents(link_id: int) -> QuerySet[Outbound, dict[str, Any]]:
    """What is being written of the fields, in order."""
    under_way = Outbound.objects.filter(
        link=link_id,
        kind__in=[Outbound.Kind.FIELDS, Outbound.Kind.CREATE],
        state__in=[Outbound.State.READY, Outbound.State.UNCLEAR],
        intent_at__isnull=False,
    )
    return under_way.order_by("seq").values_list("intent", flat=True)


def differ(context: SyncContext, field: str, theirs: str, why: str, *, is_corrected: bool = False) -> None:
    """Keep a value that is not followed as a difference, reported once; `is_corrected` also writes ours back once."""
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
    context.fields_that_differ.add(field)
    if is_new and is_corrected:
        context.link.agreed.pop(field, None)
        Link.objects.filter(pk=context.link.pk).update(agreed=context.link.agreed)
        outbox.queue_fields(context.link)


def settle(context: SyncContext, field: str, *, but: str | None = None) -> None:
    """Resolve the differences of a field, except that of the value `but`."""
    if field not in context.fields_that_differ:
        return
    rows = Difference.objects.filter(link=context.link, field=field, resolved_at=None)
    (rows.exclude(value=but) if but is not None else rows).update(resolved_at=context.at)
    dealt_with = Difference.objects.filter(link=context.link, field=field, is_dealt_with=True)
    (dealt_with.exclude(value=but) if but is not None else dealt_with).update(is_dealt_with=False)
