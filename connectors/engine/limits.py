"""Keeps all our workers together within a vendor's rate limit and its limit of simultaneous requests.

The counters are rows, so that every process on every machine sees them. A request over the limit is not made: it
waits in its queue like anything else that has to be tried later.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from django.db import IntegrityError
from django.db.models import F, Sum

from connectors.kit.contract import Limits
from connectors.kit.errors import TryLater
from connectors.models import CallSlot, Connection, Usage
from hub.core.sentences import sentence

SLICES = 60
TURN_SECONDS = 60.0
"""After this time a slot is free again even if its process died; it is longer than any call."""
PATIENCE_SECONDS = 5.0
POLL_SHARE = 0.6
"""A poll uses only this part of our share, so that the rest is free for what people are waiting for."""


class RateLimiter:
    """Admits the calls of one connection; `share` is the part of our share that this work may use."""

    def __init__(self, connection: Connection, limits: Limits, *, share: float = 1.0) -> None:
        self.connection, self.limits = connection, limits
        ours = limits.share if connection.share is None else connection.share / 100
        self.most = max(1, int(limits.requests * ours * share))

    @contextmanager
    def slot(self, path: str) -> Iterator[None]:
        """A slot for one call; TryLater if a limit is reached."""
        self._count()
        if self.limits.threads is None:
            yield
            return
        taken = self._take(self.limits.endpoint(path)[:64])
        try:
            yield
        finally:
            CallSlot.objects.filter(pk=taken.pk, until=taken.until).update(until=0)

    def _count(self) -> None:
        length = self.limits.seconds / SLICES
        current = int(time.time() / length)
        rows = Usage.objects.filter(connection=self.connection)
        used = rows.filter(slice__gt=current - SLICES).aggregate(used=Sum("used"))["used"] or 0
        if used >= self.most:
            raise TryLater(
                sentence(
                    "Our share of the vendor's rate limit is used up: %(count)s requests within %(minutes)s minutes. "
                    "Requests resume automatically.",
                    count=used,
                    minutes=self.limits.seconds // 60,
                ),
                after=max(1.0, self._until_free(current, length)),
            )
        if not rows.filter(slice=current).update(used=F("used") + 1):
            try:
                Usage.objects.create(connection=self.connection, slice=current, used=1)
            except IntegrityError:
                rows.filter(slice=current).update(used=F("used") + 1)
            rows.filter(slice__lte=current - SLICES).delete()

    def _until_free(self, current: int, length: float) -> float:
        oldest = Usage.objects.filter(connection=self.connection, slice__gt=current - SLICES).order_by("slice").first()
        return (oldest.slice + SLICES - current) * length if oldest else length

    def _take(self, endpoint: str) -> CallSlot:
        """A free slot at the endpoint; waits up to `PATIENCE_SECONDS` for one."""
        pause = Event()
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            at = time.time()
            for number in range(self.limits.threads or 1):
                turn, _ = CallSlot.objects.get_or_create(connection=self.connection, endpoint=endpoint, number=number)
                until = at + TURN_SECONDS
                if CallSlot.objects.filter(pk=turn.pk, until__lte=at).update(until=until):
                    turn.until = until
                    return turn
            if time.monotonic() > end:
                raise TryLater(sentence("The vendor's limit of simultaneous requests is reached."), after=5)
            pause.wait(0.05)


def used(connection: Connection, limits: Limits) -> int:
    """How many requests we made within the last window of the limit."""
    current = int(time.time() / (limits.seconds / SLICES))
    rows = Usage.objects.filter(connection=connection, slice__gt=current - SLICES)
    return rows.aggregate(used=Sum("used"))["used"] or 0
