"""Whether a refusal concerns one record, which parks one item, or our permissions, which stops the connection.

A vendor answers 403 for both. It concerns the connection if the connection's check fails as well, or if five changes
in a row on at least three records were refused.
"""

from __future__ import annotations

from itertools import takewhile

from django.utils import timezone

from connectors.kit.contract import Connector
from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Refused, Unsupported
from connectors.models import Attempt, Connection, Link, Outbound
from hub.core.sentences import sentence

IN_A_ROW = 5
RECORDS = 3
MOST = 50
ANSWERED = ("ok", Forbidden.__name__, Refused.__name__)
"""The outcomes of attempts that were answered; others say nothing about our permissions."""


def of_connection(link: Link, connector: Connector) -> str:
    """Why the refusal concerns the connection; empty if it concerns this record. The attempt is already recorded."""
    try:
        connector.check()
    except (LockedOut, Forbidden) as error:
        return sentence("The check of the connection failed as well: %(error)s", error=str(error))
    except ConnectorError:
        pass  # the check cannot be made now
    refused = _in_a_row(link.connection)
    records = {record for _item, record in refused[:IN_A_ROW]}
    if len(refused) >= IN_A_ROW and len(records) >= RECORDS:
        return sentence(
            "%(count)s changes in a row on %(records)s records were rejected.", count=IN_A_ROW, records=len(records)
        )
    return ""


def put_back(connection: Connection) -> None:
    """Queue again what was parked by refusals that turned out to concern the connection."""
    items = [item for item, _record in _in_a_row(connection)]
    Outbound.objects.filter(pk__in=items, state=Outbound.State.PARKED).update(
        state=Outbound.State.READY, next_attempt_at=timezone.now(), attempts=0, error=""
    )


def _in_a_row(connection: Connection) -> list[tuple[int, int]]:
    """Item and link of the newest attempts, back to the last success or to the last lock-out."""
    rows = Attempt.objects.filter(outbound__link__connection=connection, outcome__in=ANSWERED)
    locked_at = Connection.objects.values_list("locked_at", flat=True).get(pk=connection.pk)
    rows = rows if locked_at is None else rows.filter(began_at__gt=locked_at)
    newest = rows.order_by("-pk").values_list("outcome", "outbound", "outbound__link")[:MOST]
    return [(item, link) for _outcome, item, link in takewhile(lambda row: row[0] == Forbidden.__name__, newest)]


def pack_not_taken(item: Outbound, error: Unsupported) -> str:
    """Why the hand-off pack is parked if the vendor's system has no place for it."""
    values = {"vendor": item.link.leg.organisation, "reason": str(error)}
    if item.kind == Outbound.Kind.FILE:
        return sentence(
            "The system of %(vendor)s does not accept the hand-off pack as a file: %(reason)s Send this pack as a "
            "comment or manually, and choose another place for the pack in the mapping.",
            **values,
        )
    return sentence(
        "The system of %(vendor)s does not accept the hand-off pack as a note: %(reason)s Send this pack manually "
        "and skip it here, and choose another place for the pack in the mapping.",
        **values,
    )
