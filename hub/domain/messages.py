"""Operations on messages: add, correct, withdraw, attach. The author's organisation follows from the actor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from hub.core import statements
from hub.core.rows import insert, insert_once
from hub.core.sentences import sentence
from hub.domain import files, history, tickets
from hub.domain.actors import Actor
from hub.models import (
    ActorKind,
    Attachment,
    EventKind,
    Leg,
    Message,
    Organisation,
    Person,
    Phase,
    Ticket,
    User,
)
from hub.search import indexing
from hub.translation import Refusal


class NotSaid(Refusal):
    """The message was not accepted; the text says why."""


class NotStored(NotSaid):
    """The file could not be stored, for example because the disk is full. A later attempt may succeed."""


@transaction.atomic
def say(
    *,
    ticket: Ticket,
    body: str,
    actor: Actor,
    at: datetime,
    is_for_requester: bool = False,
    is_for_later_legs: bool = False,
    legs: Iterable[Leg] = (),
    requester: Person | None = None,
    author_name: str = "",
    occurred_at: datetime | None = None,
    origin: str = "",
    supersedes: Message | None = None,
) -> Message:
    """Add a message for the requester, for the given engagements, or (if neither) for us only.

    `requester` is set if the requester wrote it. The author's own organisation can always read the message. Raises
    NotSaid if the ticket cannot have the message.
    """
    ticket = tickets.locked(ticket)
    audience = list(dict.fromkeys(legs))
    _check(ticket, body, audience)
    message = Message(
        ticket=ticket,
        **_author(ticket, actor, requester, author_name),
        body=body,
        is_for_requester=is_for_requester or requester is not None,
        is_for_later_legs=is_for_later_legs,
        origin=origin,
        occurred_at=min(occurred_at or at, at),
        recorded_at=at,
        supersedes=supersedes,
    )
    insert(message)
    through = Message.legs.through
    insert_once([through(message=message, leg=leg) for leg in audience])
    _record_added(message, audience, actor=actor, at=at, occurred_at=occurred_at, origin=origin)
    if supersedes is not None and supersedes.ticket_id != ticket.pk:  # one that was merged into this one
        indexing.mark(Ticket.objects.filter(pk=supersedes.ticket_id))
    return message


def _author(ticket: Ticket, actor: Actor, requester: Person | None, name: str) -> dict[str, Any]:
    """The author fields of a message: of the requester, or of the actor."""
    return {
        "author_kind": actor.kind,
        "author_name": name or (requester.name if requester else actor.name),
        "author_user": _user(actor),
        "author_person": requester,
        "author_organisation": requester.organisation if requester else (actor.organisation or ticket.owner),
    }


def _check(ticket: Ticket, body: str, audience: Sequence[Leg]) -> None:
    """Raise NotSaid if the ticket cannot have this message."""
    if not body.strip():
        raise NotSaid(sentence("A message needs some text."))
    if ticket.phase == Phase.CANCELLED:
        raise NotSaid(sentence("%(label)s is cancelled; nothing can be added to it.", label=ticket.label))
    if any(leg.ticket_id != ticket.pk for leg in audience):
        raise NotSaid(sentence("A message can be addressed only to engagements of its own ticket."))


def _record_added(
    message: Message, audience: Sequence[Leg], *, actor: Actor, at: datetime, occurred_at: datetime | None, origin: str
) -> None:
    history.record(
        ticket=message.ticket,
        kind=EventKind.MESSAGE_ADDED,
        payload=_facts(message, audience),
        body=message.body,
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=origin,
    )


def _facts(message: Message, audience: Sequence[Leg]) -> dict[str, Any]:
    """The payload of the event; the text of the message is chained as its body."""
    return {
        "message": message.public_id,
        "author_kind": "requester" if message.author_person else str(message.author_kind),
        "organisation": message.author_organisation.public_id,
        "is_for_requester": int(message.is_for_requester),
        "legs": sorted(leg.public_id for leg in audience),
        "is_for_later_legs": int(message.is_for_later_legs),
        "supersedes": message.supersedes.public_id if message.supersedes else "",
    }


@transaction.atomic
def withdraw(
    *,
    message: Message,
    reason: str,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
) -> Message:
    """Mark a message as deleted by its author; its text stays in the record. Idempotent."""
    ticket = tickets.locked(message.ticket)
    message = Message.objects.get(pk=message.pk)
    if message.withdrawn_at is not None:
        return message
    message.withdrawn_at = at
    message.save(update_fields=["withdrawn_at"])
    history.record(
        ticket=ticket,
        kind=EventKind.MESSAGE_WITHDRAWN,
        payload={"message": message.public_id, "reason": reason},
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=origin,
    )
    return message


@transaction.atomic
def attach(
    *,
    message: Message,
    name: str,
    content: bytes,
    content_type: str = "",
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
) -> Attachment:
    """Attach a file to a message, for the same audience; equal contents are stored once. May raise NotStored."""
    ticket = tickets.locked(message.ticket)
    attachment = Attachment(
        ticket=ticket,
        message=message,
        name=safe_name(name),
        content_type=content_type[:100],
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        added_at=at,
    )
    _store(attachment, content)
    history.record(
        ticket=ticket,
        kind=EventKind.ATTACHMENT_ADDED,
        payload={
            "attachment": attachment.public_id,
            "message": message.public_id,
            "sha256": attachment.sha256,
            "size": attachment.size,
        },
        texts={"name": attachment.name},
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=origin,
    )
    return attachment


def _store(attachment: Attachment, content: bytes) -> None:
    try:
        files.keep(attachment, content)
    except OSError as error:
        why = sentence("The file “%(name)s” could not be stored. Try again later.", name=attachment.name)
        raise NotStored(why) from error
    attachment.save()


def safe_name(name: str) -> str:
    """A file name that is safe to show: no path, no control or invisible characters, never empty.

    >>> safe_name("../../etc/pass\\u200bwd")
    'passwd'
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable()).strip(" .")[:255] or "file"


def sees(organisation: Organisation, message: Message) -> bool:
    """Whether this organisation may read the message: ours, its author's, and those of its audience."""
    if organisation.is_us or message.author_organisation_id == organisation.pk:
        return True
    return message.legs.filter(organisation=organisation).exists()


def _user(actor: Actor) -> User | None:
    return _with_id.first(actor.id) if actor.kind == ActorKind.PERSON else None


@statements.select
def _with_id(public_id: str) -> QuerySet[User]:
    return User.objects.filter(public_id=public_id)
