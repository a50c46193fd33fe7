"""One alert and the connection it came by, and how its ticket is made and its events are recorded."""

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
    """What a connection says about storms and recovery."""

    most: int
    minutes: int
    resolves: bool
    silent_hours: int = 24
    """After so long without a word an alert that fires is silent; 0: never."""


class AlertContext(NamedTuple):
    """One alert as it came, and what it came by."""

    connection: Connection
    alert: Alert
    terms: Terms
    at: datetime
    happened_at: datetime

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
    """What the severity means here; one without a meaning is P3, and a person is told."""
    word = context.alert.severity
    if not word:
        return str(Priority.P3)
    found = mapping.published(context.connection).value_in("priority", word)
    if found is None:
        unmapped.saw(source=context.origin, field="priority", value=word, at=context.at)
    return found or str(Priority.P3)


def record(context: AlertContext, ticket: Ticket, kind: EventKind, words: Mapping[str, str] | None = None) -> None:
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
