"""Understand what a vendor has: compare with what was agreed, and let the record follow what the mapping allows.

Everything of one ticket happens in one transaction under its lock. A repeated or late snapshot is a
function of state and changes nothing twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from connectors.engine import identity, mapping, marks, outbox
from connectors.engine.mapping import Mapped, NotMapped
from connectors.kit.contract import RemoteFile, RemoteNote, RemoteTicket
from connectors.models import Binding, Connection, Difference, Lane, Link, NoteRule, Outbound
from hub.domain import messages, tickets, unmapped
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, Leg, Message, Priority, Service, Stage, Ticket
from workflows import following, handoffs, moves, turns


class LeftAlone(Exception):
    """A ticket of theirs that is not taken in; the message says why."""


Contents = Mapping[str, bytes]
"""Contents of files that are new to us, by their key, read before the transaction began."""


@dataclass
class Sight:
    """One look at one linked ticket: what every step below needs."""

    link: Link
    leg: Leg
    ticket: Ticket
    connection: Connection
    mapped: Mapped
    remote: RemoteTicket
    at: datetime

    def actor(self, name: str = "") -> Actor:
        return Actor.vendor(self.connection.organisation, name or self.remote.author)

    @property
    def origin(self) -> str:
        return str(self.connection.public_id)


def unread_files(connection: Connection, remote: RemoteTicket) -> list[RemoteFile]:
    """Files of theirs whose content we need."""
    if not remote.files:
        return []
    known = set(
        Binding.objects.filter(link__connection=connection, link__remote_key=remote.key, lane=Lane.FILES).values_list(
            "remote_key", flat=True
        )
    )
    return [file for file in remote.files if file.key not in known and not (file.is_ours and file.mark)]


@transaction.atomic
def apply(
    *, connection: Connection, remote: RemoteTicket, at: datetime, contents: Contents | None = None
) -> Link | None:
    """Bring the record up to what they have; the link, or None where the ticket is none of ours.

    What an archived organisation still does in its system is not followed: its part of the record is final.
    """
    if connection.organisation.archived_at is not None:
        return None
    link = _link(connection, remote)
    if link is None:
        link = _adopt(connection, remote, at)
        if link is None:
            return None
    ticket = tickets.locked(link.leg.ticket)
    link = Link.objects.select_for_update(of=("self",)).select_related("connection__organisation").get(pk=link.pk)
    if link.state != Link.State.ACTIVE:
        return link
    try:
        identity.verify(link, remote)
    except identity.Mistaken as error:
        identity.quarantine(link, str(error))
        return link
    leg = Leg.objects.select_related("organisation", "ticket").get(pk=link.leg_id)
    sight = Sight(link, leg, ticket, link.connection, mapping.published(link.connection), remote, at)
    _notes(sight)
    _files(sight, contents or {})
    if link.heard_at is None or remote.changed_at >= link.heard_at:
        # Notes first: a question is asked before the status says that they wait for its answer.
        _fields(sight)
        _accept_if_assigned(sight)
        _reference(sight)
        link.heard, link.heard_at = dict(remote.fields), remote.changed_at
    _describe(sight)
    link.born_at, link.missed = link.born_at or remote.created_at, 0
    link.save()
    return link


def is_of_interest(connection: Connection, remote: RemoteTicket) -> bool:
    """Whether a ticket that stood in a list is linked, or would be taken in."""
    if Link.objects.filter(connection=connection, remote_key=remote.key).exists() or remote.reference:
        return True
    is_in_scope = not connection.intake_queues or remote.queue in connection.intake_queues
    return connection.intake == Connection.Intake.ADOPT and is_in_scope and not remote.is_foreign


def _link(connection: Connection, remote: RemoteTicket) -> Link | None:
    links = Link.objects.select_related("leg__ticket")
    found = links.filter(connection=connection, remote_key=remote.key).first()
    if found is None and remote.reference:
        # Made by us, and the answer was lost: the reference says so.
        found = links.filter(connection=connection, reference=remote.reference, remote_key="").first()
        if found is not None:
            outbox.adopt_created(found, remote)
            found.refresh_from_db()
    return found


def _adopt(connection: Connection, remote: RemoteTicket, at: datetime) -> Link | None:
    """A ticket that was born there becomes one of ours, if the connection takes such in."""
    if connection.intake != Connection.Intake.ADOPT:
        return None
    if remote.is_foreign:
        raise LeftAlone(f"Record {remote.key} belongs to another customer of {connection.organisation}.")
    if remote.reference.startswith(marks.prefix()):
        raise LeftAlone(f"Record {remote.key} carries our reference {remote.reference}, whose leg is elsewhere.")
    if connection.intake_queues and remote.queue not in connection.intake_queues:
        raise LeftAlone(f"Record {remote.key} lies in {remote.queue or 'no queue'}, which is not taken in.")
    hops = marks.hops_of_ticket(reference=remote.reference, description=remote.fields.get("description", ""))
    if marks.hub() in hops or len(hops) > marks.MOST_HOPS:
        raise LeftAlone(f"Record {remote.key} is a ticket of ours that came back by way of other hubs.")
    mapped = mapping.published(connection)
    raw_priority = remote.fields.get("priority", "")
    priority = mapped.value_in("priority", raw_priority)
    actor = Actor.vendor(connection.organisation, remote.author)
    occurred_at = min(remote.created_at or at, at)
    ticket = tickets.open_ticket(
        title=remote.fields.get("title") or f"{connection.organisation} {remote.number}",
        description=remote.fields.get("description", ""),
        priority=priority or Priority.P3,
        service=_service(connection),
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=connection.public_id,
        raw={"fields": dict(remote.fields)},
    )
    if priority is None and raw_priority:
        unmapped.saw(source=connection.public_id, field="priority", value=raw_priority, at=at)
    leg = handoffs.begin_there(
        ticket=ticket,
        organisation=connection.organisation,
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=connection.public_id,
    )
    link = Link.objects.create(
        leg=leg,
        connection=connection,
        reference=marks.reference(leg.public_id),
        remote_key=remote.key,
        remote_url=remote.url,
        born_at=remote.created_at,
        hops=hops,
    )
    fresh = Ticket.objects.get(pk=ticket.pk)
    link.agreed = {
        field: {"theirs": remote.fields.get(field, ""), "ours": mapping.ours(fresh, leg, field)}
        for field in mapped.fields
        if field != "status"
    }
    if remote.reference:
        # Another system's number for it: it stays. Their key is known, so ours need not stand there.
        link.agreed["reference"] = {"theirs": remote.reference, "ours": link.reference}
    link.save(update_fields=["agreed"])
    outbox.queue_fields(link)
    return link


def _service(connection: Connection) -> Service | None:
    return connection.service


# -- fields


def _fields(sight: Sight) -> None:
    pending = _pending(sight.link)
    for field in sight.mapped.fields:
        theirs = sight.remote.fields.get(field, "")
        agreed = sight.link.agreed.get(field)
        if agreed is not None and theirs == agreed["theirs"]:
            _resolve_differences(sight, field)
            continue
        if pending.get(field) == theirs:
            continue
        _FOLLOW[field](sight, theirs)


def _pending(link: Link) -> dict[str, str]:
    """Values that are on their way there: seeing them is our own echo."""
    found: dict[str, str] = {}
    under_way = link.outbound.filter(
        kind__in=[Outbound.Kind.FIELDS, Outbound.Kind.CREATE], state__in=["ready", "unclear"], intent_at__isnull=False
    )
    for item in under_way:
        found |= item.intent.get("fields", {})
    return found


def _follow_text(sight: Sight, field: str, theirs: str) -> None:
    if not sight.mapped.comes_in(field):
        return
    if not sight.mapped.is_theirs(field):
        _differ(sight, field, theirs, "Our side decides this field; theirs is put back once.", is_corrected=True)
        return
    tickets.edit_ticket(
        ticket=sight.ticket,
        changes={field: theirs[:255] if field == "title" else theirs},
        actor=sight.actor(),
        at=sight.at,
        occurred_at=sight.remote.changed_at,
        origin=sight.origin,
    )
    _agree(sight, field, theirs)


def _follow_priority(sight: Sight, theirs: str) -> None:
    """Theirs stands beside ours and is never rolled up; what it means is still worth knowing."""
    if sight.mapped.value_in("priority", theirs) is None:
        unmapped.saw(source=sight.origin, field="priority", value=theirs, at=sight.at)
    sight.leg.remote_priority = sight.mapped.label("priority", theirs)
    sight.leg.save(update_fields=["remote_priority"])
    _agree(sight, "priority", theirs)


def _follow_status(sight: Sight, theirs: str) -> None:
    if not sight.mapped.comes_in("status"):
        return
    try:
        rule = sight.mapped.status(theirs)
    except NotMapped:
        unmapped.saw(source=sight.origin, field="status", value=theirs, at=sight.at)
        _differ(sight, "status", theirs, f"Their status {theirs!r} has no meaning in the mapping yet.")
        return
    try:
        following.follow(
            leg=sight.leg,
            verb=rule.verb,
            waits_on=rule.waits_on,
            reason=rule.wait_reason or (rule.label if rule.verb in ("return", "decline") else ""),
            actor=sight.actor(),
            at=sight.at,
            occurred_at=min(sight.remote.changed_at, sight.at),
            origin=sight.origin,
        )
    except (turns.HandoffRefused, moves.MoveRefused) as refused:
        _differ(sight, "status", theirs, str(refused), is_corrected=not sight.mapped.is_theirs("status"))
        return
    sight.leg = Leg.objects.select_related("organisation", "ticket").get(pk=sight.leg.pk)
    sight.ticket = tickets.locked(sight.ticket)
    _agree(sight, "status", theirs)


def _accept_if_assigned(sight: Sight) -> None:
    """Where the connection says so, a name on their ticket is their acceptance (rules.md 2)."""
    is_enough = sight.connection.acceptance != Connection.Acceptance.STATUS
    if is_enough and sight.remote.assignee and sight.leg.stage == Stage.OFFERED and sight.leg.delivered_at:
        sight.leg = handoffs.accept(
            leg=sight.leg,
            actor=sight.actor(),
            at=sight.at,
            occurred_at=min(sight.remote.changed_at, sight.at),
            origin=sight.origin,
        )
        sight.ticket = tickets.locked(sight.ticket)


_FOLLOW = {
    "title": lambda sight, theirs: _follow_text(sight, "title", theirs),
    "description": lambda sight, theirs: _follow_text(sight, "description", theirs),
    "priority": _follow_priority,
    "status": _follow_status,
}


def _agree(sight: Sight, field: str, theirs: str) -> None:
    ticket = Ticket.objects.get(pk=sight.ticket.pk)
    sight.link.agreed[field] = {"theirs": theirs, "ours": mapping.ours(ticket, sight.leg, field)}
    _resolve_differences(sight, field)


def _reference(sight: Sight) -> None:
    """Our reference was overwritten or cleared there: it is put back once, and a person is told."""
    agreed = sight.link.agreed.get("reference")
    if agreed is None or sight.remote.reference == agreed["theirs"] or _pending(sight.link):
        _resolve_differences(sight, "reference")
        return
    _differ(
        sight, "reference", sight.remote.reference, "Our reference was changed there; it is put back.",
        is_corrected=True,
    )  # fmt: skip


def _differ(sight: Sight, field: str, theirs: str, why: str, *, is_corrected: bool = False) -> None:
    """Keep it as heard, raise it once, answer it by at most one corrective write."""
    value = theirs[:255]
    _resolve_differences(sight, field, but=value)
    if Difference.objects.filter(link=sight.link, field=field, value=value, is_dealt_with=True).exists():
        return
    _row, is_new = Difference.objects.get_or_create(
        link=sight.link,
        field=field,
        value=value,
        resolved_at=None,
        defaults={"why": why, "heard_at": sight.at},
    )
    if is_new and is_corrected:
        sight.link.agreed.pop(field, None)
        Link.objects.filter(pk=sight.link.pk).update(agreed=sight.link.agreed)
        outbox.queue_fields(sight.link)


def _resolve_differences(sight: Sight, field: str, *, but: str | None = None) -> None:
    rows = Difference.objects.filter(link=sight.link, field=field, resolved_at=None)
    (rows.exclude(value=but) if but is not None else rows).update(resolved_at=sight.at)
    dealt_with = Difference.objects.filter(link=sight.link, field=field, is_dealt_with=True)
    (dealt_with.exclude(value=but) if but is not None else dealt_with).update(is_dealt_with=False)


def take_notes(*, link: Link, remote: RemoteTicket, at: datetime) -> None:
    """Take in the notes of a second record of the same ticket; nothing else of it is followed. Needs a transaction."""
    ticket = tickets.locked(link.leg.ticket)
    leg = Leg.objects.select_related("organisation", "ticket").get(pk=link.leg_id)
    _notes(Sight(link, leg, ticket, link.connection, mapping.published(link.connection), remote, at))


def _describe(sight: Sight) -> None:
    """What of theirs is shown beside the leg."""
    remote, leg, mapped = sight.remote, sight.leg, sight.mapped
    wanted = {
        "remote_number": remote.number[:100],
        "remote_assignee": remote.assignee[:150],
        "remote_status": mapped.label("status", remote.fields.get("status", ""))[:100],
        "remote_priority": mapped.label("priority", remote.fields.get("priority", ""))[:100],
    }
    changed = {name: value for name, value in wanted.items() if getattr(leg, name) != value}
    if changed:
        Leg.objects.filter(pk=leg.pk).update(**changed)
    sight.link.remote_url = remote.url or sight.link.remote_url


# -- notes and files


def _notes(sight: Sight) -> None:
    """New notes become messages for their mapped audience; the first that has none stops the lane."""
    bound = dict(sight.link.bindings.filter(lane=Lane.NOTES).values_list("remote_key", "fingerprint"))
    for note in sorted(sight.remote.notes or (), key=lambda note: (note.created_at, number_of(note.key))):
        print_now = _fingerprint(note.text, note.visibility)
        if note.key in bound:
            if bound[note.key] not in ("", print_now):
                _correct(sight, note, print_now)
            continue
        if _bind_own(sight, Lane.NOTES, note) or _came_home(sight, note):
            continue
        audience = _audience(sight, note.visibility)
        if audience is None:
            return
        if not note.text.strip():
            continue
        message = _say(sight, note.text, note.author, note.created_at, audience)
        Binding.objects.create(
            link=sight.link,
            lane=Lane.NOTES,
            remote_key=note.key,
            message=message,
            fingerprint=print_now,
            hops="@".join(marks.hops_in(note.mark)[: marks.MOST_HOPS + 1]),
        )


def _files(sight: Sight, contents: Contents) -> None:
    bound = set(sight.link.bindings.filter(lane=Lane.FILES).values_list("remote_key", flat=True))
    for file in sorted(sight.remote.files or (), key=lambda file: (file.created_at, number_of(file.key))):
        if file.key in bound or _bind_own(sight, Lane.FILES, file):
            continue
        if file.key not in contents:
            continue
        audience = _audience(sight, file.visibility)
        if audience is None:
            return
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


def _bind_own(sight: Sight, lane: Lane, record: RemoteNote | RemoteFile) -> bool:
    """Ours, if our user wrote it and the operation it is marked with is still without a counterpart.

    A reply that quotes our mark, or a mark somebody forged, is not ours.
    """
    operation = marks.operation_in(record.mark) if record.is_ours else ""
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
    hops = marks.hops_in(note.mark)
    is_home = marks.hub() in hops[:-1] and Message.objects.filter(body=note.text).exists()
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
        _differ(sight, "visibility", visibility, f"{missing} Notes of this link wait until then.")
        return None
    _resolve_differences(sight, "visibility")
    return audience


def _say(sight: Sight, text: str, author: str, created_at: datetime, audience: str) -> Message:
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
        author_name=author,
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
    if audience != NoteRule.Audience.US and not before.is_for_later_legs and not before.is_for_requester:
        _differ(sight, "visibility", note.visibility, "An internal note of theirs was made public; it is held here.")
        return
    if sight.ticket.merged_into is not None:
        message = _said_later(sight, sight.ticket.merged_into, note.text, note.author, sight.at, supersedes=before)
    else:
        message = messages.say(
            ticket=sight.ticket,
            body=note.text,
            actor=sight.actor(note.author),
            author_name=note.author,
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
    return (int(key), "") if key.isdigit() else (0, key)
