"""Acknowledges alerts in their monitoring tool when somebody works on them, if the connection is set to do so.

The rows are the queue: a worker sends an acknowledgement that is due, tries again while the tool does not answer, and
shows it to a person if the tool refuses it. Nothing else of the connection waits for it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.engine import backoff, registry, texts
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import AlertConnector
from connectors.kit.errors import ConnectorError, TryLater, Unclear
from connectors.models import AlertState, Connection
from hub.core import statements
from hub.core.jobs import Due
from hub.core.sentences import sentence
from hub.domain import holding
from hub.domain.signals import reacts_to
from hub.models import ActorKind, Event, EventKind, Phase, Ticket
from hub.models.event import undone_on

State = AlertState.Acknowledgement
AUTHOR = "Ticket Hub"
BEGUN = "begun"
"""The value of the setting `acknowledge` with which alerts are acknowledged."""
BEGINS = (
    EventKind.TICKET_ASSIGNED,
    EventKind.TICKET_MOVED,
    EventKind.STATUS_CHANGED,
    EventKind.LEG_OFFERED,
    EventKind.LEG_ACCEPTED,
    EventKind.LEG_STARTED,
)
"""Events that show that a person or a vendor works on a ticket; a comment alone does not."""
LEASE = timedelta(seconds=120)
MOST_ATTEMPTS = 8


PEOPLE = (ActorKind.PERSON, ActorKind.VENDOR)
OVER = (Phase.RESOLVED, Phase.CLOSED, Phase.CANCELLED)


@reacts_to(BEGINS, name="acknowledgements")
def somebody_began(event: Event) -> None:
    """Queue the acknowledgement of a ticket's active alerts when a person or a vendor starts to work on it."""
    if event.actor_kind in PEOPLE:
        _queue(event)


def fires_on_a_ticket_under_way(ticket: Ticket) -> None:
    """Queue the acknowledgement of an alert that becomes active on a ticket that somebody already works on."""
    events = Event.objects.filter(ticket=ticket).exclude(seq__in=undone_on(ticket))
    newest = events.filter(actor_kind__in=PEOPLE, kind__in=BEGINS).order_by("-pk").first()
    moves = events.filter(kind=EventKind.TICKET_MOVED)
    reopened = moves.filter(payload__before__in=OVER).exclude(payload__after__in=OVER).order_by("-pk").first()
    is_of_before = newest is not None and reopened is not None and newest.pk < reopened.pk
    if newest is not None and not is_of_before:
        _queue(newest)


def _queue(event: Event) -> None:
    """Make the acknowledgement of every active alert of the ticket due that was not acknowledged yet."""
    ticket = _with_survivor.one(event.ticket_id).goes_on_as
    if not ticket.is_open:
        return
    wanted = [row.pk for row in _unacknowledged(ticket.pk) if row.connection.settings.get("acknowledge") == BEGUN]
    if not wanted:
        return
    who = dict.fromkeys(part for part in (event.actor_name, str(event.actor_organisation or "")) if part)
    text = _("%(ticket)s: %(people)s is working on this.") % {"ticket": ticket.label, "people": ", ".join(who)}
    AlertState.objects.filter(pk__in=wanted).update(
        acknowledgement=State.DUE,
        acknowledge_at=holding.not_before(timezone.now()),
        acknowledge_attempts=0,
        acknowledge_said="",
        acknowledge_text=text[:255],
    )


@statements.select
def _with_survivor(ticket_id: int) -> QuerySet[Ticket]:
    return Ticket.objects.select_related("merged_into").filter(pk=ticket_id)


@statements.select
def _unacknowledged(ticket_id: int) -> QuerySet[AlertState]:
    of_it = Q(ticket=ticket_id) | Q(ticket__merged_into=ticket_id)
    return AlertState.objects.filter(of_it, is_firing=True, acknowledgement="").select_related("connection")


def due(*, at: datetime, limit: int = 50) -> list[int]:
    """Primary keys of alerts whose acknowledgement is to be sent now."""
    return list(waiting(at=at).order_by("acknowledge_at", "pk").values_list("pk", flat=True)[:limit])


def due_calls(*, at: datetime, without: Collection[int], limit: int = 100) -> list[Due]:
    """The same with the connections that are called, except some connections."""
    rows = waiting(at=at).exclude(connection__in=without).order_by("acknowledge_at", "pk")
    found = rows.values_list("pk", "connection", "connection__connector")[:limit]
    return [Due(pk, system, registry.calls_at_once(slug), lane="out", is_urgent=True) for pk, system, slug in found]


def waiting(*, at: datetime) -> QuerySet[AlertState]:
    """Alerts whose acknowledgement is to be sent now."""
    return AlertState.objects.filter(
        acknowledgement=State.DUE, acknowledge_at__lte=at, connection__state=Connection.State.ACTIVE
    )


def send(*, alert_id: int) -> None:
    """Send one acknowledgement and save the tool's answer."""
    at = timezone.now()
    rows = AlertState.objects.filter(pk=alert_id, acknowledgement=State.DUE)
    if not rows.filter(acknowledge_at__lte=at).update(acknowledge_at=at + LEASE):
        return
    rows = rows.filter(acknowledge_at=at + LEASE)  # not an alert that becomes active again meanwhile
    row = AlertState.objects.select_related("connection").get(pk=alert_id)
    try:
        with registry.ready(row.connection, AlertConnector) as connector:
            said = connector.acknowledge(row.key, author=AUTHOR, text=row.acknowledge_text)
    except (TryLater, Unclear) as error:
        _later(row, rows, error)
    except (ConnectorError, CannotUnseal, registry.UnknownConnector) as error:
        rows.update(acknowledgement=State.FAILED, acknowledge_at=None, acknowledge_said=texts.storable(str(error)))
    else:
        rows.update(acknowledgement=State.DONE, acknowledge_at=None, acknowledge_said=texts.storable(said))


def _later(row: AlertState, rows: QuerySet[AlertState], error: ConnectorError) -> None:
    attempts = row.acknowledge_attempts + 1
    if attempts >= MOST_ATTEMPTS:
        why = sentence("Failed after %(count)s attempts. %(error)s", count=attempts, error=str(error))
        rows.update(acknowledgement=State.FAILED, acknowledge_at=None, acknowledge_said=why)
        return
    rows.update(
        acknowledge_attempts=F("acknowledge_attempts") + 1,
        acknowledge_at=timezone.now() + backoff.rest(attempts),
        acknowledge_said=str(error),
    )


# -- what a person can do about failed ones: all of one connection at once, since they have one cause


@transaction.atomic
def retry(connection: Connection) -> None:
    """Send all failed acknowledgements of a connection again, except for alerts that have ended."""
    failed = AlertState.objects.filter(connection=connection, acknowledgement=State.FAILED)
    failed.filter(is_firing=False).update(acknowledgement="")
    failed.update(acknowledgement=State.DUE, acknowledge_at=timezone.now(), acknowledge_attempts=0)


def leave_out(connection: Connection) -> None:
    """Skip all failed acknowledgements of a connection."""
    AlertState.objects.filter(connection=connection, acknowledgement=State.FAILED).update(
        acknowledgement=State.LEFT_OUT
    )
