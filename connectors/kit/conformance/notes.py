"""Notes: visibility, marks, and order."""

from __future__ import annotations

import pytest

from connectors.kit.errors import Refused, Unclear

from .suite import MARK, Stage, Suite, shows


class Notes(Suite):
    """Notes: visibility, marks, and order."""

    @shows("notes with visibility")
    def test_a_note_arrives_with_its_visibility_and_our_mark(self, stage: Stage) -> None:
        key = self.create(stage).key
        made = {self.say(stage, key, f"for {place}", place): place for place in (self.shown, self.hidden)}
        found = {note.key: note for note in stage.connector.notes(key) if note.key in made}
        assert {k: note.visibility for k, note in found.items()} == made
        assert {(note.is_ours, note.mark) for note in found.values()} == {(True, MARK)}

    @shows("notes with visibility")
    def test_a_visibility_they_do_not_know_is_refused_and_never_shown_to_more(self, stage: Stage) -> None:
        key = self.create(stage).key
        before = len(stage.connector.notes(key))
        with pytest.raises((Refused, ValueError)):
            self.say(stage, key, "secret", "987")
        assert len(stage.connector.notes(key)) == before

    @shows("notes with visibility")
    def test_a_note_of_theirs_is_theirs_even_if_it_quotes_our_mark(self, stage: Stage) -> None:
        key = self.create(stage).key
        self.note(stage.simulator, key, f"you wrote [TH:{MARK}]", self.shown)
        [note] = [n for n in stage.connector.notes(key) if "you wrote" in n.text]
        assert not note.is_ours
        assert note.author

    @shows("notes with visibility")
    def test_after_a_lost_answer_a_note_is_found_by_its_mark(self, stage: Stage) -> None:
        key = self.create(stage).key
        self.fail(stage, self.note_method, status=504, loses_answer=True)
        other = "01JZZZZZZZZZZZZZZZZZZZZZZY:0123456789ab@ABCDEFGH"
        with pytest.raises(Unclear):
            self.say(stage, key, "hello", mark=other)
        assert [note.mark for note in stage.connector.notes(key)].count(other) == 1

    @shows("notes with visibility")
    def test_notes_have_keys_of_their_own(self, stage: Stage) -> None:
        key = self.create(stage).key
        for number in range(3):
            self.note(stage.simulator, key, f"No {number}", self.hidden)
        keys = [note.key for note in stage.connector.notes(key)]
        assert len(keys) == len(set(keys)) >= 3

    @shows("notes with visibility")
    def test_an_internal_note_of_theirs_is_internal(self, stage: Stage) -> None:
        key = self.open(stage)
        self.note(stage.simulator, key, "canary", self.hidden)
        assert [n.visibility for n in stage.connector.notes(key) if "canary" in n.text] == [self.hidden]

    @shows("time entries")
    def test_booked_time_is_part_of_the_conversation(self, stage: Stage) -> None:
        self.need("time")
        key = self.open(stage)
        stage.simulator.act(
            self.domain, "time", ticket=key, by=self.person, text="Replaced the fuser", internal="took long"
        )
        texts = {note.text: note.visibility for note in stage.connector.notes(key)}
        assert "Replaced the fuser" in texts
        assert texts["took long"] == (self.hidden_time or self.hidden)

    @shows("notes with visibility")
    def test_a_note_longer_than_a_page_is_whole(self, stage: Stage) -> None:
        key = self.create(stage).key
        text = "word " * 5000 + "end"
        self.say(stage, key, text)
        assert any(text in note.text for note in stage.connector.notes(key))
