"""Turns the vendor's notes and files into messages: each once, for its mapped audience, and never our own ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from django.db import DataError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.engine import correlation_marks, mapping, outbox, texts
from connectors.engine.inbound import snapshots
from connectors.engine.inbound.sync_context import Bound, Contents, SyncContext, differ, settle
from connectors.engine.mapping import NotMapped
from connectors.kit.contract import NOT_UNDERSTOOD, RemoteFile, RemoteNote, RemoteTicket, Unread
from connectors.models import AwaitedFile, Binding, Connection, Lane, Link, NoteRule, Outbound
from hub.core import statements
from hub.core.rows import insert
from hub.core.sentences import sentence
from hub.core.startup_errors import in_words
from hub.domain import messages, tickets, unmapped
from hub.models import OPEN_STAGES, Leg, Message, Service, Ticket
from hub.translation import localized
from workflows.handoffs import guest_links

LONGEST_NAMED = 40
LARGEST_FILE = 20 * 1024 * 1024
"""In bytes; a larger file is fetched only when a person requests it."""


def unread_files(connection: Connection, remote: RemoteTicket) -> list[RemoteFile]:
    """The files of a record whose content has to be fetched."""
    if not remote.files:
        return []
    known = set(
        Binding.objects.filter(link__connection=connection, link__remote_key=remote.key, lane=Lane.FILES).values_list(
            "remote_key", flat=True
        )
    )
    waiting = AwaitedFile.objects.filter(link__connection=connection, link__remote_key=remote.key)
    known |= set(waiting.exclude(state=AwaitedFile.State.DONE).values_list("remote_key", flat=True))
    return [
        file
        for file in remote.files
        if file.key not in known and not (file.is_ours and file.mark) and file.size <= LARGEST_FILE
    ]


def take_notes(*, link: Link, remote: RemoteTicket, at: datetime) -> None:
    """Copy the notes of a second record of the same ticket; nothing else of it is followed. Needs a transaction."""
    ticket = tickets.locked(link.leg.ticket)
    leg = Leg.objects.select_related("organisation", "ticket").get(pk=link.leg_id)
    context = SyncContext(link, leg, ticket, link.connection, mapping.published(link.connection), remote, at)
    notes(context)
    tell_unread(context, is_whole=False)


def notes(context: SyncContext) -> None:
    """Turn new notes into messages; the first one whose visibility is not mapped stops the lane."""
    bound = context.bound[Lane.NOTES]
    for note in sorted(context.remote.notes or (), key=lambda note: (note.created_at, number_of(note.key))):
        if note.key in bound and bound[note.key].fingerprint in ("", _fingerprint(note.text, note.visibility)):
            continue  # it is known as it is
        if not _alone(context, note.key, partial(_note, context, note, bound)):
            return


def _note(context: SyncContext, note: RemoteNote, bound: Mapping[str, Bound]) -> bool:
    """Process one note; False if it stops the lane."""
    print_now = _fingerprint(note.text, note.visibility)
    if note.key in bound:
        _correct(context, note, print_now)
        return True
    if _bind_own(context, Lane.NOTES, note) or _came_home(context, note):
        return True
    audience = _audience(context, note.visibility)
    if audience is None:
        return False
    if note.text.strip():
        message = _say(context, note.text, note.author, note.created_at, audience)
        insert(
            Binding(
                link=context.link,
                lane=Lane.NOTES,
                remote_key=note.key,
                message=message,
                fingerprint=print_now,
                hops="@".join(correlation_marks.hops_in(note.mark)[: correlation_marks.MOST_HOPS + 1]),
            )
        )
    return True


def files(context: SyncContext, contents: Contents) -> None:
    """Turn new files into messages with an attachment; those whose content was not fetched wait."""
    bound = context.bound[Lane.FILES]
    for file in sorted(context.remote.files or (), key=lambda file: (file.created_at, number_of(file.key))):
        if file.key not in bound and not _alone(context, file.key, partial(_file, context, file, contents)):
            return


def _file(context: SyncContext, file: RemoteFile, contents: Contents) -> bool:
    """Process one file; False if it stops the lane."""
    is_at_hand = file.key in contents
    if _bind_own(context, Lane.FILES, file) or (not is_at_hand and file.size <= LARGEST_FILE):
        return True
    audience = _audience(context, file.visibility)
    if audience is None:
        return False
    if not is_at_hand:
        _not_taken(context, file, audience)
        return True
    text = _("Attached %(name)s") % {"name": messages.safe_name(file.name)}
    message = _say(context, text, file.author, file.created_at, audience)
    attachment = messages.attach(
        message=message,
        name=file.name,
        content=contents[file.key],
        actor=context.actor(file.author),
        at=context.at,
        occurred_at=min(file.created_at, context.at),
        origin=context.origin,
    )
    Binding.objects.create(
        link=context.link, lane=Lane.FILES, remote_key=file.key, message=message, attachment=attachment
    )
    return True


def _alone(context: SyncContext, key: str, take: Callable[[], bool]) -> bool:
    """Process one note or file in its own transaction: one that cannot be stored is reported and stops no other."""
    try:
        with transaction.atomic():
            return take()
    except messages.NotStored as error:
        at = timezone.now()
        AwaitedFile.objects.update_or_create(
            link=context.link,
            remote_key=key,
            defaults={
                "name": key,
                "noted_at": at,
                "why": str(error),
                "state": AwaitedFile.State.WAITING,
                "next_attempt_at": at + timedelta(minutes=5),
            },
        )
        return True
    except (*NOT_UNDERSTOOD, DataError) as error:
        context.unread.append(
            Unread(key=key, why=sentence("could not be stored: %(reason)s", reason=in_words(error)), raw="")
        )
        return True


def tell_unread(context: SyncContext, *, is_whole: bool) -> None:
    """Show a person which notes and files could not be read, until all of them are read."""
    if not context.unread:
        if is_whole:
            settle(context, "unread")
        return
    named = {texts.storable(each.key)[:LONGEST_NAMED] or _digest_of(each.raw) for each in context.unread}
    why = texts.storable(context.unread[0].why)
    differ(
        context,
        "unread",
        ", ".join(sorted(named)),
        sentence("Everything else on the ticket is still synchronised. (%(reason)s)", reason=why),
    )


def _digest_of(raw: str) -> str:
    return f"({snapshots.digest(raw.encode('utf-8', 'replace'))[:8]})"


def _not_taken(context: SyncContext, file: RemoteFile, audience: str) -> None:
    """Write a message about a file that is too large to be fetched automatically; a person can request it."""
    name = messages.safe_name(file.name)
    why = sentence(
        "“%(name)s” (%(size)s MB) was not fetched: it is larger than %(most)s MB.",
        name=name,
        size=-(-file.size // 2**20),
        most=LARGEST_FILE // 2**20,
    )
    message = _say(context, localized(why), file.author, file.created_at, audience)
    Binding.objects.create(link=context.link, lane=Lane.FILES, remote_key=file.key, message=message)
    AwaitedFile.objects.update_or_create(
        link=context.link,
        remote_key=file.key,
        defaults={
            "name": name,
            "size": file.size,
            "noted_at": context.at,
            "message": message,
            "why": why,
            "state": AwaitedFile.State.TOO_LARGE,
            "next_attempt_at": None,
        },
    )


def _bind_own(context: SyncContext, lane: Lane, record: RemoteNote | RemoteFile) -> bool:
    """Bind a note or file to our own item if our user wrote it and its mark is that of an item not bound yet.

    A reply that quotes our mark, or a forged mark, is not ours.
    """
    operation = correlation_marks.operation_in(record.mark) if record.is_ours else ""
    made = Outbound.Kind.CREATE
    if operation and context.link.outbound.filter(public_id=operation, kind=made).exists():
        # The vendor's system turned the description of our ticket into a note.
        Binding.objects.create(link=context.link, lane=lane, remote_key=record.key)
        return True
    item = context.link.outbound.filter(public_id=operation, lane=lane).first() if operation else None
    if item is None or item.remote_key not in ("", record.key):
        return False
    outbox.found_there(context.link, item, record.key)
    return True


def _came_home(context: SyncContext, note: RemoteNote) -> bool:
    """Bind a note that is a message of ours which came back through another hub, so that it is not sent again.

    A person who quotes such a note writes something new, so its text has to equal one of our messages.
    """
    hops = correlation_marks.hops_in(note.mark)
    is_home = correlation_marks.hub() in hops[:-1] and Message.objects.filter(body=note.text).exists()
    if is_home:
        Binding.objects.create(
            link=context.link,
            lane=Lane.NOTES,
            remote_key=note.key,
            fingerprint=_fingerprint(note.text, note.visibility),
        )
    return is_home


def _audience(context: SyncContext, visibility: str) -> str | None:
    """The mapped audience; None if the visibility is not mapped, which holds the note and shows it to a person."""
    try:
        audience = context.mapped.audience(visibility)
    except NotMapped as missing:
        unmapped.saw(source=context.origin, field="visibility", value=visibility, at=context.at)
        differ(
            context,
            "visibility",
            visibility,
            sentence("%(missing)s Until then, the notes of this link are held.", missing=str(missing)),
        )
        return None
    settle(context, "visibility")
    return audience


def _say(context: SyncContext, text: str, author: str, created_at: datetime, audience: str) -> Message:
    text = guest_links.concealed(text)
    if context.ticket.merged_into is not None:
        # A late note on a merged ticket goes to the surviving one, for our own people, who decide who else reads it.
        return _said_later(context, context.ticket.merged_into, text, author, min(created_at, context.at))
    legs: list[Leg] = []
    is_told = audience != NoteRule.Audience.US and _may_travel(context.ticket)
    if is_told:
        legs = [leg for leg in _open_legs(context.ticket.pk) if leg.pk != context.leg.pk]
    return messages.say(
        ticket=context.ticket,
        body=text,
        actor=context.actor(author),
        author_name=author[:150],
        at=context.at,
        is_for_requester=audience == NoteRule.Audience.REQUESTER,
        is_for_later_legs=is_told,
        legs=[context.leg, *legs],
        occurred_at=min(created_at, context.at),
        origin=context.origin,
    )


@statements.select
def _open_legs(ticket_id: int) -> QuerySet[Leg]:
    return Leg.objects.filter(ticket=ticket_id, stage__in=OPEN_STAGES)


def _said_later(
    context: SyncContext,
    ticket: Ticket,
    text: str,
    author: str,
    occurred_at: datetime,
    supersedes: Message | None = None,
) -> Message:
    where = f"{author or context.leg.organisation} ({context.ticket.label})"
    return messages.say(
        ticket=ticket,
        body=text,
        actor=context.actor(author),
        author_name=where[-150:],
        at=context.at,
        occurred_at=occurred_at,
        origin=context.origin,
        supersedes=supersedes,
    )


def _may_travel(ticket: Ticket) -> bool:
    return ticket.service is None or ticket.service.note_audience == Service.NoteAudience.LEGS


def _correct(context: SyncContext, note: RemoteNote, print_now: str) -> None:
    """Write a message that supersedes that of an edited note; hold an internal note that was made public."""
    binding = Binding.objects.select_related("message").get(link=context.link, lane=Lane.NOTES, remote_key=note.key)
    before = binding.message
    if before is None or note.is_ours or not note.text.strip():
        return
    audience = _audience(context, note.visibility)
    if audience is None:
        return
    was_ours_alone = not before.is_for_later_legs and not before.is_for_requester
    if audience != NoteRule.Audience.US and was_ours_alone and before.ticket_id == context.ticket.pk:
        why = sentence("The vendor made an internal note public. The change is held.")
        differ(context, "visibility", note.visibility, why)
        return
    text = guest_links.concealed(note.text)
    if context.ticket.merged_into is not None:
        message = _said_later(context, context.ticket.merged_into, text, note.author, context.at, supersedes=before)
    else:
        message = messages.say(
            ticket=context.ticket,
            body=text,
            actor=context.actor(note.author),
            author_name=note.author[:150],
            at=context.at,
            is_for_requester=before.is_for_requester,
            is_for_later_legs=before.is_for_later_legs,
            legs=list(before.legs.all()),
            origin=context.origin,
            supersedes=before,
        )
    binding.message, binding.fingerprint = message, print_now
    binding.save(update_fields=["message", "fingerprint"])


def _fingerprint(text: str, visibility: str) -> str:
    return hashlib.sha256(f"{visibility}\x1f{text}".encode("utf-8", "surrogatepass")).hexdigest()


def number_of(key: str) -> tuple[int, str]:
    """A sort key for keys in the order in which they were assigned: numbers are compared as numbers."""
    return (int(key), "") if key.isdecimal() and len(key) < 40 else (0, key)
