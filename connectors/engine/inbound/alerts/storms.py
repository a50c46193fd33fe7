"""Alert storms: many alerts at once become part of one parent ticket."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.engine.inbound.alerts.context import AlertContext, open_ticket, priority
from connectors.models import AlertState, AlertStorm
from hub.domain import tickets
from hub.models import Relation


def current(context: AlertContext) -> AlertStorm | None:
    """The alert storm that is in progress, or that this alert starts; None if there is none."""
    since = timezone.now() - timedelta(minutes=context.terms.minutes)
    going_on = (
        AlertStorm.objects.select_related("parent")
        .filter(connection=context.connection, last_at__gte=since)
        .order_by("-pk")
        .first()
    )
    if going_on is not None and going_on.parent.goes_on_as.is_open:
        return going_on
    recent = AlertState.objects.filter(connection=context.connection, made_ticket_at__gte=since).select_related(
        "ticket"
    )
    if recent.count() < context.terms.most:
        return None
    return _begin_storm(context, list(recent.order_by("pk")))


def _begin_storm(context: AlertContext, before: list[AlertState]) -> AlertStorm:
    most = min([priority(context), *(each.ticket.priority for each in before)])
    parent = open_ticket(
        context,
        title=_("Alert storm from %(connection)s") % {"connection": context.connection},
        text=_(
            "There were more than %(count)s new alerts within %(minutes)s minutes. Alerts that arrive during the storm "
            "become part of this ticket; the earlier ones have child tickets."
        )
        % {"count": context.terms.most, "minutes": context.terms.minutes},
        priority=most,
        is_of_this_alert=False,
    )
    for each in before:
        tickets.relate(
            ticket=parent,
            other=each.ticket,
            kind=Relation.Kind.PARENT,
            actor=context.actor,
            at=context.at,
            origin=context.origin,
        )
    began = timezone.now()
    return AlertStorm.objects.create(connection=context.connection, parent=parent, began_at=began, last_at=began)
