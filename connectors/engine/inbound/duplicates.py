"""Two records there that carry one reference of ours: keep one, lose nothing of the other.

It happens where a system lists what it made later than we wait for it before we make it again, or where one of
their people copies a ticket. The oldest record stays. Another one that our own user made is closed;
what was said on it is kept here and said again on the one that stays. A copy that a person made is
theirs: it is left as it is, and a person here is told.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from connectors.engine import correlation_marks, leases, mapping, outbox
from connectors.engine.inbound import inbound_notes
from connectors.kit.contract import Change, RemoteTicket, TicketConnector
from connectors.kit.errors import TryLater
from connectors.models import Binding, Connection, Difference, Lane, Link, Outbound, StatusRule
from hub.core.clock import now
from hub.core.sentences import sentence
from hub.models import Message

FIELD = "duplicate"


def other_link(connection: Connection, remote: RemoteTicket) -> Link | None:
    """The link whose reference this record carries, although the link is bound to another record."""
    if not remote.reference.startswith(correlation_marks.prefix()):
        return None
    rows = Link.objects.filter(connection=connection, reference=remote.reference).exclude(remote_key="")
    return rows.exclude(remote_key=remote.key).first()


def search(connection: Connection, connector: TicketConnector, *, since: datetime) -> int:
    """Look for references that stand on two records there; how many were found and settled."""
    found = 0
    for reference, keys in connector.carrying(correlation_marks.prefix(), since).items():
        link = Link.objects.filter(connection=connection, reference=reference).exclude(remote_key="").first()
        if link is None:
            continue
        for key in set(keys) - {link.remote_key}:
            found += settle(link, connector, connector.fetch(key))
    return found


def settle(link: Link, connector: TicketConnector, other: RemoteTicket) -> bool:
    """Bring a second record to its end; False where that was done before. TryLater while the link is busy."""
    if Difference.objects.filter(link=link, field=FIELD, value=other.key).exists():
        return False
    held = leases.claim(link.pk)
    if held is None:
        raise TryLater(sentence("Another worker is busy with this link."), after=30)
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
                "Record %(record)s carries our reference there, too. One of the vendor's people created it, so it is "
                "left as it is and is not imported. If it is a separate ticket, ask the vendor to clear our reference "
                "on it.",
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
            "The vendor's system had created our ticket twice. %(kept)s is kept; %(closed)s was closed there, and its "
            "notes were copied to the record that is kept.",
            kept=kept.number or kept.key,
            closed=spare.number or spare.key,
        ),
    )


def _oldest_first(*records: RemoteTicket) -> list[RemoteTicket]:
    # Two records never have the same key, so their order is settled by it.
    return sorted(records, key=lambda record: inbound_notes.number_of(record.key))


@transaction.atomic
def _move(link: Link, kept: RemoteTicket, spare: RemoteTicket) -> None:
    """Bind the link to what stays, and say there what was said on the other one, by us or by them."""
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
    """What is agreed once the link is bound to another record: where it differs and ours goes out, nothing is."""
    mapped = mapping.published(link.connection)
    agreed = {"reference": {"theirs": kept.reference, "ours": link.reference}}
    for field, before in link.agreed.items():
        theirs = kept.fields.get(field, "")
        if field != "reference" and (theirs == before["theirs"] or not mapped.goes_out(field, is_insert=False)):
            agreed[field] = {"theirs": theirs, "ours": before["ours"]}
    return agreed


def _unbind(binding: Binding) -> None:
    """The message will be bound to the note that stays; this one stays known, so that it is not taken in again."""
    Binding.objects.filter(pk=binding.pk).update(message=None)


def _was_said_by_us(link: Link, message: Message) -> bool:
    return message.outbound.filter(link=link, state=Outbound.State.DONE).exists()


def _close(link: Link, connector: TicketConnector, kept: RemoteTicket, spare: RemoteTicket) -> None:
    """Writing a status twice changes nothing, so a lost answer here is simply repeated."""
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
