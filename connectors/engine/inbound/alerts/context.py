"""One alert with its connection, and the functions that open its ticket and record its events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from connectors.engine import mapping
from connectors.kit.contract import Alert
from connectors.models import Connection
from hub.domain import history, tickets, unmapped
from hub.domain.actors import Actor
from hub.models import ActorKind, Asset, EventKind, Priority, Service, Ticket


class Terms(NamedTuple):
    """The settings of a connection for alert storms, recovery and silence."""

    most: int
    """An alert storm begins after this many new alerts within `minutes`."""
    minutes: int
    resolves: bool
    """Whether a ticket is resolved when all its alerts have recovered and nobody has started to work on it."""
    silent_hours: int = 24
    """After how many hours without news an active alert counts as silent; 0 means never."""


class AlertContext(NamedTuple):
    """One alert as it was received, with its connection."""

    connection: Connection
    alert: Alert
    terms: Terms
    at: datetime
    """When it was received, in the time of the record."""
    happened_at: datetime
    """When it began or ended, as far as the tool says; never later than `at`."""

    @property
    def actor(self) -> Actor:
        organisation = self.connection.organisation
        return Actor(
            kind=ActorKind.API, id=self.connection.public_id, name=self.connection.name, organisation=organisation
        )

    @property
    def origin(self) -> str:
        return str(self.connection.public_id)


def open_ticket(
    context: AlertContext, *, title: str, text: str, priority: str, is_of_this_alert: bool = True
) -> Ticket:
    """Open a ticket; for an alert storm (not `is_of_this_alert`) without the service and asset of the alert."""
    alert = context.alert
    named = Service.objects.filter(name__iexact=alert.service).first() if alert.service and is_of_this_alert else None
    asset = Asset.objects.filter(tag__iexact=alert.asset).first() if alert.asset and is_of_this_alert else None
    return tickets.open_ticket(
        title=title,
        description=text,
        priority=priority,
        service=named or (asset.service if asset else None) or context.connection.service,
        asset=asset,
        actor=context.actor,
        at=context.at,
        occurred_at=context.happened_at,
        origin=context.origin,
    )


def priority(context: AlertContext) -> str:
    """The priority of the alert's severity; P3 if the severity is not mapped, which is then shown as unmapped."""
    word = context.alert.severity
    if not word:
        return str(Priority.P3)
    found = mapping.published(context.connection).value_in("priority", word)
    if found is None:
        unmapped.saw(source=context.origin, field="priority", value=word, at=context.at)
    return found or str(Priority.P3)


def record(context: AlertContext, ticket: Ticket, kind: EventKind, words: Mapping[str, str] | None = None) -> None:
    """Record an event of the alert on the ticket; `words` are further texts of the event."""
    history.record(
        ticket=tickets.locked(ticket),
        kind=kind,
        payload={"alert": context.alert.key, "connection": context.origin, "severity": context.alert.severity},
        texts={
            "title": context.alert.title[:255],
            **({"written_at": context.alert.written_at} if context.alert.written_at else {}),
            **(words or {}),
        },
        actor=context.actor,
        at=context.at,
        occurred_at=context.happened_at,
        origin=context.origin,
    )
