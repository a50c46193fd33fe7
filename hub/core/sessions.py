"""Database sessions: what a new one is given, and giving one back while this process waits for somebody else."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver


@receiver(connection_created)
def _keep_prepared(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Let a session keep all statements of a worker prepared; psycopg's own limit is 100."""
    if connection.settings_dict["OPTIONS"].get("prepare_threshold") is not None:
        connection.connection.prepared_max = settings.PREPARED_PER_SESSION


def release() -> None:
    """Give the thread's session back to the pool before a call to another system; the next query takes one again.

    Nothing happens within a transaction, and on SQLite, where a session costs others nothing.
    """
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()
