"""Imports records that were created in the vendor's system as tickets."""

from __future__ import annotations

from datetime import datetime

from connectors.engine import correlation_marks, mapping, outbox
from connectors.engine.inbound.inbox import LeftAlone
from connectors.kit.contract import RemoteTicket
from connectors.models import Connection, Link
from hub.core.sentences import sentence
from hub.domain import tickets, unmapped
from hub.domain.actors import Actor
from hub.models import Leg, Person, Priority, Ticket
from workflows.handoffs import engagements, guest_links


def is_in_scope(connection: Connection, remote: RemoteTicket) -> bool:
    """Whether a record that is not linked would be imported."""
    is_taken = not connection.intake_queues or remote.queue in connection.intake_queues
    return connection.intake == Connection.Intake.ADOPT and is_taken and not remote.is_foreign


def adopt(connection: Connection, remote: RemoteTicket, at: datetime) -> Link | None:
    """Import a record as a ticket with an engagement; None if the connection imports none. LeftAlone says why not."""
    if connection.intake != Connection.Intake.ADOPT:
        return None
    hops = _hops(connection, remote)
    mapped = mapping.published(connection)
    leg = _begin(connection, remote, mapped, at)
    link = Link.objects.create(
        leg=leg,
        connection=connection,
        reference=correlation_marks.reference(leg.public_id),
        remote_key=remote.key,
        remote_url=remote.url if len(remote.url) <= Link.LONGEST_URL else "",
        born_at=remote.created_at,
        hops=hops,
    )
    fresh = Ticket.objects.get(pk=leg.ticket_id)
    link.agreed = {
        field: {"theirs": remote.fields.get(field, ""), "ours": mapping.ours(fresh, leg, field)}
        for field in mapped.fields
        if field != "status"
    }
    if remote.reference:
        # The field holds another system's number. It is kept: we know the record's key and need no reference.
        link.agreed["reference"] = {"theirs": remote.reference, "ours": link.reference}
    link.save(update_fields=["agreed"])
    outbox.queue_fields(link)
    return link


def _hops(connection: Connection, remote: RemoteTicket) -> list[str]:
    """The hubs that a record came through; LeftAlone if it must not be imported."""
    if remote.is_foreign:
        raise LeftAlone(
            sentence(
                "Record %(key)s belongs to another customer of %(organisation)s.",
                key=remote.key,
                organisation=connection.organisation,
            )
        )
    if remote.reference.startswith(correlation_marks.prefix()):
        raise LeftAlone(
            sentence(
                "Record %(key)s has our reference %(reference)s, but its engagement belongs to another record.",
                key=remote.key,
                reference=remote.reference,
            )
        )
    if connection.intake_queues and remote.queue not in connection.intake_queues:
        raise LeftAlone(_out_of_scope(remote))
    hops = correlation_marks.hops_of_ticket(
        reference=remote.reference, description=remote.fields.get("description", "")
    )
    if correlation_marks.hub() in hops or len(hops) > correlation_marks.MOST_HOPS:
        raise LeftAlone(
            sentence("Record %(key)s is our own ticket, which came back through other hubs.", key=remote.key)
        )
    return hops


def _out_of_scope(remote: RemoteTicket) -> str:
    if not remote.queue:
        return sentence("Record %(key)s is in no queue. Only chosen queues are imported.", key=remote.key)
    return sentence(
        "Record %(key)s is in the queue %(queue)s, which is not imported.", key=remote.key, queue=remote.queue
    )


def _begin(connection: Connection, remote: RemoteTicket, mapped: mapping.Mapped, at: datetime) -> Leg:
    """Open a ticket for the record, with the vendor's engagement."""
    raw_priority = remote.fields.get("priority", "")
    priority = mapped.value_in("priority", raw_priority)
    actor = Actor.vendor(connection.organisation, remote.author[:150])
    occurred_at = min(remote.created_at or at, at)
    fields = {name: guest_links.concealed(value) for name, value in remote.fields.items()}
    ticket = tickets.open_ticket(
        title=fields.get("title") or f"{connection.organisation} {remote.number}",
        description=fields.get("description", ""),
        priority=priority or Priority.P3,
        service=connection.service,
        requester=_requester(remote.requester),
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=connection.public_id,
        raw={"fields": fields},
    )
    if priority is None and raw_priority:
        unmapped.saw(source=connection.public_id, field="priority", value=raw_priority, at=at)
    return engagements.begin_there(
        ticket=ticket,
        organisation=connection.organisation,
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=connection.public_id,
    )


def _requester(address: str) -> Person | None:
    """The requester of an imported ticket, if exactly one known person has the address."""
    found = list(Person.objects.filter(email__iexact=address)[:2]) if address else []
    return found[0] if len(found) == 1 else None
