"""What was delivered: our messages to the vendors, and the vendors' files to us."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Subquery

from connectors.models import AwaitedFile, Lane, Link, Outbound
from hub.models import Leg, Message

RELATED = ("link__leg__organisation", "attachment", "message__author_organisation")


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How far something that is sent to one organisation's system has come."""

    row_id: int
    organisation: str
    what: str
    """The name of the file, or empty for a message or a change of fields."""
    state: str
    """One of `Outbound.State`, or ``retrying`` for what has failed at least once and waits to be tried again."""
    why: str = ""
    at: datetime | None = None
    """When it was delivered or skipped, or when it is tried next."""
    can_be_edited: bool = False
    """Whether the vendor has refused the text of a message, which a person can correct."""


def deliveries(messages: Iterable[Message]) -> dict[int, list[Delivery]]:
    """One entry for every system that a message or its file is sent to, by primary key of the message."""
    found: dict[int, list[Delivery]] = defaultdict(list)
    rows = Outbound.objects.filter(message__in=[m.pk for m in messages])
    for row in rows.select_related(*RELATED).order_by("pk"):
        if row.message_id is not None:
            found[row.message_id].append(_delivery(row))
    return dict(found)


def latest_changes(legs: Iterable[Leg]) -> dict[int, Delivery]:
    """The last change of fields, or the creation of the record, by primary key of the engagement. One query."""
    last = Outbound.objects.filter(link=OuterRef("pk"), lane=Lane.FIELDS).order_by("-seq").values("pk")[:1]
    links = Link.objects.filter(leg__in=[leg.pk for leg in legs]).annotate(newest=Subquery(last))
    rows = Outbound.objects.filter(pk__in=links.values("newest"))
    return {row.link.leg_id: _delivery(row) for row in rows.select_related(*RELATED)}


def _is_ours(message: Message | None) -> bool:
    return (
        message is not None
        and message.author_organisation.is_us
        and message.author_person_id is None
        and message.withdrawn_at is None
    )


def _delivery(row: Outbound) -> Delivery:
    is_retried = row.state == Outbound.State.READY and row.attempts > 0
    return Delivery(
        row_id=row.pk,
        organisation=row.link.leg.organisation.name,
        what=row.attachment.name if row.attachment is not None else "",
        state="retrying" if is_retried else row.state,
        why=row.error,
        at=row.next_attempt_at if is_retried else row.done_at,
        can_be_edited=row.state == Outbound.State.PARKED and row.kind == Outbound.Kind.NOTE and _is_ours(row.message),
    )


def awaited_files(messages: Iterable[Message]) -> dict[int, list[AwaitedFile]]:
    """The files that have not been fetched yet, by primary key of their message."""
    found: dict[int, list[AwaitedFile]] = defaultdict(list)
    rows = AwaitedFile.objects.filter(message__in=messages).exclude(state=AwaitedFile.State.DONE)
    for row in rows.order_by("pk"):
        if row.message_id is not None:
            found[row.message_id].append(row)
    return found
