"""A process that does not outlive the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

TIED = "TICKETHUB_TIED"
_DIE_WITH_PARENT = 1


def tie_to_parent() -> None:
    """Be told to end when the parent ends, however it ends (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def tie_if_asked() -> None:
    """Tie this process too, where it was started below one that is tied, as a web server starts its own workers."""
    if os.environ.get(TIED):
        tie_to_parent()
