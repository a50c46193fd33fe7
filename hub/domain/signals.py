"""The receivers of recorded events, by which lower packages reach higher ones; called in the recording transaction.

Receivers write rows and never use the network. All receivers of one event share a savepoint. If one fails, what they
wrote is undone and the others run again, each in a savepoint of its own. The failure is stored, retried and shown to a
person; the others' work counts, and the event stays recorded (docs/decisions/0037).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from hub.core import wakeups
from hub.core.clock import system
from hub.core.startup_errors import in_words
from hub.models import Event, EventKind, FailedReceiver, Ticket, UndoWindow

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)

Receiver = Callable[[Event], None]


@dataclass(frozen=True)
class _Connected:
    receiver: Receiver
    kinds: frozenset[str]


_receivers: dict[str, _Connected] = {}


def reacts_to(kinds: Collection[str], *, name: str) -> Callable[[Receiver], Receiver]:
    """Connect the decorated function to events of these kinds. See `reacts` for the name."""
    return lambda receiver: reacts(receiver, name=name, kinds=frozenset(kinds))


def reacts(receiver: Receiver, *, name: str, kinds: Collection[str] = frozenset(EventKind)) -> Receiver:
    """Connect a function to recorded events; if another receiver fails, it is called twice for one event.

    `name` is stored with failures and must never change: a row whose receiver is unknown is never retried. Raises
    ValueError if the name is already in use.
    """
    if name in _receivers:
        raise ValueError(f"A receiver named “{name}” already exists.")
    _receivers[name] = _Connected(receiver, frozenset(kinds))
    return receiver


def disconnect(name: str) -> None:
    """Disconnect a receiver: for tests that connect their own."""
    del _receivers[name]


def announce(event: Event) -> None:
    """Call the receivers of an event that was just recorded, in the order in which they were connected."""
    names = [name for name, each in _receivers.items() if event.kind in each.kinds]
    if len(names) > 1:
        names = _left_after_running_together(names, event)
    for name in names:
        _run(name, event)
    wakeups.wake()  # what the receivers queued can be done as soon as it is committed


def _left_after_running_together(names: Sequence[str], event: Event) -> list[str]:
    """The receivers that still have to run, each by itself; none if all succeeded in one savepoint.

    A receiver that failed by an error of its own has had its try. One that failed in the database may have suffered
    from what another one did before it, and gets a try of its own.
    """
    name = names[0]
    try:
        with transaction.atomic():
            for name in names:
                _receivers[name].receiver(event)
    except DatabaseError:
        return list(names)
    except Exception as error:
        failed(name, event, error)
        return [other for other in names if other != name]
    return []


def _run(name: str, event: Event) -> bool:
    try:
        with transaction.atomic():
            _receivers[name].receiver(event)
    except Exception as error:  # a failing receiver must not undo the event
        failed(name, event, error)
        return False
    return True


def failed(name: str, event: Event, error: Exception) -> None:
    """Remember that a receiver failed on an event, so that it is called again and a person sees why."""
    log.error("Receiver %s failed on event %s", name, event.pk, exc_info=error)
    _remember(name, event, error)


def _remember(name: str, event: Event, error: Exception) -> None:
    at = timezone.now()
    row, is_new = FailedReceiver.objects.get_or_create(
        event=event,
        receiver=name,
        defaults={"error": in_words(error), "failed_at": at, "next_attempt_at": at + timedelta(minutes=1)},
    )
    if not is_new:
        wait = timedelta(minutes=2 ** min(row.attempts + 1, 8))
        FailedReceiver.objects.filter(pk=row.pk).update(
            attempts=F("attempts") + 1, error=in_words(error), next_attempt_at=at + wait
        )


def waiting() -> QuerySet[FailedReceiver]:
    """Failed receivers that are due for a retry."""
    return FailedReceiver.objects.filter(next_attempt_at__lte=system())


def retry_failed_receivers(*, limit: int = 50) -> int:
    """Call failed receivers that are due, at most `limit`. Returns how many were called."""
    due = waiting().order_by("next_attempt_at", "pk").values_list("pk", flat=True)[:limit]
    return sum(_retry(pk) for pk in due)


def retry_failed_receiver(failed: FailedReceiver) -> None:
    """Make the receiver due now, as requested by a person."""
    FailedReceiver.objects.filter(pk=failed.pk, done_at=None).update(next_attempt_at=timezone.now())


def _retry(pk: int) -> bool:
    """Call one due receiver unless another process has claimed it. The claim expires after LEASE."""
    at = timezone.now()
    claimed = FailedReceiver.objects.filter(pk=pk, done_at=None, next_attempt_at__lte=at).update(
        next_attempt_at=at + LEASE
    )
    if not claimed:
        return False
    row = FailedReceiver.objects.select_related("event").get(pk=pk)
    if row.receiver not in _receivers:
        return False
    with transaction.atomic():
        Ticket.objects.select_for_update().get(pk=row.event.ticket_id)  # so that nobody undoes the event meanwhile
        if not FailedReceiver.objects.filter(pk=pk, done_at=None).exists():
            return False
        if _can_be_undone(row.event):
            FailedReceiver.objects.filter(pk=pk).update(next_attempt_at=timezone.now() + LEASE)
            return False
        if _run(row.receiver, row.event):
            FailedReceiver.objects.filter(pk=pk).update(done_at=timezone.now(), next_attempt_at=None)
    return True


def _can_be_undone(event: Event) -> bool:
    windows = UndoWindow.objects.filter(ticket=event.ticket_id)
    return windows.filter(first_seq__lte=event.seq, last_seq__gte=event.seq).exists()
