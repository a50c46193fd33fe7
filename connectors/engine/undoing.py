"""What an action sends to vendors waits until the action can no longer be undone, and is dropped if it is undone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from connectors.engine import outbox
from connectors.models import AlertState, Link, Outbound
from hub.core import wakeups
from hub.core.clock import now
from hub.core.sentences import sentence
from hub.domain import signals, undo
from hub.domain.undo import CannotUndo, Closing
from hub.models import OPEN_STAGES, Event, EventKind, Leg, Ticket, UndoWindow

WAITING = (Outbound.State.READY, Outbound.State.PARKED)


def _acknowledgements(ticket: Ticket, until_at: datetime) -> QuerySet[AlertState]:
    """The acknowledgements of alerts that were queued by the action and have not been tried."""
    of_it = Q(ticket=ticket) | Q(ticket__merged_into=ticket)
    due = AlertState.Acknowledgement.DUE
    return AlertState.objects.filter(of_it, acknowledgement=due, acknowledge_at=until_at)


def _hold(windows: Sequence[UndoWindow], until: datetime) -> None:
    marks = [window.public_id for window in windows]
    rows = Outbound.objects.filter(undo_window__in=marks, state=Outbound.State.READY)
    rows.update(next_attempt_at=until)
    for window in windows:
        _acknowledgements(window.ticket, window.until_at).update(acknowledge_at=until)


def _drop(window: UndoWindow, fresh: Sequence[Leg]) -> None:
    """Delete what waits to be sent, and the links of engagements that nobody has been told of."""
    rows = Outbound.objects.filter(undo_window=window.public_id)
    # An earlier change may have given way to this one; what it sends is decided later, and may be nothing.
    changes = rows.filter(kind=Outbound.Kind.FIELDS, state=Outbound.State.READY, intent_at=None)
    changes.exclude(link__leg__in=fresh).update(undo_window="")
    # Locked first: a row that a sender takes meanwhile must not be deleted.
    waiting = rows.filter(state__in=WAITING, intent_at=None).select_for_update(of=("self",))
    Outbound.objects.filter(pk__in=[row.pk for row in waiting]).delete()
    links = Link.objects.filter(leg__in=fresh)
    if rows.exists() or Outbound.objects.filter(link__in=links).exists():
        raise CannotUndo(sentence("It is already being sent, so it can no longer be undone."))
    links.delete()
    _acknowledgements(window.ticket, window.until_at).update(acknowledgement="", acknowledge_at=None)


def _let_go(closing: Closing) -> None:
    rows = Outbound.objects.filter(undo_window=closing.window)
    at_once = {"next_attempt_at": timezone.now()} if closing.is_early else {}
    rows.filter(state=Outbound.State.READY).update(undo_window="", **at_once)
    rows.update(undo_window="")
    if closing.is_early:
        _acknowledgements(closing.ticket, closing.until_at).update(acknowledge_at=timezone.now())
    for event in closing.events:
        if event.kind == EventKind.LEG_OFFERED:
            _offer(event, closing)
        elif event.kind == EventKind.MESSAGE_ADDED:
            outbox.mail_message(event.payload["message"], event.payload["legs"], event)
    wakeups.wake()


def _offer(event: Event, closing: Closing) -> None:
    """Offer the ticket to an organisation without a system. If that fails, it is tried again like a failed receiver."""
    legs = Leg.objects.filter(public_id=event.payload["leg"], stage__in=OPEN_STAGES, link=None)
    leg = legs.select_related("organisation", "ticket").first()
    if leg is None or outbox.has_system(leg):
        return
    try:
        with transaction.atomic():
            outbox.offer_without_a_system(leg, at=now(), occurred_at=closing.at)
            for said in _said_meanwhile(leg):
                outbox.mail_message(said.payload["message"], [leg.public_id], said)
    except Exception as error:  # the window must close all the same
        signals.failed("outbox", event, error)


def _said_meanwhile(leg: Leg) -> list[Event]:
    """The messages to an engagement that were added before its offer was sent and can no longer be undone."""
    messages = leg.messages.filter(withdrawn_at=None).values_list("public_id", flat=True)
    events = Event.objects.filter(ticket=leg.ticket, kind=EventKind.MESSAGE_ADDED, payload__message__in=list(messages))
    windows = UndoWindow.objects.filter(ticket=leg.ticket).values_list("first_seq", "last_seq")
    held = [range(first, last + 1) for first, last in windows]
    return [event for event in events.order_by("seq") if not any(event.seq in each for each in held)]


undo.register(undo.Keeper(hold=_hold, drop=_drop, let_go=_let_go))
