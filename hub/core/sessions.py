"""Database sessions while this process waits for somebody else."""

from __future__ import annotations

from django.db import connection


def release() -> None:
    """Give the thread's session back to the pool before a call to another system; the next query takes one again.

    Nothing happens within a transaction, and on SQLite, where a session costs others nothing.
    """
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()
