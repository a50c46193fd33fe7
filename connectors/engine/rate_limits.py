"""Keeps all our workers together within a vendor's rate limit and its limit of simultaneous requests.

The counters are rows, so that every process on every machine sees them. A request over the limit is not made: it
waits in its queue like anything else that has to be tried later.

Three things keep the rows from being touched for every request. A process takes several requests off the rate limit at
once while much of it is left, and counts them down itself. The slot at an endpoint stays with the work on one record
until that work is done. And a worker passes up to half of an endpoint's slots on from record to record, for a few
seconds; the other half is always there for other processes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event

from django.db import DatabaseError, IntegrityError
from django.db.models import F, Q, QuerySet, Sum

from connectors.kit.contract import Limits
from connectors.kit.errors import TryLater
from connectors.models import CallSlot, Connection, Usage
from hub.core import sessions, statements
from hub.core.sentences import sentence
from hub.core.statements import Change

SLICES = 60
TURN_SECONDS = 60.0
"""After this time a slot is free again even if its process died; it is longer than any call."""
KEPT_SECONDS = 3.0
"""A slot is kept from one call to the next for this long, so that others get a turn soon."""
PATIENCE_SECONDS = 5.0
IDLE_SECONDS = 0.5
"""A slot that nobody in this process has used for this long is given back."""
POLL_SHARE = 0.6
"""A poll uses only this part of our share, so that the rest is free for what people are waiting for."""
RESERVED = 10
"""The most requests that a process takes off the rate limit at once."""


class _Reserved:
    """Requests that this process has counted already and not made yet, by name, for the current slice of time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.left: dict[str, tuple[int, int]] = {}

    def take(self, name: str, current: int) -> bool:
        with self.lock:
            at, left = self.left.get(name, (current, 0))
            if at != current or not left:
                return False
            self.left[name] = (current, left - 1)
            return True

    def add(self, name: str, current: int, count: int) -> None:
        with self.lock:
            at, left = self.left.get(name, (current, 0))
            self.left[name] = (current, count + (left if at == current else 0))


_reserved = _Reserved()
os.register_at_fork(after_in_child=_reserved.left.clear)  # what is reserved is the parent's


@dataclass(frozen=True)
class _Slot:
    """A slot that is taken: its number at the endpoint, until when, and when it was taken (Unix seconds)."""

    number: int
    until: float
    taken_at: float


