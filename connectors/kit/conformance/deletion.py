"""Deleted tickets."""

from __future__ import annotations

import pytest

from connectors.kit.errors import Missing

from .suite import REFERENCE, Stage, Suite, shows


class Deletion(Suite):
    """Deleted tickets."""

    @shows("deletion")
    def test_a_deleted_ticket_is_missing(self, stage: Stage) -> None:
        self.need("delete")
        key = self.create(stage).key
        stage.simulator.act(self.domain, "delete", ticket=key, by=self.person)
        with pytest.raises(Missing):
            stage.connector.fetch(key)
        assert stage.connector.find(REFERENCE) == ()
