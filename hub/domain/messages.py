"""Verbs on what was said: append, correct, withdraw, attach. An author's organisation cannot be chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

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


class NotSaid(Exception):
    """The message was not taken; its text says why."""


class NotStored(NotSaid):
    """There is no room for the file, or the disk fails: later it may be different."""


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
    """Add a message for its audience: the requester, named legs, or (neither) us only.

    `requester` marks words of the person who asked. The author's own leg always sees it.
    """
    ticket = tickets.locked(ticket)
    if not body.strip():
        raise NotSaid(_("A message needs some text."))
    if ticket.phase == Phase.CANCELLED:
        raise NotSaid(_("%(label)s is cancelled; nothing can be added to it.") % {"label": ticket.label})
    organisation = requester.organisation if requester else (actor.organisation or ticket.owner)
    audience = list(legs)
    if any(leg.ticket_id != ticket.pk for leg in audience):
        raise NotSaid(_("A message can only be for legs of its own ticket."))
    message = Message.objects.create(
        ticket=ticket,
        author_kind=actor.kind,
        author_name=author_name or (requester.name if requester else actor.name),
        author_user=_user(actor),
        author_person=requester,
        author_organisation=organisation,
        body=body,
        is_for_requester=is_for_requester or requester is not None,
        is_for_later_legs=is_for_later_legs,
        origin=origin,
        occurred_at=min(occurred_at or at, at),
        recorded_at=at,
        supersedes=supersedes,
    )
    message.legs.set(audience)
    history.record(
        ticket=ticket,
        kind=EventKind.MESSAGE_ADDED,
        payload={
            "message": message.public_id,
            "author_kind": "requester" if requester else str(actor.kind),
            "organisation": organisation.public_id,
            "is_for_requester": int(message.is_for_requester),
            "legs": sorted(leg.public_id for leg in audience),
            "is_for_later_legs": int(is_for_later_legs),
            "supersedes": supersedes.public_id if supersedes else "",
        },
        body=body,
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=origin,
    )
    return message


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
    """Mark a message as deleted by its author; its text stays in the record. Twice is once."""
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
    """Keep a file with a message; its audience is the message's. The same content is stored once."""
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
    try:
        files.keep(attachment, content)
    except OSError as error:
        raise NotStored(_("The file “%s” could not be stored now; try again in a while.") % attachment.name) from error
    attachment.save()
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


def safe_name(name: str) -> str:
    """A file name to show: no path, no control or invisible characters, never empty.

    >>> safe_name("../../etc/pass\\u200bwd")
    'passwd'
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable()).strip(" .")[:255] or "file"


def sees(organisation: Organisation, message: Message) -> bool:
    """Whether this organisation may read the message: ours always, its author's, and its audience's."""
    if organisation.is_us or message.author_organisation_id == organisation.pk:
        return True
    return message.legs.filter(organisation=organisation).exists()


def _user(actor: Actor) -> User | None:
    return User.objects.filter(public_id=actor.id).first() if actor.kind == ActorKind.PERSON else None
