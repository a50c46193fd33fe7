"""Telling a monitoring tool that somebody works on its alert, where the connection is set to do so.

The rows are the queue: an alert whose acknowledgement is due is told by a worker, tried again while the tool does not
answer, and shown to a person where the tool says no. Nothing else of the connection waits for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from connectors.engine import backoff, registry, texts
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import AlertConnector
from connectors.kit.errors import ConnectorError, TryLater, Unclear
from connectors.models import AlertState, Connection
from hub.core.sentences import sentence
from hub.domain.signals import reacts_to
from hub.models import ActorKind, Event, EventKind, Phase, Ticket

State = AlertState.Acknowledgement
AUTHOR = "Ticket Hub"
BEGUN = "begun"
"""What the setting says where the tool is told."""
BEGINS = (
    EventKind.TICKET_ASSIGNED,
    EventKind.TICKET_MOVED,
    EventKind.STATUS_CHANGED,
    EventKind.LEG_OFFERED,
    EventKind.LEG_ACCEPTED,
    EventKind.LEG_STARTED,
)
"""What a person or a vendor does that shows that somebody takes care; a comment alone does not."""
LEASE = timedelta(seconds=120)
MOST_ATTEMPTS = 8


PEOPLE = (ActorKind.PERSON, ActorKind.VENDOR)
OVER = (Phase.RESOLVED, Phase.CLOSED, Phase.CANCELLED)


@reacts_to(BEGINS, name="acknowledgements")
def somebody_began(event: Event) -> None:
    """Somebody begins to work on a ticket: its alerts that fire are acknowledged at their tools."""
    if event.actor_kind in PEOPLE:
        _queue(event)


def fires_on_a_ticket_under_way(ticket: Ticket) -> None:
    """An alert that begins to fire on a ticket that somebody works on already is acknowledged, too."""
    newest = Event.objects.filter(ticket=ticket, actor_kind__in=PEOPLE, kind__in=BEGINS).order_by("-pk").first()
    moves = Event.objects.filter(ticket=ticket, kind=EventKind.TICKET_MOVED)
    reopened = moves.filter(payload__before__in=OVER).exclude(payload__after__in=OVER).order_by("-pk").first()
    is_of_before = newest is not None and reopened is not None and newest.pk < reopened.pk
    if newest is not None and not is_of_before:
        _queue(newest)


def _queue(event: Event) -> None:
    """Make the acknowledgement due of every alert of the ticket that fires and was not acknowledged yet."""
    ticket = Ticket.objects.get(pk=event.ticket_id).goes_on_as
    if not ticket.is_open:
        return
    of_it = Q(ticket=ticket) | Q(ticket__merged_into=ticket)
    rows = AlertState.objects.filter(of_it, is_firing=True, acknowledgement="").select_related("connection")
    wanted = [row.pk for row in rows if row.connection.settings.get("acknowledge") == BEGUN]
    who = dict.fromkeys(part for part in (event.actor_name, str(event.actor_organisation or "")) if part)
    AlertState.objects.filter(pk__in=wanted).update(
        acknowledgement=State.DUE,
        acknowledge_at=timezone.now(),
        acknowledge_attempts=0,
        acknowledge_said="",
        acknowledge_text=f"{ticket.label}: {', '.join(who)} works on it."[:255],
    )


def due(*, at: datetime, limit: int = 50) -> list[int]:
    rows = AlertState.objects.filter(
        acknowledgement=State.DUE, acknowledge_at__lte=at, connection__state=Connection.State.ACTIVE
    )
    return list(rows.order_by("acknowledge_at", "pk").values_list("pk", flat=True)[:limit])


def send(*, alert_id: int) -> None:
    """Tell the tool, once; what it answered is kept."""
    at = timezone.now()
    rows = AlertState.objects.filter(pk=alert_id, acknowledgement=State.DUE)
    if not rows.filter(acknowledge_at__lte=at).update(acknowledge_at=at + LEASE):
        return
    rows = rows.filter(acknowledge_at=at + LEASE)  # an alert that fires anew meanwhile is not answered by this
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
        why = sentence("Tried %(count)s times. %(error)s", count=attempts, error=str(error))
        rows.update(acknowledgement=State.FAILED, acknowledge_at=None, acknowledge_said=why)
        return
    rows.update(
        acknowledge_attempts=F("acknowledge_attempts") + 1,
        acknowledge_at=timezone.now() + backoff.rest(attempts),
        acknowledge_said=str(error),
    )


# -- what a person does about those that failed: all of one connection at once, for they have one cause


@transaction.atomic
def retry(connection: Connection) -> None:
    failed = AlertState.objects.filter(connection=connection, acknowledgement=State.FAILED)
    failed.filter(is_firing=False).update(acknowledgement="")
    failed.update(acknowledgement=State.DUE, acknowledge_at=timezone.now(), acknowledge_attempts=0)


def leave_out(connection: Connection) -> None:
    AlertState.objects.filter(connection=connection, acknowledgement=State.FAILED).update(
        acknowledgement=State.LEFT_OUT
    )
