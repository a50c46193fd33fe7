"""All sync issues."""

from __future__ import annotations

from connectors.models import Connection
from connectors.queries import connection_issues, exchange_issues, installation_issues
from connectors.queries.sync_issue import SyncIssue


def stuck(*, most: int = 50, connection: Connection | None = None) -> list[SyncIssue]:
    """The sync issues, newest first, at most `most` of each kind; only those of one connection if given."""
    found = [
        *connection_issues.connections(),
        *exchange_issues.links(most),
        *exchange_issues.outbound(most),
        *exchange_issues.inbound(most),
        *exchange_issues.differences(most),
        *exchange_issues.files(most),
        *exchange_issues.unmapped(most),
        *installation_issues.rules(most),
        *installation_issues.actions(most),
        *installation_issues.receivers(most),
        *installation_issues.notices(most),
        *installation_issues.troubles(),
    ]
    if connection is not None:
        found = [item for item in found if item.connection == connection.name]
    return sorted(found, key=lambda item: item.at, reverse=True)
