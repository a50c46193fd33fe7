"""Reads the inbox, one row at a time; what cannot be read is parked for a person."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from connectors.engine import backoff, registry, texts
from connectors.engine.inbound import inbound_mail, intake_limits, records, refetch
from connectors.engine.inbound.alerts import calls
from connectors.engine.inbound.inbox import LeftAlone
from connectors.engine.leases import LEASE
from connectors.kit.contract import AlertConnector, MailConnector, TicketConnector
from connectors.kit.errors import ConnectorError, LockedOut, Missing, TryLater
from connectors.models import Connection, Inbound
from hub.core import clock, compiled, statements
from hub.core.jobs import Due
from hub.core.sentences import sentence
from hub.core.startup_errors import in_words
from hub.core.statements import Change
from hub.domain import messages

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 5


def due_mail(*, at: datetime, limit: int = 100) -> list[int]:
    """Primary keys of e-mails to read now; no more from one sender than its limit allows."""
    return intake_limits.in_turn(waiting_mail(at=at), at=at, limit=limit)


def due_hooks(*, at: datetime, limit: int = 100) -> list[int]:
    """Primary keys of other rows to read now; no more from one connection than its limit allows."""
    return intake_limits.in_turn(waiting_hooks(at=at), at=at, limit=limit)


def due_calls(*, at: datetime, without: Collection[int]) -> list[Due]:
    """Rows to read that are no e-mails, with the connections that are called, except some connections.

    Alerts of one connection are read by one worker at a time, because their order counts.
    """
    spent = intake_limits.begun_now()
    if without or any(intake_limits.left(source, spent) == 0 for source in spent):
        keys = intake_limits.in_turn(waiting_hooks(at=at).exclude(connection__in=without), at=at, limit=MOST_CALLS)
        order = {pk: place for place, pk in enumerate(keys)}
        rows = sorted(intake_limits.turns(Inbound.objects.filter(pk__in=keys), *_SYSTEM), key=lambda row: order[row[0]])
    else:
        rows = intake_limits.allowed(compiled.run(_first_calls), spent)
    calls = []
    for pk, _turn, system, _kind, _sender, slug, purpose in rows:
        if purpose == Connection.Purpose.ALERTS:
            calls.append(Due(pk, system, 1, "alerts"))
        else:
            calls.append(Due(pk, system, registry.calls_at_once(slug)))
    return calls


_SYSTEM = ("connection__connector", "connection__purpose")
MOST_CALLS = 100
"""The most rows that one sweep looks at."""


def _first_calls() -> QuerySet[Inbound, tuple[Any, ...]]:
    return intake_limits.turns(waiting_hooks(at=clock.system()), *_SYSTEM)[:MOST_CALLS]


def waiting_mail(*, at: datetime) -> QuerySet[Inbound]:
    """E-mails that are not read yet, whatever the limits say."""
    return _due(at).filter(kind=Inbound.Kind.MAIL)


def waiting_hooks(*, at: datetime) -> QuerySet[Inbound]:
    """Other rows that are not read yet, whatever the limits say."""
    return _due(at).exclude(kind=Inbound.Kind.MAIL)


def _due(at: datetime) -> QuerySet[Inbound]:
    return Inbound.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=at),
        Q(connection__resting_until__isnull=True) | Q(connection__resting_until__lte=at),
        state=Inbound.State.NEW,
        next_attempt_at__lte=at,
        connection__state=Connection.State.ACTIVE,
    )


def read(*, inbound_id: int) -> bool:
    """Read one row, or all that wait if their order counts, as with alerts; False if another worker does it."""
    row = _row.one(inbound_id)
    if row.connection.purpose == Connection.Purpose.ALERTS:
        return _read_in_order(row.connection)
    return _read(row)


@statements.select
def _row(inbound_id: int) -> QuerySet[Inbound]:
    rows = Inbound.objects.select_related("connection__organisation", "connection__service", "connection__profile")
    return rows.filter(pk=inbound_id)


MOST_IN_ORDER = 200


def _read_in_order(connection: Connection) -> bool:
    """Read the alerts of a connection one after the other: a recovery that is read before its alert would be lost."""
    at = timezone.now()
    until = at + LEASE
    claimed = Connection.objects.filter(
        Q(reading_until__isnull=True) | Q(reading_until__lte=at), pk=connection.pk
    ).update(reading_until=until)
    if not claimed:
        return False
    try:
        waiting = Inbound.objects.filter(connection=connection, state=Inbound.State.NEW).order_by("pk")
        source = intake_limits.Source(connection.pk, Inbound.Kind.HOOK, "")
        allowed = intake_limits.left(source, intake_limits.begun(at=at))
        for pk in waiting.values_list("pk", flat=True)[: min(MOST_IN_ORDER, allowed or 0)]:
            _read(_row.one(pk))
    finally:
        Connection.objects.filter(pk=connection.pk, reading_until=until).update(reading_until=None)
    return True


def _read(row: Inbound) -> bool:
    at = timezone.now()
    if not _claimed(row.pk, row.attempts, at, at + LEASE):
        return False
    row.attempts += 1
    alike = _calls_about_the_same(row)
    if row.attempts > MOST_ATTEMPTS and not row.error:
        # The worker died each time while it read this row, so it is parked and nothing else waits for it.
        _end(
            row,
            Inbound.State.PARKED,
            sentence("Reading was started %(count)s times and never finished.", count=MOST_ATTEMPTS),
        )
        return True
    try:
        found = _understood(row)
    except TryLater as error:
        _postpone(row, error)
    except LockedOut as error:
        backoff.lock_out(row.connection, str(error))
        Inbound.objects.filter(pk=row.pk).update(lease_until=None, error=str(error))
    except Missing as error:
        # The record may have been deleted: it is requested again before it counts as gone.
        refetch.look_again(row.connection, [row.remote_key])
        _end(row, Inbound.State.IGNORED, str(error))
    except LeftAlone as error:
        _end(row, Inbound.State.IGNORED, str(error))
    except (ConnectorError, messages.NotSaid) as error:
        _end(row, Inbound.State.PARKED, str(error))
    except Exception as error:  # whatever it is, it may only stop this row
        log.exception("Inbound %s failed", row.pk)
        if row.attempts >= MOST_ATTEMPTS:
            _end(row, Inbound.State.PARKED, in_words(error))
        else:
            _postpone(row, TryLater(in_words(error)))
    else:
        _end(row, Inbound.State.DONE if found else Inbound.State.IGNORED, "", also=alike)
    return True


@statements.update
def _claimed(row_id: int, attempts: int, at: datetime, until: datetime) -> Change:
    """Lease a row. The number of attempts proves that nobody has claimed the row since it was loaded."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=at)
    rows = Inbound.objects.filter(free, pk=row_id, state=Inbound.State.NEW, attempts=attempts)
    return Change(rows, {"lease_until": until, "attempts": F("attempts") + 1, "begun_at": at})


