"""Alerts become tickets: repeats are one, an end is an event, a storm is one parent.

Everything of one alert happens under the connection's lock, so that of two calls at once one makes the ticket.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from connectors.engine import mapping, texts
from connectors.engine.inbound import alert_acknowledgements
from connectors.engine.inbound.reconcile import LeftAlone
from connectors.kit.contract import Alert, Connector
from connectors.kit.errors import Refused
from connectors.models import AlertState, AlertStorm, Connection, Inbound
from hub.core.clock import now
from hub.domain import history, tickets, unmapped
from hub.domain.actors import Actor
from hub.models import (
    OPEN_STAGES,
    ActorKind,
    Asset,
    Event,
    EventKind,
    Leg,
    Phase,
    Priority,
    Relation,
    Service,
    Ticket,
)
from workflows.handoffs import comments
from workflows.rules import execution

TWICE = timedelta(hours=1)
"""How far apart the two readings are of a local time that there was twice."""
SHOWN = 5
LONGEST_SAID = 2000
MOST_AT_ONCE = 1000
"""So many alerts of one call are taken: it has to be read before its lease ends and another worker begins."""


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


def take(row: Inbound, connector: Connector) -> int:
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
        one(connection=row.connection, alert=alert, terms=terms, at=now())
    Connection.objects.filter(pk=row.connection_id).update(last_in_at=timezone.now())
    if len(found) > MOST_AT_ONCE:
        raise Refused(
            f"{len(found)} alerts came in one call. The first {MOST_AT_ONCE} were taken, the rest was left out. "
            "Set the tool to send fewer per call (Alertmanager: max_alerts)."
        )
    if not found:
        raise LeftAlone("Its list of alerts is empty.")
    if all(alert.is_firing is None and not alert.said for alert in found):
        states = ", ".join(sorted({alert.state for alert in found}))[:200]
        raise LeftAlone(f"It neither begins nor ends an alert: {states} is no alert by the words of the connection.")
    return len(found)


@transaction.atomic
def one(*, connection: Connection, alert: Alert, terms: Terms, at: datetime) -> Ticket | None:
    """Fold one alert into what is known; the ticket it is part of, None where it ended without ever having begun."""
    connection = (
        Connection.objects.select_for_update(of=("self",))
        .select_related("organisation", "service")
        .get(pk=connection.pk)
    )
    state = (
        AlertState.objects.select_related("ticket__merged_into").filter(connection=connection, key=alert.key).first()
    )
    alert = replace(
        alert, title=" ".join(alert.title.split()), text=texts.storable(alert.text), at=_when(alert, state, at)
    )
    context = AlertContext(connection, alert, terms, at, min(alert.at or at, at).replace(microsecond=0))
    ticket = _taken(context, state)
    if ticket is not None:
        _hear_person(context, ticket)
    return ticket


def _taken(context: AlertContext, state: AlertState | None) -> Ticket | None:
    alert = context.alert
    if alert.is_firing is None:
        return state.ticket.goes_on_as if state is not None else None
    if not alert.is_firing:
        return _ended(context, state) if state is not None else None
    if state is None:
        return _began(context, None)
    if state.is_firing:
        return _repeated(context, state)
    if alert.at is not None and alert.at < state.changed_at:
        return state.ticket.goes_on_as  # it began before it last ended: late news
    return _began(context, state)


def _when(alert: Alert, state: AlertState | None, at: datetime) -> datetime | None:
    """Of a local time that there was twice the reading that fits: the one of just now, or after it last changed."""
    if alert.at is None or alert.or_at is None:
        return alert.at
    is_just_now = abs(at - alert.or_at) < TWICE / 2
    is_after = state is not None and alert.at < state.changed_at <= alert.or_at
    return alert.or_at if is_just_now or is_after else alert.at


def _hear_person(context: AlertContext, ticket: Ticket) -> None:
    """What somebody said at the tool, as of who acknowledged it there: once, for us."""
    alert = context.alert
    told = ": ".join(part for part in (alert.author, alert.said) if part)[:255]
    rows = AlertState.objects.filter(connection=context.connection, key=alert.key)
    if alert.said and rows.exclude(acknowledge_text=alert.said).exclude(said=told).update(said=told):
        words = {"author": texts.storable(alert.author)[:150], "said": texts.storable(alert.said)[:LONGEST_SAID]}
        _record(context, ticket, EventKind.ALERT_ACKNOWLEDGED, words)


def _repeated(context: AlertContext, state: AlertState) -> Ticket:
    """An alert that fires is told again: news if its severity or text is another one, or its ticket is over."""
    ticket = state.ticket.goes_on_as
    if not ticket.is_open:
        return _began(context, state)  # somebody ended the ticket, and the trouble is still there
    AlertState.objects.filter(pk=state.pk).update(count=state.count + 1, **_told(context))
    if (state.severity, state.text) == (context.alert.severity[:64], context.alert.text):
        return ticket
    _record(context, ticket, EventKind.ALERT_FIRED)
    if context.alert.severity[:64] != state.severity:
        _raise(context, Ticket.objects.get(pk=ticket.pk))
    return ticket


def _told(context: AlertContext) -> dict[str, object]:
    """What is kept of an alert that fires, as it was told last."""
    alert, hours = context.alert, context.terms.silent_hours
    return {
        "title": alert.title[:255],
        "severity": alert.severity[:64],
        "text": alert.text,
        "last_at": context.at,
        "silent_from": context.at + timedelta(hours=hours) if hours else None,
        "is_silent": False,
    }


def _raise(context: AlertContext, ticket: Ticket) -> None:
    """A worse severity makes the ticket more urgent, a better one never less; what a person set stays, and is told."""
    wanted = _priority(context)
    if not context.alert.severity or wanted >= ticket.priority:
        return
    why = f"the alert is {context.alert.severity[:64]} now"
    if not ticket.is_priority_set:
        tickets.set_priority(
            ticket=ticket, priority=wanted, reason=why, actor=context.actor, at=context.at, origin=context.origin
        )
        return
    said = f"This would be {wanted}: {why}. The priority was set by hand and stays {ticket.priority}."
    comments.comment(ticket=ticket, body=said, actor=context.actor, at=context.at)


def _began(context: AlertContext, state: AlertState | None) -> Ticket:
    was_over = state is not None and not state.ticket.goes_on_as.is_open
    ticket, is_made = _ticket(context, state)
    values = {
        **_told(context),
        "ticket": ticket,
        "is_firing": True,
        "acknowledgement": "",
        "acknowledge_at": None,
        "changed_at": context.happened_at,
        "made_ticket_at": timezone.now() if is_made else (state.made_ticket_at if state else None),
    }
    if state is None:
        AlertState.objects.create(
            connection=context.connection, key=context.alert.key, first_at=context.happened_at, **values
        )
    else:
        AlertState.objects.filter(pk=state.pk).update(count=state.count + 1, **values)
    _record(context, ticket, EventKind.ALERT_FIRED)
    if not (is_made or was_over):
        alert_acknowledgements.fires_on_a_ticket_under_way(ticket)
    return ticket


def _ticket(context: AlertContext, state: AlertState | None) -> tuple[Ticket, bool]:
    """The ticket this alert is part of from now on, and whether one was made for it alone."""
    before = state.ticket.goes_on_as if state is not None else None
    if before is not None and before.is_open:
        return before, False
    if before is not None and before.phase == Phase.RESOLVED:
        return execution.bring(
            ticket=before,
            name="reopen",
            reason="the alert fires again",
            actor=context.actor,
            at=context.at,
            origin=context.origin,
        ), False
    storm = _storm(context)
    if storm is not None:
        AlertStorm.objects.filter(pk=storm.pk).update(last_at=timezone.now(), count=storm.count + 1)
        return storm.parent.goes_on_as, False
    made = _open(context, title=context.alert.title, text=_text(context.alert), priority=_priority(context))
    if before is not None:
        tickets.relate(
            ticket=made,
            other=before,
            kind=Relation.Kind.FOLLOWS,
            actor=context.actor,
            at=context.at,
            origin=context.origin,
        )
    return made, True


def _ended(context: AlertContext, state: AlertState) -> Ticket:
    ticket = state.ticket.goes_on_as
    if not state.is_firing:
        return ticket
    if context.alert.at is not None and context.alert.at < state.changed_at:
        return ticket  # an end from before it last began
    AlertState.objects.filter(pk=state.pk).update(
        is_firing=False,
        changed_at=context.happened_at,
        last_at=context.at,
        silent_from=None,
        is_silent=False,
        acknowledgement="",
        acknowledge_at=None,
    )
    _record(context, ticket, EventKind.ALERT_RECOVERED)
    of_it = Q(ticket=ticket) | Q(ticket__merged_into=ticket)
    still = AlertState.objects.filter(of_it, is_firing=True).exists()
    fresh = Ticket.objects.get(pk=ticket.pk)
    if context.terms.resolves and not still and fresh.is_open and not _has_begun(fresh):
        execution.bring(
            ticket=fresh,
            name="resolve",
            reason="every alert of it has ended",
            actor=context.actor,
            at=context.at,
            origin=context.origin,
        )
    return ticket


def _has_begun(ticket: Ticket) -> bool:
    """Whether anybody has begun to work on it: told by who acted, for an alert that comes back moves its phase, too."""
    people = (ActorKind.PERSON, ActorKind.VENDOR)
    is_engaged = Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).exclude(organisation__is_us=True).exists()
    return is_engaged or Event.objects.filter(ticket=ticket, actor_kind__in=people, kind__in=WORK).exists()


WORK = (
    EventKind.TICKET_MOVED,
    EventKind.STATUS_CHANGED,
    EventKind.TICKET_ASSIGNED,
    EventKind.MESSAGE_ADDED,
    EventKind.LEG_OFFERED,
)
"""What shows that somebody works on a ticket; to merge or relate tickets does not."""


# -- storms


def _storm(context: AlertContext) -> AlertStorm | None:
    """The storm that goes on, or begins with this alert; None where there is none."""
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
    most = min([_priority(context), *(each.ticket.priority for each in before)])
    parent = _open(
        context,
        title=f"Alert storm from {context.connection}",
        text=f"More than {context.terms.most} new alerts within {context.terms.minutes} minutes. What comes while it "
        "lasts stands on this ticket; what had a ticket before is a child of it.",
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


# -- silence


def due_silent(*, at: datetime, limit: int = 50) -> list[int]:
    """Alerts that fire and of which nothing was told for as long as their connection allows."""
    rows = AlertState.objects.filter(is_firing=True, silent_from__lte=at)
    return list(rows.order_by("silent_from", "pk").values_list("pk", flat=True)[:limit])


@transaction.atomic
def tell_silent(*, alert_id: int, at: datetime) -> None:
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


# -- what a ticket says


def _open(context: AlertContext, *, title: str, text: str, priority: str, is_of_this_alert: bool = True) -> Ticket:
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


def _text(alert: Alert) -> str:
    written = f"Time there: {alert.written_at}" if alert.written_at else ""
    return "\n\n".join(part for part in (alert.text, written, alert.url) if part)


def _priority(context: AlertContext) -> str:
    """What the severity means here; one without a meaning is P3, and a person is told."""
    word = context.alert.severity
    if not word:
        return str(Priority.P3)
    found = mapping.published(context.connection).value_in("priority", word)
    if found is None:
        unmapped.saw(source=context.origin, field="priority", value=word, at=context.at)
    return found or str(Priority.P3)


def _record(context: AlertContext, ticket: Ticket, kind: EventKind, words: Mapping[str, str] | None = None) -> None:
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
