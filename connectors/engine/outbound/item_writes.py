"""What the holder of a link's lease writes of its items; each write counts only while the lease is still held."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from connectors.models import Link, Outbound
from hub.core import statements
from hub.core.statements import Change


def mine(item_id: int, link_id: int, epoch: int) -> QuerySet[Outbound]:
    """The item, if the lease is still ours. Without a join, PostgreSQL checks an item again that was locked."""
    return Outbound.objects.filter(pk=item_id, link__in=Link.objects.filter(pk=link_id, epoch=epoch))


@statements.update
def intend(item_id: int, link_id: int, epoch: int, state: str, at: datetime, intent: dict[str, Any]) -> Change:
    """Store what is about to be sent, if the item is still in this state and nothing was sent for it."""
    as_it_was = mine(item_id, link_id, epoch).filter(state=state, intent_at=None)
    return Change(as_it_was, {"intent_at": at, "intent": intent})


@statements.update
def finish(item_id: int, link_id: int, epoch: int, state: Outbound.State, at: datetime, error: str) -> Change:
    """Settle the item."""
    values = {"state": state, "done_at": at, "next_attempt_at": None, "error": error}
    return Change(mine(item_id, link_id, epoch), values)


@statements.update
def arrive(item_id: int, link_id: int, epoch: int, at: datetime, remote_key: str) -> Change:
    """Settle the item, which became this record, note or file in the vendor's system."""
    values = {"state": Outbound.State.DONE, "done_at": at, "next_attempt_at": None, "error": ""}
    return Change(mine(item_id, link_id, epoch), values | {"remote_key": remote_key})


@statements.select
def link_now(link_id: int) -> QuerySet[Link]:
    """The link with its engagement and ticket."""
    return Link.objects.select_related("leg__ticket", "leg__organisation").filter(pk=link_id)


@statements.update
def asked(link_id: int, at: datetime) -> Change:
    """Note that the record was read and says nothing new."""
    return Change(Link.objects.filter(pk=link_id), {"asked_at": at})
