"""Active alerts about which nothing more is received."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from connectors.models import AlertState, Connection
from hub.domain.actors import Actor
from hub.models import ActorKind
from workflows.handoffs import comments

SHOWN = 5


def due(*, at: datetime, limit: int = 50) -> list[int]:
    """Primary keys of active alerts about which nothing was received for as long as their connection allows."""
    return list(waiting(at=at).order_by("silent_from", "pk").values_list("pk", flat=True)[:limit])


def waiting(*, at: datetime) -> QuerySet[AlertState]:
    """Active alerts about which nothing was received for as long as their connection allows."""
    return AlertState.objects.filter(is_firing=True, silent_from__lte=at)


@transaction.atomic
def report(*, alert_id: int, at: datetime) -> None:
    """Write on the ticket that its alerts are silent, in one comment for all that are due."""
    found = AlertState.objects.select_related("connection__organisation", "ticket__merged_into").get(pk=alert_id)
    Connection.objects.select_for_update(of=("self",)).get(pk=found.connection_id)
    due = AlertState.objects.filter(
        connection=found.connection, ticket=found.ticket, is_firing=True, silent_from__lte=at
    ).order_by("pk")
    titles = list(due.values_list("title", flat=True))
    if not titles or not due.update(silent_from=None, is_silent=True):
        return  # reported meanwhile
    ticket = found.ticket.goes_on_as
    if not ticket.is_open:
        return
    named = ", ".join(titles[:SHOWN])
    if len(titles) > SHOWN:
        named = _("%(titles)s and %(count)s more") % {"titles": named, "count": len(titles) - SHOWN}
    comments.comment(
        ticket=ticket,
        body=_(
            "Nothing has been received about %(alerts)s since %(time)s UTC, neither a repeat nor a recovery. The "
            "recovery may have been lost. Check in the tool whether the alert is still active."
        )
        % {"alerts": named, "time": f"{found.last_at:%Y-%m-%d %H:%M}"},
        actor=Actor(
            kind=ActorKind.API,
            id=found.connection.public_id,
            name=found.connection.name,
            organisation=found.connection.organisation,
        ),
        at=at,
    )
