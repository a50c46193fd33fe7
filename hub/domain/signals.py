"""The signal of recorded events, by which lower packages reach higher ones. Sent in the recording transaction.

Receivers write rows and never use the network. Each runs in its own savepoint: a failure is stored, retried and shown
to a person, and the event stays recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import transaction
from django.db.models import F
from django.dispatch import Signal
from django.utils import timezone

from hub.core.startup_errors import in_words
from hub.models import Event, EventKind, FailedReceiver

log = logging.getLogger(__name__)

event_recorded = Signal()
LEASE = timedelta(minutes=2)

Receiver = Callable[[Event], None]
_receivers: dict[str, Receiver] = {}


def reacts_to(kinds: Collection[str], *, name: str) -> Callable[[Receiver], Receiver]:
    """Connect the decorated function to events of these kinds. See `reacts` for the name."""
    return lambda receiver: reacts(receiver, name=name, kinds=frozenset(kinds))


def reacts(receiver: Receiver, *, name: str, kinds: Collection[str] = frozenset(EventKind)) -> Receiver:
    """Connect a function to recorded events; it is called in its own savepoint.

    `name` is stored with failures and must never change: a row whose receiver is unknown is never retried. Raises
    ValueError if the name is already in use.
    """
    if name in _receivers:
        raise ValueError(f"A receiver named “{name}” already exists.")
    _receivers[name] = receiver

    @wraps(receiver)
    def guarded(sender: Any, event: Event, **_: Any) -> None:
        if event.kind in kinds:
            _run(name, event)

    event_recorded.connect(guarded, weak=False, dispatch_uid=name)
    return receiver


def disconnect(name: str) -> None:
    """Disconnect a receiver: for tests that connect their own."""
    del _receivers[name]
    event_recorded.disconnect(dispatch_uid=name)


def _run(name: str, event: Event) -> bool:
    try:
        with transaction.atomic():
            _receivers[name](event)
    except Exception as error:  # a failing receiver must not undo the event
        log.exception("Receiver %s failed on event %s", name, event.pk)
        _remember(name, event, error)
        return False
    return True


def _remember(name: str, event: Event, error: Exception) -> None:
    at = timezone.now()
    failed, is_new = FailedReceiver.objects.get_or_create(
        event=event,
        receiver=name,
        defaults={"error": in_words(error), "failed_at": at, "next_attempt_at": at + timedelta(minutes=1)},
    )
    if not is_new:
        wait = timedelta(minutes=2 ** min(failed.attempts + 1, 8))
        FailedReceiver.objects.filter(pk=failed.pk).update(
            attempts=F("attempts") + 1, error=in_words(error), next_attempt_at=at + wait
        )


def failed_receivers_due() -> bool:
    """Whether a failed receiver is due for a retry."""
    return FailedReceiver.objects.filter(next_attempt_at__lte=timezone.now()).exists()


def retry_failed_receivers(*, limit: int = 50) -> int:
    """Call failed receivers that are due, at most `limit`. Returns how many were called."""
    due = FailedReceiver.objects.filter(next_attempt_at__lte=timezone.now()).order_by("next_attempt_at", "pk")[:limit]
    return sum(_retry(pk) for pk in due.values_list("pk", flat=True))


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
    failed = FailedReceiver.objects.select_related("event").get(pk=pk)
    if failed.receiver not in _receivers:
        return False
    with transaction.atomic():
        if _run(failed.receiver, failed.event):
            FailedReceiver.objects.filter(pk=pk).update(done_at=timezone.now(), next_attempt_at=None)
    return True
