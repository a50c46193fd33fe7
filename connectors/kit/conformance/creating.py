"""Creating a ticket, and finding it by our reference."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.kit.errors import Unclear

from .suite import REFERENCE, Stage, Suite, shows

TEXTS = (
    "Grüße aus Łódź, naïve café",
    "🖨️ prints 👩🏽‍💻 and e\u0301",
    "עברית and العربية",
    "<script>alert(1)</script> & \"quotes\" 'too'",
    "line one\nline two\n\n    indented",
    "日本語の長い文" * 20,
)


class Creating(Suite):
    """Creating a ticket, and finding it by our reference."""

    @shows("creating a ticket exactly once")
    def test_what_is_made_is_read_back(self, stage: Stage) -> None:
        ticket = self.create(stage)
        assert (ticket.fields["title"], ticket.reference) == ("Printing fails", REFERENCE)
        assert ticket.number
        assert ticket.url == "" or ticket.url.startswith(("http://", "https://"))

    @shows("creating a ticket exactly once")
    def test_it_is_found_by_our_reference(self, stage: Stage) -> None:
        assert stage.connector.find(REFERENCE) == ()
        key = self.create(stage).key
        assert stage.connector.find(REFERENCE) == (key,)
        assert stage.connector.find(REFERENCE[:-1]) == ()

    @shows("creating a ticket exactly once")
    def test_two_with_one_reference_are_both_found_oldest_first(self, stage: Stage) -> None:
        keys = (self.create(stage).key, self.create(stage).key)
        assert stage.connector.find(REFERENCE) == keys
        assert stage.connector.carrying("TH-ABCDEFGH-", datetime(2026, 3, 1, tzinfo=UTC)) == {REFERENCE: keys}

    @shows("creating a ticket exactly once")
    def test_a_reference_cannot_end_the_search_it_stands_in(self, stage: Stage) -> None:
        self.create(stage)
        assert stage.connector.find('x" or id>0 or externalXRef="') == ()

    @shows("creating a ticket exactly once")
    def test_after_a_lost_answer_it_is_found(self, stage: Stage) -> None:
        self.fail(stage, "POST", status=504, loses_answer=True)
        with pytest.raises(Unclear):
            self.create(stage)
        assert len(stage.connector.find(REFERENCE)) == 1

    @shows("creating a ticket exactly once")
    def test_the_longest_title_they_take_is_taken(self, stage: Stage) -> None:
        title = "x" * self.connector.lengths.get("title", 255)
        assert self.create(stage, title=title).fields["title"] == title

    @shows("creating a ticket exactly once")
    @pytest.mark.parametrize("text", TEXTS)
    def test_every_script_survives(self, stage: Stage, text: str) -> None:
        title = text.replace("\n", " ")[: self.connector.lengths.get("title", 255)]
        key = self.create(stage, title=title).key
        self.say(stage, key, text)
        assert stage.connector.fetch(key).fields["title"] == title
        [note] = [n for n in stage.connector.notes(key) if text in n.text]
        assert note.is_ours
