"""Reads one record of a vendor's system and brings ours up to it."""

from __future__ import annotations

from connectors.engine.inbound import awaited_files, duplicates, inbound_notes, reconcile, snapshots
from connectors.kit.contract import RemoteTicket, TicketConnector
from connectors.models import Connection, Inbound, Link
from hub.core.clock import now


def read(row: Inbound, connector: TicketConnector) -> Link | None:
    """Read what one row is about. A hook is a hint: the record itself is fetched; a poll brought the record along."""
    is_whole = row.kind != Inbound.Kind.POLL
    remote = connector.fetch(row.remote_key) if is_whole else snapshots.load(bytes(row.body))
    if remote.notes is None and reconcile.is_of_interest(row.connection, remote):
        # A list without notes: what concerns us is read whole.
        remote, is_whole = connector.fetch(remote.key), True
    return follow(row.connection, connector, remote, is_whole=is_whole)


def follow(
    connection: Connection, connector: TicketConnector, remote: RemoteTicket, *, is_whole: bool = False
) -> Link | None:
    """Bring the record up to what was read; `is_whole` where every note they have is in it."""
    doubled = duplicates.other_link(connection, remote)
    if doubled is not None:
        duplicates.settle(doubled, connector, connector.fetch(remote.key))
        return doubled
    contents, failed = awaited_files.contents(connector, remote, inbound_notes.unread_files(connection, remote))
    link = reconcile.apply(connection=connection, remote=remote, at=now(), contents=contents, is_whole=is_whole)
    if link is not None:
        awaited_files.remember(link, failed.values())
    return link
