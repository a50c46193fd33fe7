"""Child processes that end with the process that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

TIED = "TICKETHUB_TIED"
_DIE_WITH_PARENT = 1


def tie_to_parent() -> None:
    """Send this process SIGTERM when its parent ends, for whatever reason (Linux only; a no-op elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def tie_if_asked() -> None:
    """Tie this process to its parent if an ancestor is tied, for example a worker started by the web server."""
    if os.environ.get(TIED):
        tie_to_parent()
