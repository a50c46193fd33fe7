"""What an action sends to vendors waits until the action can no longer be undone, and is dropped if it is undone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from connectors.engine import outbox
from connectors.models import AlertState, Link, Outbound
from hub.core import wakeups
from hub.core.clock import now
from hub.core.sentences import sentence
from hub.domain import undo
from hub.domain.undo import CannotUndo, Closing
from hub.models import OPEN_STAGES, Leg, UndoWindow

DUE = AlertState.Acknowledgement.DUE


def _hold(windows: Sequence[str], until: datetime) -> None:
    rows = Outbound.objects.filter(undo_window__in=windows, state=Outbound.State.READY)
    rows.update(next_attempt_at=until)
    held = UndoWindow.objects.filter(public_id__in=windows)
    waiting = AlertState.objects.filter(acknowledgement=DUE, ticket__in=held.values("ticket"))
    waiting.filter(acknowledge_at__in=held.values("until_at")).update(acknowledge_at=until)


def _drop(window: UndoWindow, fresh: Sequence[Leg]) -> None:
    """Delete what waits to be sent, and the links of engagements that nobody has been told of."""
    rows = Outbound.objects.filter(undo_window=window.public_id)
    # An earlier change may have given way to this one; what it sends is decided later, and may be nothing.
    changes = rows.filter(kind=Outbound.Kind.FIELDS, state=Outbound.State.READY, intent_at=None)
    changes.exclude(link__leg__in=fresh).update(undo_window="")
    rows.filter(state__in=[Outbound.State.READY, Outbound.State.PARKED], intent_at=None).delete()
    links = Link.objects.filter(leg__in=fresh)
    if rows.exists() or Outbound.objects.filter(link__in=links).exists():
        raise CannotUndo(sentence("It is already being sent, so it can no longer be undone."))
    links.delete()
    waiting = AlertState.objects.filter(ticket=window.ticket_id, acknowledgement=DUE, acknowledge_at=window.until_at)
    waiting.update(acknowledgement="", acknowledge_at=None)


def _let_go(closing: Closing) -> None:
    rows = Outbound.objects.filter(undo_window=closing.window)
    at_once = {"next_attempt_at": timezone.now()} if closing.is_early else {}
    rows.filter(state=Outbound.State.READY).update(undo_window="", **at_once)
    rows.update(undo_window="")
    if closing.is_early:
        waiting = AlertState.objects.filter(ticket=closing.ticket, acknowledgement=DUE)
        waiting.filter(acknowledge_at=closing.until_at).update(acknowledge_at=timezone.now())
    legs = Leg.objects.filter(public_id__in=closing.offered, stage__in=OPEN_STAGES, link=None)
    for leg in legs.select_related("organisation", "ticket") if closing.offered else ():
        outbox.offer_without_a_system(leg, at=now(), occurred_at=closing.at)
    wakeups.wake()


undo.register(undo.Keeper(hold=_hold, drop=_drop, let_go=_let_go))