class _Passed:
    """Slots that this process passes on from the work on one record to the next, by connection and endpoint."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.is_on = False
        self.slots: dict[tuple[int, str], list[tuple[_Slot, float]]] = {}

    def take(self, connection_id: int, endpoint: str) -> _Slot | None:
        with self.lock:
            slots = self.slots.get((connection_id, endpoint))
            return slots.pop()[0] if slots else None

    def put(self, connection_id: int, endpoint: str, slot: _Slot, *, most: int) -> bool:
        """Whether the slot is kept for the next record."""
        at = time.time()
        with self.lock:
            slots = self.slots.setdefault((connection_id, endpoint), [])
            if not self.is_on or len(slots) >= most or at - slot.taken_at > KEPT_SECONDS:
                return False
            slots.append((slot, at))
            return True

    def idle(self, *, since: float) -> list[tuple[int, str, _Slot]]:
        """Take out the slots that nobody has used since then."""
        with self.lock:
            found = [(*key, slot) for key, slots in self.slots.items() for slot, at in slots if at <= since]
            self.slots = {key: [each for each in slots if each[1] > since] for key, slots in self.slots.items()}
        return found


_passed = _Passed()
os.register_at_fork(after_in_child=lambda: _passed.slots.clear())  # what is taken is the parent's


@contextmanager
def passing_slots_on() -> Iterator[None]:
    """Let the worker pass slots on from record to record; it calls `give_back_idle` at least once a second."""
    _passed.is_on = True
    try:
        yield
    finally:
        _passed.is_on = False
        with suppress(DatabaseError):  # slots end by themselves
            give_back_idle(seconds=0)


def give_back_idle(*, seconds: float = IDLE_SECONDS) -> None:
    """Give back the slots that nobody in this process has used for this long."""
    for connection_id, endpoint, slot in _passed.idle(since=time.time() - seconds):
        rows = CallSlot.objects.filter(connection=connection_id, endpoint=endpoint, number=slot.number)
        rows.filter(until=slot.until).update(until=0)


class RateLimiter:
    """Admits the calls of one connection; `share` is the part of our share that this work may use."""

    def __init__(self, connection: Connection, limits: Limits, *, share: float = 1.0) -> None:
        self.connection, self.limits = connection, limits
        ours = limits.share if connection.share is None else connection.share / 100
        self.most = max(1, int(limits.requests * ours * share))
        self.reserve = f"{connection.public_id}:{self.most}"
        """Under which name requests are reserved: what another share was reserved for is not this work's."""
        self.kept: dict[str, _Slot] = {}
        """Slots that this work keeps between its calls, by endpoint."""
        self.is_keeping = False

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep the slots of calls made meanwhile until the end, or for `KEPT_SECONDS`."""
        self.is_keeping = True
        try:
            yield
        finally:
            self.is_keeping = False
            kept, self.kept = self.kept, {}
            most = (self.limits.threads or 0) // 2
            pk = self.connection.pk
            self._give_back({name: slot for name, slot in kept.items() if not _passed.put(pk, name, slot, most=most)})

    @contextmanager
    def slot(self, path: str) -> Iterator[None]:
        """A slot for one call; TryLater if a limit is reached."""
        self._count()
        if self.limits.threads is None:
            yield
            return
        endpoint = self.limits.endpoint(path)[:64]
        taken = self.kept.pop(endpoint, None)
        if taken is None and self.is_keeping:
            taken = _passed.take(self.connection.pk, endpoint)
        if taken is not None and time.time() - taken.taken_at > KEPT_SECONDS:
            self._give_back({endpoint: taken})
            taken = None
        taken = taken or self._take(endpoint)
        try:
            yield
        finally:
            if self.is_keeping and endpoint not in self.kept:
                self.kept[endpoint] = taken
            else:
                self._give_back({endpoint: taken})

    def _count(self) -> None:
        length = self.limits.seconds / SLICES
        current = int(time.time() / length)
        if _reserved.take(self.reserve, current):
            return
        used = _used.first(self.connection.pk, current - SLICES) or 0
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
        count = min(RESERVED, max(1, (self.most - used) // 100))
        if not _counted(self.connection.pk, current, count):
            try:
                Usage.objects.create(connection=self.connection, slice=current, used=count)
            except IntegrityError:
                _counted(self.connection.pk, current, count)
            Usage.objects.filter(connection=self.connection, slice__lte=current - SLICES).delete()
        _reserved.add(self.reserve, current, count - 1)

    def _until_free(self, current: int, length: float) -> float:
        oldest = Usage.objects.filter(connection=self.connection, slice__gt=current - SLICES).order_by("slice").first()
        return (oldest.slice + SLICES - current) * length if oldest else length

    def _take(self, endpoint: str) -> _Slot:
        """A free slot at the endpoint; waits up to `PATIENCE_SECONDS` for one."""
        pause = Event()
        end = time.monotonic() + PATIENCE_SECONDS
        numbers = range(self.limits.threads or 1)
        rows = CallSlot.objects.filter(connection=self.connection, endpoint=endpoint)
        while True:
            at = time.time()
            for number in numbers:
                if _taken(self.connection.pk, endpoint, number, at, at + TURN_SECONDS):
                    return _Slot(number, at + TURN_SECONDS, at)
            if missing := set(numbers) - set(rows.values_list("number", flat=True)):
                made = [CallSlot(connection=self.connection, endpoint=endpoint, number=number) for number in missing]
                CallSlot.objects.bulk_create(made, ignore_conflicts=True)
                continue
            self._give_back(self.kept)  # whoever waits holds nothing that others wait for
            self.kept = {}
            if time.monotonic() > end:
                raise TryLater(sentence("The vendor's limit of simultaneous requests is reached."), after=5)
            sessions.release()
            pause.wait(0.05)

    def _give_back(self, slots: Mapping[str, _Slot]) -> None:
        """Free slots by their endpoints, except those that have ended and may be somebody else's."""
        given = [(endpoint, slot.number, slot.until) for endpoint, slot in slots.items()]
        for at in range(0, len(given), _FREED):
            one, two, three = (given[at : at + _FREED] * _FREED)[:_FREED]
            _freed(self.connection.pk, *one, *two, *three)


def used(connection: Connection, limits: Limits) -> int:
    """How many requests we made within the last window of the limit."""
    current = int(time.time() / (limits.seconds / SLICES))
    return _used.first(connection.pk, current - SLICES) or 0


@statements.select
def _used(connection_id: int, after: int) -> QuerySet[Usage, int]:
    """How many requests were made in the slices of time after this one; no row if there were none."""
    rows = Usage.objects.filter(connection=connection_id, slice__gt=after).values("connection")
    return rows.annotate(sum=Sum("used")).values_list("sum", flat=True)


@statements.update
def _counted(connection_id: int, current: int, count: int) -> Change:
    return Change(Usage.objects.filter(connection=connection_id, slice=current), {"used": F("used") + count})


@statements.update
def _taken(connection_id: int, endpoint: str, number: int, at: float, until: float) -> Change:
    rows = CallSlot.objects.filter(connection=connection_id, endpoint=endpoint, number=number, until__lte=at)
    return Change(rows, {"until": until})


_FREED = 3
"""How many slots are freed with one statement: the work on one record seldom calls more endpoints."""


@statements.update
def _freed(
    connection_id: int,
    first_endpoint: str,
    first_number: int,
    first_until: float,
    second_endpoint: str,
    second_number: int,
    second_until: float,
    third_endpoint: str,
    third_number: int,
    third_until: float,
) -> Change:
    first = Q(endpoint=first_endpoint, number=first_number, until=first_until)
    second = Q(endpoint=second_endpoint, number=second_number, until=second_until)
    third = Q(endpoint=third_endpoint, number=third_number, until=third_until)
    return Change(CallSlot.objects.filter(first | second | third, connection=connection_id), {"until": 0.0})
