"""Two of the vendor's records with the same reference of ours: one is kept, and nothing of the other is lost.

This happens if a system lists a new record so late that we have created it again, or if one of the vendor's people
copies a ticket. The oldest record is kept. Another one that our own user created is closed, and its notes are copied
to the record that is kept. A copy that a person created belongs to the vendor: it is left as it is, and reported.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from connectors.engine import correlation_marks, leases, mapping, outbox
from connectors.engine.inbound import inbound_notes
from connectors.kit.contract import Change, RemoteTicket, TicketConnector
from connectors.kit.errors import TryLater
from connectors.models import Binding, Connection, Difference, Lane, Link, Outbound, StatusRule
from hub.core import statements
from hub.core.clock import now
from hub.core.sentences import sentence
from hub.models import Message

FIELD = "duplicate"


def links_of(connection: Connection, remote: RemoteTicket) -> tuple[Link | None, Link | None]:
    """The link of this record, and the link with the record's reference that is bound to another record."""
    is_ours = remote.reference.startswith(correlation_marks.prefix())
    key, reference = remote.key, remote.reference
    found = _with_reference(connection.pk, key, reference) if is_ours else _with_key(connection.pk, key)
    own = other = None
    for link in found:
        if link.remote_key == remote.key:
            own = own or link
        else:
            other = other or link
    return own, other


@statements.select
def _with_key(connection_id: int, key: str) -> QuerySet[Link]:
    rows = Link.objects.select_related("leg__ticket").filter(connection=connection_id, remote_key=key)
    return rows.exclude(remote_key="").order_by("pk")


@statements.select
def _with_reference(connection_id: int, key: str, reference: str) -> QuerySet[Link]:
    same = Q(remote_key=key) | Q(reference=reference)
    rows = Link.objects.select_related("leg__ticket").filter(same, connection=connection_id)
    return rows.exclude(remote_key="").order_by("pk")


def search(connection: Connection, connector: TicketConnector, *, since: datetime) -> int:
    """Search for references on two records and settle them; returns the number of records that were settled."""
    found = 0
    for reference, keys in connector.carrying(correlation_marks.prefix(), since).items():
        link = Link.objects.filter(connection=connection, reference=reference).exclude(remote_key="").first()
        if link is None:
            continue
        for key in set(keys) - {link.remote_key}:
            found += settle(link, connector, connector.fetch(key))
    return found


def settle(link: Link, connector: TicketConnector, other: RemoteTicket) -> bool:
    """Settle a second record; False if that was done before. TryLater while another worker processes the link."""
    if Difference.objects.filter(link=link, field=FIELD, value=other.key).exists():
        return False
    held = leases.claim(link.pk)
    if held is None:
        raise TryLater(sentence("Another worker is processing this link."), after=30)
    try:
        _settle(held, connector, other)
    finally:
        leases.release(held)
    return True


def _settle(link: Link, connector: TicketConnector, other: RemoteTicket) -> None:
    linked = connector.fetch(link.remote_key)
    if not other.is_ours:
        _tell(
            link,
            other,
            sentence(
                "Record %(record)s in the vendor's system also has our reference. One of the vendor's people created "
                "it, so it is left as it is and not imported. If it is a separate ticket, ask the vendor to clear our "
                "reference on it.",
                record=other.number or other.key,
            ),
        )
        return
    kept, spare = _oldest_first(linked, other) if linked.is_ours else (linked, other)
    _move(link, kept, spare)
    _close(link, connector, kept, spare)
    _tell(
        link,
        spare,
        sentence(
            "The vendor's system had created our ticket twice. %(kept)s is kept. %(closed)s was closed, and its notes "
            "were copied to the record that is kept.",
            kept=kept.number or kept.key,
            closed=spare.number or spare.key,
        ),
    )


def _oldest_first(*records: RemoteTicket) -> list[RemoteTicket]:
    # Keys are unique, so the order is well defined.
    return sorted(records, key=lambda record: inbound_notes.number_of(record.key))


@transaction.atomic
def _move(link: Link, kept: RemoteTicket, spare: RemoteTicket) -> None:
    """Bind the link to the record that is kept, and queue the notes of the other one for it."""
    leases.hold(link, with_ticket=True)
    link.agreed = Link.objects.values_list("agreed", flat=True).get(pk=link.pk)
    if link.remote_key != kept.key:
        link.remote_key, link.remote_url = kept.key, kept.url
        link.heard, link.heard_at, link.born_at = {}, None, kept.created_at
        link.agreed = _agreed_with(link, kept)
        link.save(update_fields=["remote_key", "remote_url", "heard", "heard_at", "born_at", "agreed"])
        outbox.queue_fields(link)
    known = {note.key for note in spare.notes or ()}
    for binding in link.bindings.filter(lane=Lane.NOTES, remote_key__in=known).select_related("message"):
        if binding.message is not None and _was_said_by_us(link, binding.message):
            _unbind(binding)
            outbox.say_again(link, binding.message)
    inbound_notes.take_notes(link=link, remote=spare, at=now())
    for binding in link.bindings.filter(lane=Lane.NOTES, remote_key__in=known).select_related("message"):
        if binding.message is not None and not binding.message.outbound.filter(link=link).exists():
            _unbind(binding)
            outbox.say_again(link, binding.message)
    link.is_dirty, link.next_look_at = True, None
    link.save(update_fields=["is_dirty", "next_look_at"])


def _agreed_with(link: Link, kept: RemoteTicket) -> dict[str, dict[str, str]]:
    """The agreed values after the link is bound to another record, without those that have to be sent to it."""
    mapped = mapping.published(link.connection)
    agreed = {"reference": {"theirs": kept.reference, "ours": link.reference}}
    for field, before in link.agreed.items():
        theirs = kept.fields.get(field, "")
        if field != "reference" and (theirs == before["theirs"] or not mapped.goes_out(field, is_insert=False)):
            agreed[field] = {"theirs": theirs, "ours": before["ours"]}
    return agreed


def _unbind(binding: Binding) -> None:
    """Free the message for another note; the row is kept, so that this note is not read as a new one."""
    Binding.objects.filter(pk=binding.pk).update(message=None)


def _was_said_by_us(link: Link, message: Message) -> bool:
    return message.outbound.filter(link=link, state=Outbound.State.DONE).exists()


def _close(link: Link, connector: TicketConnector, kept: RemoteTicket, spare: RemoteTicket) -> None:
    """Close the spare record. Writing a status twice changes nothing, so this can be repeated after a lost response."""
    mapped = mapping.published(link.connection)
    status = _said(mapped, StatusRule.Says.CLOSED, spare) or _said(mapped, StatusRule.Says.RECALLED, spare)
    if status is not None and spare.fields.get("status") != status:
        connector.push(Change(id=link.public_id, kind="fields", key=spare.key, fields={"status": status}))


def _said(mapped: mapping.Mapped, says: str, spare: RemoteTicket) -> str | None:
    try:
        return mapped.status_for(says, spare.queue)
    except mapping.NotMapped:
        return None


def _tell(link: Link, other: RemoteTicket, why: str) -> None:
    Difference.objects.create(link=link, field=FIELD, value=other.key, why=why, heard_at=now())
