"""How well a connection goes: resting after failures, locked out, recovered."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from connectors.models import Connection

LONGEST_REST = timedelta(minutes=30)
LONGEST_SILENCE = timedelta(seconds=60)
"""A vendor that does not answer is asked again at least so often: when it is back, nothing waits longer."""


def rest(failures: int) -> timedelta:
    """1, 2, 4 … minutes after one, two, three failures in a row.

    >>> rest(1), rest(3)
    (datetime.timedelta(seconds=60), datetime.timedelta(seconds=240))
    """
    return min(timedelta(minutes=2 ** max(failures - 1, 0)), LONGEST_REST)


def probe(failures: int) -> timedelta:
    """How long to leave a vendor alone that did not answer: 15, 30, 60, 60 … seconds.

    >>> probe(1), probe(9)
    (datetime.timedelta(seconds=15), datetime.timedelta(seconds=60))
    """
    return min(timedelta(seconds=15 * 2 ** min(max(failures - 1, 0), 8)), LONGEST_SILENCE)


def pause(connection: Connection, until: datetime, why: str) -> None:
    Connection.objects.filter(pk=connection.pk).update(failures=F("failures") + 1, resting_until=until, last_error=why)


def recovered(connection: Connection) -> None:
    rows = Connection.objects.filter(pk=connection.pk)
    rows.update(last_out_at=timezone.now())
    rows.filter(state=Connection.State.ACTIVE).update(failures=0, resting_until=None, last_error="")


def lock_out(connection: Connection, why: str) -> None:
    Connection.objects.filter(pk=connection.pk).update(
        state=Connection.State.LOCKED_OUT, last_error=why, locked_at=timezone.now()
    )
