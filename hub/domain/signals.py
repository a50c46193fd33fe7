"""The one way up: something happened. Sent inside the transaction that records it.

Receivers write rows and never call the network. Each runs in its own savepoint: what fails becomes
a row that is tried again and that a person sees; the fact stands.
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
    """Connect a function to the events of these kinds; any other costs nothing. See `reacts` for its name."""
    return lambda receiver: reacts(receiver, name=name, kinds=frozenset(kinds))


def reacts(receiver: Receiver, *, name: str, kinds: Collection[str] = frozenset(EventKind)) -> Receiver:
    """Connect a function to recorded events, in a savepoint of its own.

    `name` is kept with what failed, so that it never changes: a row whose receiver is not known is never called again.
    Raises ValueError for a name that another function has.
    """
    if name in _receivers:
        raise ValueError(f"There is a receiver named “{name}” already.")
    _receivers[name] = receiver

    @wraps(receiver)
    def guarded(sender: Any, event: Event, **_: Any) -> None:
        if event.kind in kinds:
            _run(name, event)

    event_recorded.connect(guarded, weak=False, dispatch_uid=name)
    return receiver


def disconnect(name: str) -> None:
    """Forget a receiver: for tests that connect one of their own."""
    del _receivers[name]
    event_recorded.disconnect(dispatch_uid=name)


def _run(name: str, event: Event) -> bool:
    try:
        with transaction.atomic():
            _receivers[name](event)
    except Exception as error:  # a receiver's fault must not undo the fact
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
    """Whether a receiver that failed is due to be called again."""
    return FailedReceiver.objects.filter(next_attempt_at__lte=timezone.now()).exists()


def retry_failed_receivers(*, limit: int = 50) -> int:
    """Call the receivers that are due again; how many were called."""
    due = FailedReceiver.objects.filter(next_attempt_at__lte=timezone.now()).order_by("next_attempt_at", "pk")[:limit]
    return sum(_retry(pk) for pk in due.values_list("pk", flat=True))


def retry_failed_receiver(failed: FailedReceiver) -> None:
    """A person wants it tried again: it is due now."""
    FailedReceiver.objects.filter(pk=failed.pk, done_at=None).update(next_attempt_at=timezone.now())


def _retry(pk: int) -> bool:
    """Call one receiver that is due, if nobody else does; the claim ends by itself, as of a process that is killed."""
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
