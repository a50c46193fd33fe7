"""All sync issues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import QuerySet

from connectors.models import Connection
from connectors.queries import connection_issues, exchange_issues, installation_issues
from connectors.queries.sync_issue import SyncIssue
from hub.core import among

SOURCES: Mapping[str, tuple[Callable[[], QuerySet[Any]], Callable[[int], list[SyncIssue]]]] = {
    "connections": (connection_issues.ill_connections, connection_issues.connections),
    "links": (exchange_issues.stopped_links, exchange_issues.links),
    "outbound": (exchange_issues.parked_outbound, exchange_issues.outbound),
    "inbound": (exchange_issues.parked_inbound, exchange_issues.inbound),
    "differences": (exchange_issues.open_differences, exchange_issues.differences),
    "files": (exchange_issues.parked_files, exchange_issues.files),
    "unmapped": (exchange_issues.unmapped_values, exchange_issues.unmapped),
    "rules": (installation_issues.failed_rules, installation_issues.rules),
    "actions": (installation_issues.failed_actions, installation_issues.actions),
    "receivers": (installation_issues.failed_receivers, installation_issues.receivers),
    "notices": (installation_issues.failed_notices, installation_issues.notices),
    "troubles": (installation_issues.recent_troubles, installation_issues.troubles),
}
"""By kind: the rows, and the issues made of them."""


def stuck(*, most: int = 50, connection: Connection | None = None) -> list[SyncIssue]:
    """The sync issues, newest first, at most `most` of each kind; only those of one connection if given."""
    kinds = among.with_rows({kind: rows() for kind, (rows, _issues) in SOURCES.items()})
    found = [issue for kind, (_rows, issues) in SOURCES.items() if kind in kinds for issue in issues(most)]
    if connection is not None:
        found = [item for item in found if item.connection == connection.name]
    return sorted(found, key=lambda item: item.at, reverse=True)
