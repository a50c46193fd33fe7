"""A system that can announce changes on an open connection."""

from __future__ import annotations

from connectors.kit.errors import Unsupported
from hub.core.sentences import sentence

from .connector import Connector


class ListeningConnector(Connector):
    """A connector that can wait for changes, so that they are read before the next poll."""

    def listen(self, cursor: str, seconds: float) -> bool:
        """Wait at most `seconds` for something newer than the cursor; returns whether there is anything."""
        raise Unsupported(sentence("%(connector)s cannot announce changes.", connector=self.label))
