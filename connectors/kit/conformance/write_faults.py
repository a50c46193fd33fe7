"""Faults while writing: an unknown outcome raises Unclear."""

from __future__ import annotations

import pytest

from connectors.kit.errors import TryLater, Unclear

from .suite import Stage, Suite, shows


class WriteFaults(Suite):
    """Faults while writing: an unknown outcome raises Unclear."""

    @shows("faults while writing")
    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_write_whose_end_nobody_knows_is_unclear(self, stage: Stage, status: int) -> None:
        key = self.create(stage).key
        self.fail(stage, self.note_method, status=status)
        with pytest.raises(Unclear):
            self.say(stage, key, "hello")

    @shows("faults while writing")
    def test_a_write_that_was_too_many_is_tried_later(self, stage: Stage) -> None:
        key = self.create(stage).key
        self.fail(stage, self.note_method, status=429)
        with pytest.raises(TryLater):
            self.say(stage, key, "hello")

    @shows("faults while writing")
    @pytest.mark.parametrize("spoilt", [b"", b"<html>", b'{"item'])
    def test_a_yes_that_cannot_be_read_is_unclear(self, stage: Stage, spoilt: bytes) -> None:
        key = self.create(stage).key
        self.fail(stage, self.note_method, status=200, body=spoilt, loses_answer=True)
        with pytest.raises(Unclear):
            self.say(stage, key, "hello")
