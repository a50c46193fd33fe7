"""What was delivered: our messages to the vendors, and the vendors' files to us."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Max

from connectors.models import Attempt, AwaitedFile, Inbound, Outbound
from hub.models import Message


@dataclass(frozen=True, kw_only=True)
class Tick:
    """Whether a message was delivered to one organisation's system."""

    organisation: str
    state: str
    why: str = ""


def ticks(messages: Iterable[Message]) -> dict[int, list[Tick]]:
    """One tick for every system that a message is sent to, by primary key of the message."""
    found: dict[int, list[Tick]] = defaultdict(list)
    rows = Outbound.objects.filter(message__in=[m.pk for m in messages]).select_related("link__leg__organisation")
    for row in rows.order_by("pk"):
        if row.message_id is not None:
            found[row.message_id].append(
                Tick(organisation=row.link.leg.organisation.name, state=row.state, why=row.error)
            )
    return dict(found)


def cursor() -> str:
    """A text that changes whenever something was sent, could not be sent, or was received; the console polls it."""
    newest = Attempt.objects.aggregate(newest=Max("pk"))["newest"] or 0
    return f"{newest}.{Inbound.objects.aggregate(newest=Max('pk'))['newest'] or 0}"


def awaited_files(messages: Iterable[Message]) -> dict[int, list[AwaitedFile]]:
    """The files that have not been fetched yet, by primary key of their message."""
    found: dict[int, list[AwaitedFile]] = defaultdict(list)
    rows = AwaitedFile.objects.filter(message__in=messages).exclude(state=AwaitedFile.State.DONE)
    for row in rows.order_by("pk"):
        if row.message_id is not None:
            found[row.message_id].append(row)
    return found
