"""What the operator reads when the hub cannot start: one sentence that says what to do."""

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
