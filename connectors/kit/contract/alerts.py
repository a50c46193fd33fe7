"""A monitoring tool, which calls us when an alert starts and when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from connectors.kit.errors import Unsupported
from hub.core.sentences import sentence

from .hooks import HookConnector


@dataclass(frozen=True, kw_only=True)
class Alert:
    """The start, the end or an update of one alert in a monitoring tool."""

    key: str
    """Identifies the alert: its repeats and its end have the same key."""
    is_firing: bool | None
    """None: neither a beginning nor an end, such as a comment or a maintenance window."""
    title: str
    text: str = ""
    state: str = ""
    """The tool's own word, as for the severity."""
    severity: str = ""
    at: datetime | None = None
    """When it started or ended; None if the tool does not say or the time zone is unknown."""
    or_at: datetime | None = None
    """The later reading of a local time that occurred twice."""
    written_at: str = ""
    """A time that could not be read, as the tool wrote it."""
    author: str = ""
    """Who acknowledged or commented on it in the tool."""
    said: str = ""
    """The text of that acknowledgement or comment."""
    url: str = ""
    service: str = ""
    """The name of a service, if the tool gives one."""
    asset: str = ""
    """The tag of an asset, if the tool gives one."""


class AlertConnector(HookConnector):
    """A connector whose webhook calls are alerts. It neither reads nor writes tickets."""

    calls: ClassVar[Mapping[str, bool]] = {"acknowledge": True}

    def read_alerts(self, body: bytes) -> Sequence[Alert]:
        """The alerts of one call, in order; Refused says what cannot be read."""
        raise Unsupported(sentence("%(connector)s sends no alerts.", connector=self.label))

    def acknowledge(self, key: str, *, author: str, text: str) -> str:
        """Acknowledge this alert in the tool; returns the tool's answer as text. Repeating it does no harm."""
        raise Unsupported(sentence("%(connector)s accepts no acknowledgements.", connector=self.label))
