"""The one way up: something happened. Sent inside the transaction that records it.

Receivers write rows and never call the network. Each runs in its own savepoint: what fails becomes
a Reaction that a sweep tries again and a person sees; the fact stands.
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

from hub.complaints import in_words
from hub.models import Event, EventKind, Reaction

log = logging.getLogger(__name__)

event_recorded = Signal()
LEASE = timedelta(minutes=2)

Receiver = Callable[[Event], None]
_receivers: dict[str, Receiver] = {}


def reacts_to(kinds: Collection[str]) -> Callable[[Receiver], Receiver]:
    """Connect a function to the events of these kinds; any other costs nothing."""
    return lambda receiver: reacts(receiver, kinds=frozenset(kinds))


def reacts(receiver: Receiver, *, kinds: Collection[str] = frozenset(EventKind)) -> Receiver:
    """Connect a function to recorded events, in a savepoint of its own."""
    name = f"{receiver.__module__}.{receiver.__qualname__}"
    _receivers[name] = receiver

    @wraps(receiver)
    def guarded(sender: Any, event: Event, **_: Any) -> None:
        if event.kind in kinds:
            _run(name, event)

    event_recorded.connect(guarded, weak=False, dispatch_uid=name)
    return receiver


def _run(name: str, event: Event) -> bool:
    try:
        with transaction.atomic():
            _receivers[name](event)
    except Exception as error:  # a receiver's fault must not undo the fact
        log.exception("Reaction %s failed on event %s", name, event.pk)
        _remember(name, event, error)
        return False
    return True


def _remember(name: str, event: Event, error: Exception) -> None:
    at = timezone.now()
    reaction, is_new = Reaction.objects.get_or_create(
        event=event,
        receiver=name,
        defaults={"error": in_words(error), "failed_at": at, "next_attempt_at": at + timedelta(minutes=1)},
    )
    if not is_new:
        wait = timedelta(minutes=2 ** min(reaction.attempts + 1, 8))
        Reaction.objects.filter(pk=reaction.pk).update(
            attempts=F("attempts") + 1, error=in_words(error), next_attempt_at=at + wait
        )


def due_reactions() -> bool:
    """Whether a reaction waits to be tried again."""
    return Reaction.objects.filter(next_attempt_at__lte=timezone.now()).exists()


def retry_reactions(*, limit: int = 50) -> int:
    """Run the reactions that are due again; how many were tried."""
    due = Reaction.objects.filter(next_attempt_at__lte=timezone.now()).order_by("next_attempt_at", "pk")[:limit]
    return sum(_retry(pk) for pk in due.values_list("pk", flat=True))


def retry_reaction(reaction: Reaction) -> None:
    """A person wants it tried again: it is due now."""
    Reaction.objects.filter(pk=reaction.pk, done_at=None).update(next_attempt_at=timezone.now())


def _retry(pk: int) -> bool:
    """Run one reaction that is due, if nobody else does; the claim ends by itself, as of a process that is killed."""
    at = timezone.now()
    claimed = Reaction.objects.filter(pk=pk, done_at=None, next_attempt_at__lte=at).update(next_attempt_at=at + LEASE)
    if not claimed:
        return False
    reaction = Reaction.objects.select_related("event").get(pk=pk)
    if reaction.receiver not in _receivers:
        return False
    with transaction.atomic():
        if _run(reaction.receiver, reaction.event):
            Reaction.objects.filter(pk=pk).update(done_at=timezone.now(), next_attempt_at=None)
    return True
