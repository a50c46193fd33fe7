"""A monitoring tool: it calls when an alert fires and when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from connectors.kit.errors import Unsupported

from .hooks import HookConnector


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One thing a monitoring tool saw begin or end."""

    key: str
    """Identifies the alert: its repeats and its end have the same key."""
    is_firing: bool | None
    """None: neither a beginning nor an end, such as a comment or a maintenance window."""
    title: str
    text: str = ""
    state: str = ""
    """In the tool's words, like the severity."""
    severity: str = ""
    at: datetime | None = None
    """When it began or ended; None where the tool does not say, or the zone is not known."""
    or_at: datetime | None = None
    """The later reading of a local time that occurred twice."""
    written_at: str = ""
    """A time that could not be read, as the tool wrote it."""
    author: str = ""
    """Who acknowledged or commented in the tool."""
    said: str = ""
    """What they wrote."""
    url: str = ""
    service: str = ""
    """The name of a service, as far as the tool names one."""
    asset: str = ""
    """The tag of an asset, as far as the tool names one."""


class AlertConnector(HookConnector):
    """A connector whose calls are alerts. It reads no tickets and takes none."""

    calls: ClassVar[Mapping[str, bool]] = {"acknowledge": True}

    def read_alerts(self, body: bytes) -> Sequence[Alert]:
        """The alerts of one call, in order; Refused says what cannot be understood."""
        raise Unsupported(f"{self.label} sends no alerts.")

    def acknowledge(self, key: str, *, author: str, text: str) -> str:
        """Acknowledge this alert in the tool; returns the tool's answer in words. Repeating it does no harm."""
        raise Unsupported(f"{self.label} takes no acknowledgements.")
