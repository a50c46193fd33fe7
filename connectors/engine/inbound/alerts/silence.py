"""Alerts that are active and of which nothing more is heard."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from connectors.models import AlertState, Connection
from hub.domain.actors import Actor
from hub.models import ActorKind
from workflows.handoffs import comments

SHOWN = 5


def due(*, at: datetime, limit: int = 50) -> list[int]:
    """Alerts that fire and of which nothing was told for as long as their connection allows."""
    rows = AlertState.objects.filter(is_firing=True, silent_from__lte=at)
    return list(rows.order_by("silent_from", "pk").values_list("pk", flat=True)[:limit])


@transaction.atomic
def report(*, alert_id: int, at: datetime) -> None:
    """Say on the ticket that nothing is heard of its alerts any more: once for all that are due."""
    found = AlertState.objects.select_related("connection__organisation", "ticket__merged_into").get(pk=alert_id)
    Connection.objects.select_for_update(of=("self",)).get(pk=found.connection_id)
    due = AlertState.objects.filter(
        connection=found.connection, ticket=found.ticket, is_firing=True, silent_from__lte=at
    ).order_by("pk")
    titles = list(due.values_list("title", flat=True))
    if not titles or not due.update(silent_from=None, is_silent=True):
        return  # told of meanwhile
    ticket = found.ticket.goes_on_as
    if not ticket.is_open:
        return
    more = f" and {len(titles) - SHOWN} more" if len(titles) > SHOWN else ""
    comments.comment(
        ticket=ticket,
        body=f"Nothing has been heard of {', '.join(titles[:SHOWN])}{more} since {found.last_at:%Y-%m-%d %H:%M} UTC: "
        "neither a repeat nor an end. The recovery may have been lost at the tool; check there whether it still fires.",
        actor=Actor(
            kind=ActorKind.API,
            id=found.connection.public_id,
            name=found.connection.name,
            organisation=found.connection.organisation,
        ),
        at=at,
    )
