"""The condition of a connection: how long it rests after failures, and when it is locked out or has recovered."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from connectors.models import Connection

LONGEST_REST = timedelta(minutes=30)
LONGEST_SILENCE = timedelta(seconds=60)
"""The longest wait before a vendor that does not answer is tried again."""


def rest(failures: int) -> timedelta:
    """How long to wait after that many failures in a row: 1, 2, 4 … minutes, at most 30.

    >>> rest(1), rest(3)
    (datetime.timedelta(seconds=60), datetime.timedelta(seconds=240))
    """
    return min(timedelta(minutes=2 ** max(failures - 1, 0)), LONGEST_REST)


NOTED_EVERY = timedelta(seconds=5)
"""How often a success is noted while there are only successes."""


def probe(failures: int) -> timedelta:
    """How long to wait after that many attempts without an answer: 15, 30, 60, 60 … seconds.

    >>> probe(1), probe(9)
    (datetime.timedelta(seconds=15), datetime.timedelta(seconds=60))
    """
    return min(timedelta(seconds=15 * 2 ** min(max(failures - 1, 0), 8)), LONGEST_SILENCE)


def pause(connection: Connection, until: datetime, why: str) -> None:
    """Let the connection rest until then, because of one more failure."""
    Connection.objects.filter(pk=connection.pk).update(failures=F("failures") + 1, resting_until=until, last_error=why)


def recovered(connection: Connection) -> None:
    """Note that something was sent successfully, which ends the rest; at most every few seconds."""
    rows, at = Connection.objects.filter(pk=connection.pk), timezone.now()
    noted = connection.last_out_at
    if noted is not None and at - noted < NOTED_EVERY and not (connection.failures or connection.resting_until):
        return
    connection.last_out_at, connection.failures, connection.resting_until = at, 0, None
    is_active = rows.filter(state=Connection.State.ACTIVE).update(
        last_out_at=at, failures=0, resting_until=None, last_error=""
    )
    if not is_active:
        rows.update(last_out_at=at)


def lock_out(connection: Connection, why: str) -> None:
    """Stop the connection until a person has resumed it."""
    Connection.objects.filter(pk=connection.pk).update(
        state=Connection.State.LOCKED_OUT, last_error=why, locked_at=timezone.now()
    )
