"""Makes one alert part of a ticket: a repeat changes nothing, and an end is an event.

Each alert is processed under the lock of its connection, so that two simultaneous calls open only one ticket.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.engine import texts
from connectors.engine.inbound import alert_acknowledgements
from connectors.engine.inbound.alerts import storms
from connectors.engine.inbound.alerts.context import AlertContext, Terms, open_ticket, priority, record
from connectors.kit.contract import Alert
from connectors.models import AlertState, AlertStorm, Connection
from hub.domain import tickets
from hub.models import OPEN_STAGES, ActorKind, Event, EventKind, Leg, Phase, Relation, Ticket
from hub.models.event import undone_on
from workflows.handoffs import comments
from workflows.rules import execution

TWICE = timedelta(hours=1)
"""The distance between the two readings of a local time that occurs twice when daylight saving time ends."""
LONGEST_SAID = 2000


@transaction.atomic
def fold(*, connection: Connection, alert: Alert, terms: Terms, at: datetime) -> Ticket | None:
    """Process one alert; returns the ticket it is part of, or None for the end of an alert that never began."""
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
        return state.ticket.goes_on_as  # a late report: it began before it last ended
    return _began(context, state)


def _when(alert: Alert, state: AlertState | None, at: datetime) -> datetime | None:
    """Of two readings of a local time, the one that fits: close to now, or after the alert last changed."""
    if alert.at is None or alert.or_at is None:
        return alert.at
    is_just_now = abs(at - alert.or_at) < TWICE / 2
    is_after = state is not None and alert.at < state.changed_at <= alert.or_at
    return alert.or_at if is_just_now or is_after else alert.at


def _hear_person(context: AlertContext, ticket: Ticket) -> None:
    """Record what a person wrote in the tool, for example with an acknowledgement, once and for our people only."""
    alert = context.alert
    told = ": ".join(part for part in (alert.author, alert.said) if part)[:255]
    rows = AlertState.objects.filter(connection=context.connection, key=alert.key)
    if alert.said and rows.exclude(acknowledge_text=alert.said).exclude(said=told).update(said=told):
        words = {"author": texts.storable(alert.author)[:150], "said": texts.storable(alert.said)[:LONGEST_SAID]}
        record(context, ticket, EventKind.ALERT_ACKNOWLEDGED, words)


def _repeated(context: AlertContext, state: AlertState) -> Ticket:
    """Process a repeat of an active alert: an event if its severity or text changed, or if its ticket has ended."""
    ticket = state.ticket.goes_on_as
    if not ticket.is_open:
        return _began(context, state)  # the ticket was ended although the alert is still active
    AlertState.objects.filter(pk=state.pk).update(count=state.count + 1, **_told(context))
    if (state.severity, state.text) == (context.alert.severity[:64], context.alert.text):
        return ticket
    record(context, ticket, EventKind.ALERT_FIRED)
    if context.alert.severity[:64] != state.severity:
        _raise(context, Ticket.objects.get(pk=ticket.pk))
    return ticket


def _told(context: AlertContext) -> dict[str, object]:
    """The columns of an active alert, as last received."""
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
    """Raise the priority for a higher severity. It is never lowered, and a priority set by a person is kept."""
    wanted = priority(context)
    if not context.alert.severity or wanted >= ticket.priority:
        return
    why = _("the alert is now %(severity)s") % {"severity": context.alert.severity[:64]}
    if not ticket.is_priority_set:
        tickets.set_priority(
            ticket=ticket, priority=wanted, reason=why, actor=context.actor, at=context.at, origin=context.origin
        )
        return
    said = _("The priority would now be %(wanted)s: %(reason)s. It was set manually, so it stays %(priority)s.") % {
        "wanted": wanted,
        "reason": why,
        "priority": ticket.priority,
    }
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
    record(context, ticket, EventKind.ALERT_FIRED)
    if not (is_made or was_over):
        alert_acknowledgements.fires_on_a_ticket_under_way(ticket)
    return ticket


def _ticket(context: AlertContext, state: AlertState | None) -> tuple[Ticket, bool]:
    """The ticket that the alert is part of from now on, and whether it was opened for this alert alone."""
    before = state.ticket.goes_on_as if state is not None else None
    if before is not None and before.is_open:
        return before, False
    if before is not None and before.phase == Phase.RESOLVED:
        return execution.bring(
            ticket=before,
            name="reopen",
            reason=_("the alert is active again"),
            actor=context.actor,
            at=context.at,
            origin=context.origin,
        ), False
    storm = storms.current(context)
    if storm is not None:
        AlertStorm.objects.filter(pk=storm.pk).update(last_at=timezone.now(), count=storm.count + 1)
        return storm.parent.goes_on_as, False
    made = open_ticket(context, title=context.alert.title, text=_text(context.alert), priority=priority(context))
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


def _text(alert: Alert) -> str:
    written = _("Time at the monitoring tool: %(time)s") % {"time": alert.written_at} if alert.written_at else ""
    return "\n\n".join(part for part in (alert.text, written, alert.url) if part)


def _ended(context: AlertContext, state: AlertState) -> Ticket:
    ticket = state.ticket.goes_on_as
    if not state.is_firing:
        return ticket
    if context.alert.at is not None and context.alert.at < state.changed_at:
        return ticket  # a late report: it ended before it last began
    AlertState.objects.filter(pk=state.pk).update(
        is_firing=False,
        changed_at=context.happened_at,
        last_at=context.at,
        silent_from=None,
        is_silent=False,
        acknowledgement="",
        acknowledge_at=None,
    )
    record(context, ticket, EventKind.ALERT_RECOVERED)
    of_it = Q(ticket=ticket) | Q(ticket__merged_into=ticket)
    still = AlertState.objects.filter(of_it, is_firing=True).exists()
    fresh = Ticket.objects.get(pk=ticket.pk)
    if context.terms.resolves and not still and fresh.is_open and not _has_begun(fresh):
        execution.bring(
            ticket=fresh,
            name="resolve",
            reason=_("all its alerts have recovered"),
            actor=context.actor,
            at=context.at,
            origin=context.origin,
        )
    return ticket


def _has_begun(ticket: Ticket) -> bool:
    """Whether a person or a vendor has started to work on the ticket; alerts themselves change its phase, too."""
    people = (ActorKind.PERSON, ActorKind.VENDOR)
    is_engaged = Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).exclude(organisation__is_us=True).exists()
    work = Event.objects.filter(ticket=ticket, actor_kind__in=people, kind__in=WORK)
    return is_engaged or work.exclude(seq__in=undone_on(ticket)).exists()


WORK = (
    EventKind.TICKET_MOVED,
    EventKind.STATUS_CHANGED,
    EventKind.TICKET_ASSIGNED,
    EventKind.MESSAGE_ADDED,
    EventKind.LEG_OFFERED,
)
"""Events that show that somebody works on a ticket; merging or relating tickets does not."""
