"""A system that can announce news on an open connection."""

from __future__ import annotations

from connectors.kit.errors import Unsupported

from .connector import Connector


class ListeningConnector(Connector):
    """A connector that can wait for news, so that a poll need not be awaited."""

    def listen(self, cursor: str, seconds: float) -> bool:
        """Wait at most so many seconds for something newer than the cursor; returns whether there is."""
        raise Unsupported(f"{self.label} cannot announce news.")
