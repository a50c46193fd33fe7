"""Reads one call of a monitoring tool, which is a list of alerts."""

from __future__ import annotations

from django.utils import timezone

from connectors.engine.inbound.alerts import folding
from connectors.engine.inbound.alerts.context import Terms
from connectors.engine.inbound.inbox import LeftAlone
from connectors.kit.contract import AlertConnector
from connectors.kit.errors import Refused
from connectors.models import Connection, Inbound
from hub.core.clock import now
from hub.core.sentences import sentence

MOST_AT_ONCE = 1000
"""How many alerts of one call are read, so that reading ends before the lease does."""


def read(row: Inbound, connector: AlertConnector) -> int:
    """Read one call; returns the number of its alerts. Each is committed separately; read again, it is a repeat.

    Refused if there are more than `MOST_AT_ONCE`: the first ones are kept, and a person sees how many are not.
    LeftAlone if the call contains no alert.
    """
    found = connector.read_alerts(bytes(row.body))
    values = connector.values
    terms = Terms(
        most=int(values.get("storm_count") or 10),
        minutes=int(values.get("storm_minutes") or 5),
        resolves=values.get("on_recovery") == "resolve",
        silent_hours=int(values.get("silent_hours") or 24),
    )
    for alert in found[:MOST_AT_ONCE]:
        folding.fold(connection=row.connection, alert=alert, terms=terms, at=now())
    Connection.objects.filter(pk=row.connection_id).update(last_in_at=timezone.now())
    if len(found) > MOST_AT_ONCE:
        raise Refused(
            sentence(
                "One call contained %(count)s alerts. Only the first %(most)s were read. Configure the tool to send "
                "fewer per call (Alertmanager: max_alerts).",
                count=len(found),
                most=MOST_AT_ONCE,
            )
        )
    if not found:
        raise LeftAlone(sentence("The call contains no alerts."))
    if all(alert.is_firing is None and not alert.said for alert in found):
        states = ", ".join(sorted({alert.state for alert in found}))[:200]
        raise LeftAlone(
            sentence(
                "The call neither starts nor ends an alert: the settings of the connection do not map %(states)s.",
                states=states,
            )
        )
    return len(found)
