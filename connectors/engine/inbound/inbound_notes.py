"""Notes and files of theirs become messages: each once, for its mapped audience, our own recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from django.db import DataError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.engine import correlation_marks, mapping, texts
from connectors.engine.inbound import snapshots
from connectors.engine.inbound.sync_context import Contents, Sight, differ, settle
from connectors.engine.mapping import NotMapped
from connectors.engine.outbound import outbox
from connectors.kit.contract import NOT_UNDERSTOOD, RemoteFile, RemoteNote, RemoteTicket, Unread
from connectors.models import AwaitedFile, Binding, Connection, Lane, Link, NoteRule, Outbound
from hub.core.startup_errors import in_words
from hub.domain import messages, tickets, unmapped
from hub.models import OPEN_STAGES, Leg, Message, Service, Ticket
from workflows.handoffs import guest_links

LONGEST_NAMED = 40
LARGEST_FILE = 20 * 1024 * 1024
"""A file of theirs that is larger is fetched only when a person wants it."""


def unread_files(connection: Connection, remote: RemoteTicket) -> list[RemoteFile]:
    """Files of theirs whose content we need."""
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
        file for file in remote.files
        if file.key not in known and not (file.is_ours and file.mark) and file.size <= LARGEST_FILE
    ]  # fmt: skip


def take_notes(*, link: Link, remote: RemoteTicket, at: datetime) -> None:
    """Take in the notes of a second record of the same ticket; nothing else of it is followed. Needs a transaction."""
    ticket = tickets.locked(link.leg.ticket)
    leg = Leg.objects.select_related("organisation", "ticket").get(pk=link.leg_id)
    sight = Sight(link, leg, ticket, link.connection, mapping.published(link.connection), remote, at)
    notes(sight)
    tell_unread(sight, is_whole=False)


def notes(sight: Sight) -> None:
    """New notes become messages for their mapped audience; the first that has none stops the lane."""
    bound = dict(sight.link.bindings.filter(lane=Lane.NOTES).values_list("remote_key", "fingerprint"))
    for note in sorted(sight.remote.notes or (), key=lambda note: (note.created_at, number_of(note.key))):
        if not _alone(sight, note.key, partial(_note, sight, note, bound)):
            return


def _note(sight: Sight, note: RemoteNote, bound: Mapping[str, str]) -> bool:
    """Take in one note; False where the lane stops with it."""
    print_now = _fingerprint(note.text, note.visibility)
    if note.key in bound:
        if bound[note.key] not in ("", print_now):
            _correct(sight, note, print_now)
        return True
    if _bind_own(sight, Lane.NOTES, note) or _came_home(sight, note):
        return True
    audience = _audience(sight, note.visibility)
    if audience is None:
        return False
    if note.text.strip():
        message = _say(sight, note.text, note.author, note.created_at, audience)
        Binding.objects.create(
            link=sight.link,
            lane=Lane.NOTES,
            remote_key=note.key,
            message=message,
            fingerprint=print_now,
            hops="@".join(correlation_marks.hops_in(note.mark)[: correlation_marks.MOST_HOPS + 1]),
        )
    return True


def files(sight: Sight, contents: Contents) -> None:
    """New files become messages with an attachment; those whose content is not at hand wait."""
    bound = set(sight.link.bindings.filter(lane=Lane.FILES).values_list("remote_key", flat=True))
    for file in sorted(sight.remote.files or (), key=lambda file: (file.created_at, number_of(file.key))):
        if file.key not in bound and not _alone(sight, file.key, partial(_file, sight, file, contents)):
            return


def _file(sight: Sight, file: RemoteFile, contents: Contents) -> bool:
    """Take in one file; False where the lane stops with it."""
    is_at_hand = file.key in contents
    if _bind_own(sight, Lane.FILES, file) or (not is_at_hand and file.size <= LARGEST_FILE):
        return True
    audience = _audience(sight, file.visibility)
    if audience is None:
        return False
    if not is_at_hand:
        _not_taken(sight, file, audience)
        return True
    message = _say(sight, f"Attached {messages.safe_name(file.name)}", file.author, file.created_at, audience)
    attachment = messages.attach(
        message=message,
        name=file.name,
        content=contents[file.key],
        actor=sight.actor(file.author),
        at=sight.at,
        occurred_at=min(file.created_at, sight.at),
        origin=sight.origin,
    )
    Binding.objects.create(
        link=sight.link, lane=Lane.FILES, remote_key=file.key, message=message, attachment=attachment
    )
    return True


def _alone(sight: Sight, key: str, take: Callable[[], bool]) -> bool:
    """Take in one note or file by itself: one that cannot be kept is told, and holds up none of the others."""
    try:
        with transaction.atomic():
            return take()
    except messages.NotStored as error:
        at = timezone.now()
        AwaitedFile.objects.update_or_create(
            link=sight.link, remote_key=key,
            defaults={"name": key, "noted_at": at, "why": str(error), "state": AwaitedFile.State.WAITING,
                      "next_attempt_at": at + timedelta(minutes=5)},
        )  # fmt: skip
        return True
    except (*NOT_UNDERSTOOD, DataError) as error:
        sight.unread.append(Unread(key=key, why=f"it cannot be kept: {in_words(error)}", raw=""))
        return True


def tell_unread(sight: Sight, *, is_whole: bool) -> None:
    """What could not be read of their notes and files is shown to a person, until all of it is read."""
    if not sight.unread:
        if is_whole:
            settle(sight, "unread")
        return
    named = {texts.storable(each.key)[:LONGEST_NAMED] or _short_name(each) for each in sight.unread}
    why = texts.storable(sight.unread[0].why)
    differ(sight, "unread", ", ".join(sorted(named)), _("Everything else on the ticket is followed. (%s)") % why)


def _short_name(unread: Unread) -> str:
    """For a record whose key cannot be read either: the beginning of its digest."""
    return f"({snapshots.digest(unread.raw.encode('utf-8', 'replace'))[:8]})"


def _not_taken(sight: Sight, file: RemoteFile, audience: str) -> None:
    """A file that is too large to be taken by itself: it is told, and can be fetched when somebody wants it."""
    name = messages.safe_name(file.name)
    why = _("“%(name)s” (%(size)s MB) was not taken: it is larger than %(most)s MB.") % {
        "name": name, "size": -(-file.size // 2**20), "most": LARGEST_FILE // 2**20,
    }  # fmt: skip
    message = _say(sight, str(why), file.author, file.created_at, audience)
    Binding.objects.create(link=sight.link, lane=Lane.FILES, remote_key=file.key, message=message)
    AwaitedFile.objects.update_or_create(
        link=sight.link, remote_key=file.key,
        defaults={"name": name, "size": file.size, "noted_at": sight.at, "message": message, "why": why,
                  "state": AwaitedFile.State.TOO_LARGE, "next_attempt_at": None},
    )  # fmt: skip


GONE_AFTER = timedelta(seconds=20)
MOST_GONE = 3
"""So many notes that are gone at once are rather a fault of theirs, or rights that were taken from us."""


def withdrawn(sight: Sight) -> None:
    """Notes of theirs that are not there any more, twice in a row, were deleted by them: we and all others are told."""
    if any(not each.key for each in sight.unread):
        return  # one of these may be the note that is missing
    there = {note.key for note in sight.remote.notes or ()} | {each.key for each in sight.unread}
    bound = sight.link.bindings.filter(lane=Lane.NOTES, message__isnull=False, message__withdrawn_at=None)
    theirs = bound.filter(message__author_organisation=sight.leg.organisation).select_related("message")
    gone = [binding for binding in theirs.exclude(fingerprint="") if binding.remote_key not in there]
    sight.link.bindings.filter(remote_key__in=there, gone_at__isnull=False).update(gone_at=None)
    if len(gone) > MOST_GONE:
        differ(sight, "notes", str(len(gone)), f"{len(gone)} of their notes are not shown to us any more; ours stay.")
        return
    settle(sight, "notes")
    at = timezone.now()
    for binding in gone:
        if binding.gone_at is None:
            Binding.objects.filter(pk=binding.pk).update(gone_at=at)
            look_at = at + GONE_AFTER
            Link.objects.filter(pk=sight.link.pk).update(is_dirty=True, next_look_at=look_at)
        elif at - binding.gone_at >= GONE_AFTER:
            _withdraw(sight, binding)


def _withdraw(sight: Sight, binding: Binding) -> None:
    """The message is a tombstone from now on; a correction for whoever read it says so."""
    before = binding.message
    assert before is not None
    actor = sight.actor(before.author_name)
    messages.withdraw(message=before, reason="deleted there", actor=actor, at=sight.at, origin=sight.origin)
    said = messages.say(
        ticket=before.ticket, body=str(_("(This message was deleted by its author.)")), actor=actor, at=sight.at,
        author_name=before.author_name, is_for_requester=before.is_for_requester, legs=list(before.legs.all()),
        origin=sight.origin, supersedes=before,
    )  # fmt: skip
    Binding.objects.filter(pk=binding.pk).update(message=said, fingerprint="")


def _bind_own(sight: Sight, lane: Lane, record: RemoteNote | RemoteFile) -> bool:
    """Ours, if our user wrote it and the operation it is marked with is still without a counterpart.

    A reply that quotes our mark, or a mark somebody forged, is not ours.
    """
    operation = correlation_marks.operation_in(record.mark) if record.is_ours else ""
    made = Outbound.Kind.CREATE
    if operation and sight.link.outbound.filter(public_id=operation, kind=made).exists():
        # Their system made a note of the description we sent with the ticket.
        Binding.objects.create(link=sight.link, lane=lane, remote_key=record.key)
        return True
    item = sight.link.outbound.filter(public_id=operation, lane=lane).first() if operation else None
    if item is None or item.remote_key not in ("", record.key):
        return False
    outbox.bind(sight.link, item, record.key)
    return True


def _came_home(sight: Sight, note: RemoteNote) -> bool:
    """What we said ourselves and another hub passed on to here is bound, and said to nobody again.

    A person who quotes such a note says something new, so the text has to be one of ours as well.
    """
    hops = correlation_marks.hops_in(note.mark)
    is_home = correlation_marks.hub() in hops[:-1] and Message.objects.filter(body=note.text).exists()
    if is_home:
        Binding.objects.create(
            link=sight.link, lane=Lane.NOTES, remote_key=note.key, fingerprint=_fingerprint(note.text, note.visibility)
        )
    return is_home


def _audience(sight: Sight, visibility: str) -> str | None:
    """The mapped audience; None where there is none: held and shown, never defaulted."""
    try:
        audience = sight.mapped.audience(visibility)
    except NotMapped as missing:
        unmapped.saw(source=sight.origin, field="visibility", value=visibility, at=sight.at)
        differ(sight, "visibility", visibility, f"{missing} Notes of this link wait until then.")
        return None
    settle(sight, "visibility")
    return audience


def _say(sight: Sight, text: str, author: str, created_at: datetime, audience: str) -> Message:
    text = guest_links.concealed(text)
    if sight.ticket.merged_into is not None:
        # A late word on an alias is heard where it goes on; who it is for is for a person to say.
        return _said_later(sight, sight.ticket.merged_into, text, author, min(created_at, sight.at))
    legs: list[Leg] = []
    is_told = audience != NoteRule.Audience.US and _may_travel(sight.ticket)
    if is_told:
        legs = list(Leg.objects.filter(ticket=sight.ticket, stage__in=OPEN_STAGES).exclude(pk=sight.leg.pk))
    return messages.say(
        ticket=sight.ticket,
        body=text,
        actor=sight.actor(author),
        author_name=author[:150],
        at=sight.at,
        is_for_requester=audience == NoteRule.Audience.REQUESTER,
        is_for_later_legs=is_told,
        legs=[sight.leg, *legs],
        occurred_at=min(created_at, sight.at),
        origin=sight.origin,
    )


def _said_later(
    sight: Sight, ticket: Ticket, text: str, author: str, occurred_at: datetime, supersedes: Message | None = None
) -> Message:
    where = f"{author or sight.leg.organisation} ({sight.ticket.label})"
    return messages.say(
        ticket=ticket, body=text, actor=sight.actor(author), author_name=where[-150:], at=sight.at,
        occurred_at=occurred_at, origin=sight.origin, supersedes=supersedes,
    )  # fmt: skip


def _may_travel(ticket: Ticket) -> bool:
    return ticket.service is None or ticket.service.note_audience == Service.NoteAudience.LEGS


def _correct(sight: Sight, note: RemoteNote, print_now: str) -> None:
    """An edited note is a message that supersedes the old one; one that was made public is held."""
    binding = Binding.objects.select_related("message").get(link=sight.link, lane=Lane.NOTES, remote_key=note.key)
    before = binding.message
    if before is None or note.is_ours or not note.text.strip():
        return
    audience = _audience(sight, note.visibility)
    if audience is None:
        return
    was_ours_alone = not before.is_for_later_legs and not before.is_for_requester
    if audience != NoteRule.Audience.US and was_ours_alone and before.ticket_id == sight.ticket.pk:
        differ(sight, "visibility", note.visibility, "An internal note of theirs was made public; it is held here.")
        return
    text = guest_links.concealed(note.text)
    if sight.ticket.merged_into is not None:
        message = _said_later(sight, sight.ticket.merged_into, text, note.author, sight.at, supersedes=before)
    else:
        message = messages.say(
            ticket=sight.ticket,
            body=text,
            actor=sight.actor(note.author),
            author_name=note.author[:150],
            at=sight.at,
            is_for_requester=before.is_for_requester,
            is_for_later_legs=before.is_for_later_legs,
            legs=list(before.legs.all()),
            origin=sight.origin,
            supersedes=before,
        )
    binding.message, binding.fingerprint = message, print_now
    binding.save(update_fields=["message", "fingerprint"])


def _fingerprint(text: str, visibility: str) -> str:
    return hashlib.sha256(f"{visibility}\x1f{text}".encode("utf-8", "surrogatepass")).hexdigest()


def number_of(key: str) -> tuple[int, str]:
    """Keys in the order they were given out: numbers as numbers."""
    return (int(key), "") if key.isdecimal() and len(key) < 40 else (0, key)
