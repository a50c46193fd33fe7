"""Whose fault a refusal is: of one record, which parks one item, or of our rights, which stops the connection.

A vendor says 403 for both. It is the connection's where the check fails as well, or where five in a row over at least
three records were refused.
"""

from __future__ import annotations

from itertools import takewhile

from django.utils import timezone

from connectors.kit.contract import Connector
from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Refused
from connectors.models import Attempt, Connection, Link, Outbound
from hub.core.sentences import sentence

IN_A_ROW = 5
RECORDS = 3
MOST = 50
ANSWERED = ("ok", Forbidden.__name__, Refused.__name__)
"""How an attempt ended that they answered; no answer says nothing about rights."""


def of_connection(link: Link, connector: Connector) -> str:
    """Why it is the connection's fault, in words; empty where it is this record's. The attempt is noted already."""
    try:
        connector.check()
    except (LockedOut, Forbidden) as error:
        return sentence("The check of the connection fails as well: %(error)s", error=str(error))
    except ConnectorError:
        pass  # whether it works does not show now
    refused = _in_a_row(link.connection)
    records = {record for _item, record in refused[:IN_A_ROW]}
    if len(refused) >= IN_A_ROW and len(records) >= RECORDS:
        return sentence(
            "%(count)s changes in a row on %(records)s records were refused.", count=IN_A_ROW, records=len(records)
        )
    return ""


def put_back(connection: Connection) -> None:
    """What was parked in the refusals that turned out to be the connection's fault waits in its turn again."""
    items = [item for item, _record in _in_a_row(connection)]
    Outbound.objects.filter(pk__in=items, state=Outbound.State.PARKED).update(
        state=Outbound.State.READY, next_attempt_at=timezone.now(), attempts=0, error=""
    )


def _in_a_row(connection: Connection) -> list[tuple[int, int]]:
    """Item and link of the newest attempts, back to the first that was not refused, or to when it was locked last."""
    rows = Attempt.objects.filter(outbound__link__connection=connection, outcome__in=ANSWERED)
    locked_at = Connection.objects.values_list("locked_at", flat=True).get(pk=connection.pk)
    rows = rows if locked_at is None else rows.filter(began_at__gt=locked_at)
    newest = rows.order_by("-pk").values_list("outcome", "outbound", "outbound__link")[:MOST]
    return [(item, link) for _outcome, item, link in takewhile(lambda row: row[0] == Forbidden.__name__, newest)]
