"""Reads one call of a monitoring tool: a list of alerts, each folded into what is known."""

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
"""So many alerts of one call are taken: it has to be read before its lease ends and another worker begins."""


def read(row: Inbound, connector: AlertConnector) -> int:
    """Understand one call; how many alerts were in it. Each is committed by itself: taken again, it is a repeat.

    Refused where there are more than are taken at once: the first ones stand, and a person sees how many do not.
    LeftAlone where nothing of it is an alert.
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
                "%(count)s alerts came in one call. The first %(most)s were taken, the rest was left out. Set the tool "
                "to send fewer per call (Alertmanager: max_alerts).",
                count=len(found),
                most=MOST_AT_ONCE,
            )
        )
    if not found:
        raise LeftAlone(sentence("Its list of alerts is empty."))
    if all(alert.is_firing is None and not alert.said for alert in found):
        states = ", ".join(sorted({alert.state for alert in found}))[:200]
        raise LeftAlone(
            sentence(
                "It neither begins nor ends an alert: the connection's settings give no meaning to %(states)s.",
                states=states,
            )
        )
    return len(found)
