"""Reads one record of a vendor's system and updates our ticket."""

from __future__ import annotations

from connectors.engine.inbound import awaited_files, duplicates, inbound_notes, reconcile, snapshots
from connectors.kit.contract import RemoteTicket, TicketConnector
from connectors.models import Connection, Inbound, Link
from hub.core.clock import now


def read(row: Inbound, connector: TicketConnector) -> Link | None:
    """Process one row. A webhook call is only a hint, so the record is fetched; a polled row contains the record."""
    is_whole = row.kind != Inbound.Kind.POLL
    remote = connector.fetch(row.remote_key) if is_whole else snapshots.load(bytes(row.body))
    if remote.notes is None and reconcile.is_of_interest(row.connection, remote):
        # The list has no notes, so a record that concerns us is fetched completely.
        remote, is_whole = connector.fetch(remote.key), True
    return follow(row.connection, connector, remote, is_whole=is_whole)


def follow(
    connection: Connection, connector: TicketConnector, remote: RemoteTicket, *, is_whole: bool = False
) -> Link | None:
    """Update our ticket to a record that was read; `is_whole` if it has all its notes."""
    known, doubled = duplicates.links_of(connection, remote)
    if doubled is not None:
        duplicates.settle(doubled, connector, connector.fetch(remote.key))
        return doubled
    contents, failed = awaited_files.contents(connector, remote, inbound_notes.unread_files(connection, remote))
    if contents or failed:
        known = None  # files were fetched, which takes time: the link is looked up again
    link = reconcile.apply(
        connection=connection, remote=remote, at=now(), contents=contents, is_whole=is_whole, known=known
    )
    if link is not None:
        awaited_files.remember(link, failed.values())
    return link
