"""Changing a ticket's fields."""

from __future__ import annotations

import pytest

from connectors.kit.contract import Change
from connectors.kit.errors import Missing, Refused

from .suite import REFERENCE, Stage, Suite, shows


class Changing(Suite):
    """Changing a ticket's fields."""

    @shows("changing fields")
    def test_only_what_is_named_is_changed(self, stage: Stage) -> None:
        before = self.create(stage)
        pushed = stage.connector.push(
            Change(id="1", kind="fields", key=before.key, fields={"status": self.statuses[1]})
        )
        assert pushed.ticket is not None
        assert pushed.ticket.fields == {**before.fields, "status": self.statuses[1]}
        assert pushed.ticket.reference == REFERENCE

    @shows("changing fields")
    def test_the_same_change_twice_changes_nothing_more(self, stage: Stage) -> None:
        key = self.create(stage).key
        fields = {"title": "Printing works", "priority": self.priorities[1]}
        change = Change(id="1", kind="fields", key=key, fields=fields)
        first, second = stage.connector.push(change), stage.connector.push(change)
        assert first.ticket is not None
        assert second.ticket is not None
        assert first.ticket.fields == second.ticket.fields

    @shows("changing fields")
    def test_a_reference_alone_can_be_written(self, stage: Stage) -> None:
        key = self.open(stage)
        stage.connector.push(Change(id="1", kind="fields", key=key, reference=REFERENCE))
        assert stage.connector.fetch(key).reference == REFERENCE

    @shows("changing fields")
    def test_a_value_they_do_not_know_is_refused_in_words(self, stage: Stage) -> None:
        key = self.create(stage).key
        with pytest.raises(Refused) as refused:
            stage.connector.push(Change(id="1", kind="fields", key=key, fields={"status": "987654"}))
        assert len(str(refused.value)) > 20

    @shows("changing fields")
    def test_a_change_of_what_is_not_there_is_missing(self, stage: Stage) -> None:
        with pytest.raises(Missing):
            stage.connector.push(Change(id="1", kind="fields", key="99999999", fields={"title": "x"}))

    @shows("a success without effect")
    def test_a_yes_that_was_none_is_noticed(self, stage: Stage) -> None:
        self.need("false_yes")
        key = self.create(stage).key
        self.spoil_write(stage.simulator, key)
        with pytest.raises(Refused):
            stage.connector.push(Change(id="1", kind="fields", key=key, fields={"status": self.statuses[1]}))
