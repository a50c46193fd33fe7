"""Time zones: every machine uses the locked zone data.

Python prefers the system's zone data, and uses PyPI's `tzdata` only if there is none. With the system data of 2025b
the offsets of Vancouver, Winnipeg, Edmonton and Casablanca are wrong by an hour in winter 2026 (Python 3.11, tzdata
2026.x), and two machines of one installation would calculate clocks differently.
"""

from __future__ import annotations

import zoneinfo

import tzdata

RELEASE = tzdata.IANA_VERSION
"""The release of the IANA time zone database in use."""


def use_locked() -> None:
    """Load zones only from the locked package, whatever PYTHONTZPATH is and the system has."""
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
