"""What a person reads when something went wrong that nobody foresaw: one sentence that says what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_sentences() -> Iterator[None]:
    """Turn a wrong setting or an unreachable database into one sentence and exit status 1."""
    from django.core.exceptions import ImproperlyConfigured
    from django.db.utils import OperationalError

    try:
        yield
    except ImproperlyConfigured as error:
        sys.exit(f"Wrong setting: {error}")
    except OperationalError as error:
        # Libraries put the address and several reasons on several lines; the first says enough.
        reason = str(error).strip().splitlines()[0]
        sys.exit(f"The database cannot be used: {reason} - check DATABASE_URL and that the server is running.")


def in_words(error: Exception) -> str:
    """An error nobody foresaw, for the person who finds what it stopped. What exactly it was stands in the log.

    A database's own words name tables and constraints, which help nobody on a page.
    """
    from django.db import Error as DatabaseError

    kind = type(error).__name__
    if isinstance(error, DatabaseError):
        return (
            f"The database did not take this ({kind}). Nothing of it was kept, so it can be tried again; if that fails "
            "too, give the log of the worker to whoever runs the hub."
        )
    return f"{kind}: {error}"[:500]
