"""Time zones: the locked data wins on every machine.

Python takes the system's zone data first, and PyPI's `tzdata` only where there is none. With the system data of 2025b
Vancouver, Winnipeg, Edmonton and Casablanca open an hour off in winter 2026 (Python 3.11, tzdata 2026.x). Two machines
of one installation would not agree on a clock.
"""

from __future__ import annotations

import zoneinfo

import tzdata

RELEASE = tzdata.IANA_VERSION
"""The release of the IANA database that everything here counts with."""


def use_locked() -> None:
    """From now on zones come from the locked package alone, whatever PYTHONTZPATH or the system has."""
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