def _calls_about_the_same(row: Inbound) -> list[int]:
    """Other calls about the record that wait by now: the record is fetched after them, and says what they announce."""
    if row.kind != Inbound.Kind.HOOK or not row.remote_key:
        return []
    return [pk for pk in _waiting_calls(row.connection_id, row.remote_key) if pk != row.pk]


@statements.select
def _waiting_calls(connection_id: int, remote_key: str) -> QuerySet[Inbound, int]:
    rows = Inbound.objects.filter(
        connection=connection_id, remote_key=remote_key, kind=Inbound.Kind.HOOK, state=Inbound.State.NEW
    )
    return rows.values_list("pk", flat=True)


def _understood(row: Inbound) -> object:
    """Read a row with the reader for its connection and kind; falsy if it concerns none of our tickets."""
    if row.connection.purpose == Connection.Purpose.ALERTS:
        with registry.ready(row.connection, AlertConnector) as tool:
            return calls.read(row, tool)
    if row.kind == Inbound.Kind.MAIL:
        with registry.ready(row.connection, MailConnector) as mailbox:
            return inbound_mail.read(row, mailbox)
    with registry.ready(row.connection, TicketConnector) as system:
        return records.read(row, system)


def _end(row: Inbound, state: Inbound.State, error: str, *, also: Collection[int] = ()) -> None:
    _ended(row.pk, state, texts.storable(error))
    if also:
        waiting = Inbound.objects.filter(pk__in=also, state=Inbound.State.NEW, lease_until=None)
        waiting.update(state=state, next_attempt_at=None, begun_at=timezone.now())


@statements.update
def _ended(row_id: int, state: Inbound.State, error: str) -> Change:
    rows = Inbound.objects.filter(pk=row_id)
    return Change(rows, {"state": state, "error": error, "next_attempt_at": None, "lease_until": None})


def _postpone(row: Inbound, error: TryLater) -> None:
    wait = timedelta(seconds=error.after) if error.after else backoff.probe(row.attempts)
    Inbound.objects.filter(pk=row.pk).update(
        next_attempt_at=timezone.now() + wait, lease_until=None, error=texts.storable(str(error))
    )
