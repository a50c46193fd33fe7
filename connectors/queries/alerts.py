"""The alerts of a monitoring tool, and those of a ticket."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from connectors.models import AlertState, AlertStorm, Connection
from hub.models import Ticket


@dataclass(frozen=True, kw_only=True)
class Alerting:
    """What a tool reported: the active alerts and the alert storms."""

    firing: list[AlertState]
    known: int
    storms: list[AlertStorm]


def alerting(connection: Connection, *, most: int = 20) -> Alerting:
    """The state of a monitoring tool; at most `most` active alerts and alert storms, the newest first."""
    rows = AlertState.objects.filter(connection=connection)
    firing = rows.filter(is_firing=True).select_related("ticket").order_by("-is_silent", "-changed_at", "-pk")
    storms = AlertStorm.objects.filter(connection=connection).select_related("parent").order_by("-pk")
    return Alerting(firing=list(firing[:most]), known=rows.count(), storms=list(storms[:most]))


def alerts_of(ticket: Ticket, *, most: int = 10) -> list[AlertState]:
    """The alerts of a ticket and of the tickets merged into it; active alerts first."""
    of_it = Q(ticket=ticket) | Q(ticket__merged_into=ticket)
    return list(AlertState.objects.filter(of_it).order_by("-is_firing", "-last_at", "-pk")[:most])
