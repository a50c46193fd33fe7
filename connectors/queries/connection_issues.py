"""Sync issues of whole connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from connectors.engine import hooks
from connectors.models import AlertState, Connection
from connectors.queries.sync_issue import LONG_AGO, SyncIssue

FAILED = AlertState.Acknowledgement.FAILED
MANY_FAILURES = 3
"""A connection is shown after this many failures in a row."""


def ill_connections() -> QuerySet[Connection]:
    """Connections that have an issue."""
    is_active = Q(state=Connection.State.ACTIVE)
    unacknowledged = AlertState.objects.filter(connection=OuterRef("pk"), acknowledgement=FAILED)
    return Connection.objects.annotate(has_unacknowledged=Exists(unacknowledged)).filter(
        Q(state=Connection.State.LOCKED_OUT)
        | is_active & Q(failures__gte=MANY_FAILURES)
        | is_active & Q(sight_lost_at__isnull=False)
        | is_active & ~Q(left_out="")
        | is_active & Q(rejected_hooks__gte=F("rejected_before") + hooks.MANY_REJECTED)
        | is_active & Q(has_unacknowledged=True)
    )


def connections(_most: int) -> list[SyncIssue]:
    """Their issues; one connection can have several."""
    return [each for row in ill_connections() for each in _of_connection(row)]


def _of_connection(row: Connection) -> Iterator[SyncIssue]:
    common: dict[str, Any] = {"row_id": row.pk, "connection": row.name}
    name = {"connection": row.name}
    at = row.resting_until or row.last_in_at or row.last_out_at or LONG_AGO
    if row.state == Connection.State.LOCKED_OUT:
        title = _("%(connection)s is locked out") % name
        yield SyncIssue(kind="connection", title=title, why=row.last_error, at=row.locked_at or at, **common)
        return
    if row.sight_lost_at is not None:
        title = _("Many records of %(connection)s were not found") % name
        yield SyncIssue(kind="connection", title=title, why=row.sight_lost_why, at=row.sight_lost_at, **common)
    if row.left_out:
        title = _("Records of %(connection)s were not listed") % name
        yield SyncIssue(kind="left_out", title=title, why=row.left_out, at=row.last_in_at or at, **common)
    if getattr(row, "has_unacknowledged", False):
        yield _acknowledgements(row)
    if row.failures >= MANY_FAILURES:
        title = _("%(connection)s does not answer") % name
        yield SyncIssue(kind="connection", title=title, why=row.last_error, at=at, **common)
    refused = row.rejected_hooks - row.rejected_before
    if refused >= hooks.MANY_REJECTED:
        title = _("Calls from %(connection)s are rejected") % name
        why = _rejected(row, refused)
        yield SyncIssue(kind="connection", title=title, why=why, at=row.hook_checked_at or at, **common)


def _rejected(row: Connection, count: int) -> str:
    if hooks.signs(row):
        text = _(
            "%(count)s calls since the last valid one had a wrong signature or none. The secret in the vendor's system "
            "probably differs from ours: enter the same one on both sides. Nothing is lost, because polling fetches "
            "all changes. If the calls are not from the vendor, someone else knows the webhook address."
        )
    else:
        text = _(
            "%(count)s calls since the last valid one had a wrong token or none. The secret in the vendor's system "
            "probably differs from ours: enter the same one on both sides. Nothing is lost, because polling fetches "
            "all changes. If the calls are not from the vendor, someone else knows the webhook address."
        )
    return text % {"count": count}


def _acknowledgements(row: Connection) -> SyncIssue:
    """One issue for all alerts that could not be acknowledged in the tool, since they have one cause."""
    failed = AlertState.objects.filter(connection=row, acknowledgement=FAILED).order_by("-last_at", "-pk")
    newest, more = failed[0], failed.count() - 1
    values = {"reason": newest.acknowledge_said, "alert": newest.title, "more": more}
    if more:
        why = _("%(reason)s (%(alert)s, and %(more)s more) The tool was not notified; the tickets are not affected.")
    else:
        why = _("%(reason)s (%(alert)s) The tool was not notified; the tickets are not affected.")
    return SyncIssue(
        kind="acknowledgement",
        row_id=row.pk,
        title=_("%(connection)s does not accept acknowledgements") % {"connection": row.name},
        why=why % values,
        at=newest.last_at,
        connection=row.name,
        connection_pk=row.pk,
    )
