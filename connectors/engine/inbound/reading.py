"""Reads the inbox, one row at a time; what cannot be read is parked for a person."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from connectors.engine import backoff, registry, texts
from connectors.engine.inbound import inbound_mail, pacing, records, refetch
from connectors.engine.inbound.alerts import calls
from connectors.engine.inbound.inbox import LeftAlone
from connectors.engine.leases import LEASE
from connectors.kit.contract import AlertConnector, MailConnector, TicketConnector
from connectors.kit.errors import ConnectorError, LockedOut, Missing, TryLater
from connectors.models import Connection, Inbound
from hub.core.sentences import sentence
from hub.core.startup_errors import in_words
from hub.domain import messages

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 5


def due_mail(*, at: datetime, limit: int = 100) -> list[int]:
    """Primary keys of e-mails to read now; no more from one sender than its limit allows."""
    return pacing.in_turn(waiting_mail(at=at), at=at, limit=limit)


def due_hooks(*, at: datetime, limit: int = 100) -> list[int]:
    """Primary keys of other rows to read now; no more from one connection than its limit allows."""
    return pacing.in_turn(waiting_hooks(at=at), at=at, limit=limit)


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


def read(*, inbound_id: int) -> None:
    """Read one row; for a monitoring tool, all waiting rows in the order of arrival."""
    alerting = Connection.objects.filter(inbound=inbound_id, purpose=Connection.Purpose.ALERTS).first()
    if alerting is not None:
        _read_in_order(alerting)
    else:
        _read(inbound_id)


MOST_IN_ORDER = 200


def _read_in_order(connection: Connection) -> None:
    """Read the alerts of a connection one after the other: a recovery that is read before its alert would be lost."""
    at = timezone.now()
    until = at + LEASE
    claimed = Connection.objects.filter(
        Q(reading_until__isnull=True) | Q(reading_until__lte=at), pk=connection.pk
    ).update(reading_until=until)
    if not claimed:
        return
    try:
        waiting = Inbound.objects.filter(connection=connection, state=Inbound.State.NEW).order_by("pk")
        allowed = pacing.left(pacing.Source(connection.pk, Inbound.Kind.HOOK, ""), pacing.begun(at=at))
        for pk in waiting.values_list("pk", flat=True)[: min(MOST_IN_ORDER, allowed or 0)]:
            _read(pk)
    finally:
        Connection.objects.filter(pk=connection.pk, reading_until=until).update(reading_until=None)


def _read(inbound_id: int) -> None:
    at = timezone.now()
    claimed = Inbound.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=at), pk=inbound_id, state=Inbound.State.NEW
    ).update(lease_until=at + LEASE, attempts=F("attempts") + 1, begun_at=at)
    if not claimed:
        return
    row = Inbound.objects.select_related("connection__organisation", "connection__service").get(pk=inbound_id)
    if row.attempts > MOST_ATTEMPTS and not row.error:
        # The worker died each time while it read this row, so it is parked and nothing else waits for it.
        _end(
            row,
            Inbound.State.PARKED,
            sentence("Reading was started %(count)s times and never finished.", count=MOST_ATTEMPTS),
        )
        return
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
        _end(row, Inbound.State.DONE if found else Inbound.State.IGNORED, "")


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


def _end(row: Inbound, state: Inbound.State, error: str) -> None:
    Inbound.objects.filter(pk=row.pk).update(
        state=state, error=texts.storable(error), next_attempt_at=None, lease_until=None
    )


def _postpone(row: Inbound, error: TryLater) -> None:
    wait = timedelta(seconds=error.after) if error.after else backoff.probe(row.attempts)
    Inbound.objects.filter(pk=row.pk).update(
        next_attempt_at=timezone.now() + wait, lease_until=None, error=texts.storable(str(error))
    )
