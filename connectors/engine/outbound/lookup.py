"""Looks up whether something that was sent has arrived in the vendor's system."""

from __future__ import annotations

from connectors.engine import correlation_marks
from connectors.kit.contract import OutboundConnector, Pushed, TicketConnector
from connectors.models import Link, Outbound


def made(link: Link, connector: OutboundConnector) -> Pushed | None:
    """The record with the reference of this link; None if there is none, or the system cannot search."""
    if not isinstance(connector, TicketConnector):
        return None
    keys = connector.find(link.reference)
    return Pushed(key=keys[0], ticket=connector.fetch(keys[0])) if keys else None


def sent(item: Outbound, link: Link, connector: OutboundConnector) -> Pushed | None:
    """What an item became in the vendor's system; None if it did not arrive, or nothing can be looked up."""
    if not isinstance(connector, TicketConnector):
        # It can safely be sent again: it has the same id, by which the receiver recognises it.
        return None
    if item.kind == Outbound.Kind.CREATE:
        return made(link, connector)
    ticket = connector.fetch(link.remote_key)
    if item.kind == Outbound.Kind.FIELDS:
        wanted = item.intent.get("fields", {})
        reference = item.intent.get("reference") or ticket.reference
        is_there = ticket.reference == reference and all(ticket.fields.get(f) == v for f, v in wanted.items())
        return Pushed(key=ticket.key, ticket=ticket) if is_there else None
    records = ticket.notes if item.kind == Outbound.Kind.NOTE else ticket.files
    for record in records or ():
        if record.is_ours and correlation_marks.operation_in(record.mark) == item.public_id:
            return Pushed(key=record.key)
    return None
