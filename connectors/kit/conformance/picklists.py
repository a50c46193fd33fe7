"""Picklists: values with labels, read again on each call, refused when inactive."""

from __future__ import annotations

import pytest

from connectors.kit.contract import Change
from connectors.kit.errors import Refused

from .suite import Stage, Suite, shows


class Picklists(Suite):
    """Picklists: values with labels, read again on each call, refused when inactive."""

    @shows("picklists")
    def test_picklists_are_texts_with_labels(self, stage: Stage) -> None:
        choices = stage.connector.picklists()
        assert {"status", "priority", "visibility", "queue"} <= choices.keys()
        for values in choices.values():
            assert all(isinstance(choice.value, str) and choice.value and choice.label for choice in values)
        assert set(self.statuses) <= {choice.value for choice in choices["status"]}
        assert {self.shown, self.hidden} <= {choice.value for choice in choices["visibility"]}

    @shows("picklists")
    def test_picklists_that_changed_overnight_are_read_anew(self, stage: Stage) -> None:
        self.need("value_off")
        stage.connector.picklists()
        self.switch_off_value(stage.simulator, self.statuses[1])
        active = {c.value: c.is_active for c in stage.connector.picklists()["status"]}
        assert active[self.statuses[1]] is False

    @shows("picklists")
    def test_a_value_that_was_switched_off_is_refused_in_words(self, stage: Stage) -> None:
        self.need("value_off")
        key = self.create(stage).key
        self.switch_off_value(stage.simulator, self.statuses[1])
        with pytest.raises(Refused) as refused:
            stage.connector.push(Change(id="1", kind="fields", key=key, fields={"status": self.statuses[1]}))
        assert len(str(refused.value)) > 20
