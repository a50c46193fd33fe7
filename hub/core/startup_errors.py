"""Readable messages for errors that no code handles: on the terminal at start-up, and on pages for failed work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hub.core.sentences import sentence


@contextmanager
def as_sentences() -> Iterator[None]:
    """Turn a wrong setting or an unreachable database into one line on the terminal and exit status 1.

    These messages are in English only: they appear before the settings, and with them the language, are loaded.
    """
    from django.core.exceptions import ImproperlyConfigured
    from django.db.utils import OperationalError

    try:
        yield
    except ImproperlyConfigured as error:
        sys.exit(f"Wrong setting: {error}")
    except OperationalError as error:
        # Database libraries report the address and several reasons on separate lines; the first line is enough.
        reason = _why_not_connected(error).strip().splitlines()[0]
        sys.exit(f"The database cannot be used: {reason} - check DATABASE_URL and that the server is running.")


def _why_not_connected(error: Exception) -> str:
    """The database's own words; the pool of sessions only says that it has waited for one."""
    import psycopg
    from django.db import connection

    if not connection.settings_dict["OPTIONS"].get("pool"):
        return str(error)
    try:
        psycopg.connect(**connection.get_connection_params()).close()
    except psycopg.Error as reason:
        return str(reason)
    return str(error)


def in_words(error: Exception) -> str:
    """An unexpected error as a reason to store and show on a page. The traceback is in the log.

    The text of a database error names tables and constraints, which do not help the reader of a page, so only its
    kind is shown.
    """
    from django.db import Error as DatabaseError

    kind = type(error).__name__
    if isinstance(error, DatabaseError):
        return sentence(
            "The database reported an error (%(kind)s). Nothing was saved. Try again; if it fails again, ask your "
            "administrator to check the worker's log.",
            kind=kind,
        )
    return sentence("%(kind)s: %(reason)s", kind=kind, reason=str(error)[:450])
