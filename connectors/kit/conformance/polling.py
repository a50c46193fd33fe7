"""Polls: every change is listed, page by page, and an unreadable record does not stop the others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connectors.kit.errors import Refused

from .suite import MOST_PAGES, Stage, Suite, changes, shows

TEXTS = (
    "Grüße aus Łódź, naïve café",
    "🖨️ prints 👩🏽‍💻 and e\u0301",
    "עברית and العربية",
    "<script>alert(1)</script> & \"quotes\" 'too'",
    "line one\nline two\n\n    indented",
    "日本語の長い文" * 20,
)

NONSENSE: tuple[Any, ...] = (
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "2026-06-30T23:59:60Z",
    "2026-02-30T10:00:00Z",
    "2026-03-16T25:00:00Z",
    "2026-03-16T09:00:00+99:99",
    "infinity",
    "NaN",
    "soon",
    "",
    " ",
    "x" * 5000,
    "2026\x00",
    "/Date(99999999999999999)/",
    "9" * 400,
    0,
    -1,
    2**63,
    10**30,
    1e308,
    True,
    [],
    ["2026-03-16"],
    {},
    {"date": None},
)
"""Values that systems have returned in place of a date."""

MOST_IN_A_PAGE = 1000


class Polling(Suite):
    """Polls: every change is listed, page by page, and an unreadable record does not stop the others."""

    @shows("changes by poll")
    def test_an_empty_cursor_begins_now(self, stage: Stage) -> None:
        self.open(stage, "Old")
        page = stage.connector.changes_since("")
        assert (page.tickets, bool(page.cursor)) == ((), True)

    @shows("changes by poll")
    def test_a_new_ticket_is_listed(self, stage: Stage) -> None:
        cursor = stage.connector.changes_since("").cursor
        key = self.open(stage)
        assert [ticket.key for ticket in changes(stage.connector, cursor).tickets] == [key]

    @shows("changes by poll")
    def test_the_same_page_can_be_asked_for_twice(self, stage: Stage) -> None:
        cursor = stage.connector.changes_since("").cursor
        self.open(stage)
        first = changes(stage.connector, cursor)
        assert changes(stage.connector, cursor).tickets == first.tickets

    @shows("changes by poll")
    def test_a_change_in_the_second_of_the_cursor_is_not_lost(self, stage: Stage) -> None:
        cursor = stage.connector.changes_since("").cursor
        self.open(stage)
        page = changes(stage.connector, cursor)
        stage.simulator.now = lambda: page.tickets[-1].changed_at
        late = self.open(stage, "In the same second")
        assert late in {ticket.key for ticket in changes(stage.connector, page.cursor).tickets}

    @shows("changes by poll")
    def test_a_quiet_vendor_lists_nothing_and_moves_no_cursor_back(self, stage: Stage) -> None:
        cursor = stage.connector.changes_since("").cursor
        stage.time.at += timedelta(days=1)
        page = changes(stage.connector, cursor)
        assert (page.tickets, page.cursor >= cursor) == ((), True)

    @shows("changes by poll")
    def test_a_changed_status_is_listed(self, stage: Stage) -> None:
        key = self.open(stage)
        stage.time.at += timedelta(hours=2)
        cursor = stage.connector.changes_since("").cursor
        stage.simulator.act(self.domain, "set", ticket=key, by=self.person, status=int(self.statuses[1]))
        [ticket] = changes(stage.connector, cursor).tickets
        assert (ticket.key, ticket.fields["status"]) == (key, self.statuses[1])

    @shows("changes by poll")
    def test_a_note_makes_its_ticket_listed(self, stage: Stage) -> None:
        key = self.open(stage)
        stage.time.at += timedelta(hours=2)
        cursor = stage.connector.changes_since("").cursor
        self.note(stage.simulator, key, "Looking", self.shown)
        assert key in {ticket.key for ticket in changes(stage.connector, cursor).tickets}

    @shows("changes by poll")
    def test_a_file_makes_its_ticket_listed(self, stage: Stage) -> None:
        key = self.open(stage)
        stage.time.at += timedelta(hours=2)
        cursor = stage.connector.changes_since("").cursor
        self.attach(stage.simulator, key, "trace.txt", "abc")
        assert key in {ticket.key for ticket in changes(stage.connector, cursor).tickets}

    @shows("time entries")
    def test_booked_time_makes_its_ticket_listed(self, stage: Stage) -> None:
        self.need("time")
        key = self.open(stage)
        stage.time.at += timedelta(hours=2)
        cursor = stage.connector.changes_since("").cursor
        stage.simulator.act(self.domain, "time", ticket=key, by=self.person, text="Replaced the fuser")
        assert key in {ticket.key for ticket in changes(stage.connector, cursor).tickets}

    @shows("changes by poll")
    @pytest.mark.parametrize("minutes", [-10, 10])
    def test_a_clock_that_goes_wrong_there_loses_nothing(self, stage: Stage, minutes: int) -> None:
        stage.simulator.now = lambda: stage.time() + timedelta(minutes=minutes)
        cursor = stage.connector.changes_since("").cursor
        keys = set()
        for _ in range(3):
            keys.add(self.open(stage))
            stage.time.at += timedelta(minutes=1)
        assert keys <= {ticket.key for ticket in changes(stage.connector, cursor).tickets}

    @shows("changes by poll")
    def test_more_than_one_page_is_read_to_its_end(self, stage: Stage) -> None:
        cursor = stage.connector.changes_since("").cursor
        keys = {self.open(stage, f"No {number}") for number in range(self.many[0])}
        assert {ticket.key for ticket in changes(stage.connector, cursor).tickets} == keys

    @shows("changes by poll")
    @pytest.mark.parametrize("date", ["2026-06-30T23:59:60Z", "0001-01-01T00:00:00+14:00", "infinity", "", "12.5.26"])
    def test_one_record_that_makes_no_sense_stops_no_other(self, stage: Stage, date: str) -> None:
        self.need("spoilt_record")
        cursor = stage.connector.changes_since("").cursor
        keys = [self.open(stage) for _ in range(3)]
        self.spoil_record(stage.simulator, keys[1], date)
        pages, more = [], True
        while more:
            pages.append(stage.connector.changes_since(cursor))
            cursor, more = pages[-1].cursor, pages[-1].more
        assert [ticket.key for page in pages for ticket in page.tickets] == [keys[0], keys[2]]
        assert {unread.key for page in pages for unread in page.unread} == {keys[1]}
        assert all(unread.why for page in pages for unread in page.unread)

    @shows("changes by poll")
    def test_a_hundred_records_that_make_no_sense_stop_no_good_one(self, stage: Stage) -> None:
        self.need("spoilt_record")
        cursor = stage.connector.changes_since("").cursor
        good, spoilt = [], []
        for number in range(100):
            spoilt.append(self.open(stage))
            self.spoil_record(stage.simulator, spoilt[-1], NONSENSE[number % len(NONSENSE)])
            good.append(self.open(stage))
        listed, unread, more = set(), set(), True
        while more:
            page = stage.connector.changes_since(cursor)
            cursor, more = page.cursor, page.more
            listed |= {ticket.key for ticket in page.tickets}
            unread |= {each.key for each in page.unread}
        assert set(good) <= listed
        assert listed | unread == {*good, *spoilt}
        assert unread

    @shows("notes with visibility")
    def test_a_note_that_makes_no_sense_hides_no_other_and_not_its_ticket(self, stage: Stage) -> None:
        """The note is reported by its own ID; a lookup that may miss a note of ours because of it fails."""
        self.need("spoilt_record")
        key = self.open(stage)
        for number in range(3):
            self.note(stage.simulator, key, f"note {number}", self.shown)
        before = stage.connector.fetch(key)
        spoilt = next(note.key for note in before.notes or () if "note 1" in note.text)
        for date in NONSENSE:
            self.spoil_note(stage.simulator, spoilt, date)
            after = stage.connector.fetch(key)
            known = {note.key for note in after.notes or ()}
            if spoilt in known:
                continue  # the vendor's API accepts this value
            assert known == {note.key for note in before.notes or ()} - {spoilt}
            assert [each.key for each in after.unread] == [spoilt]
            with pytest.raises(Refused, match="Not all records can be read"):
                stage.connector.notes(key)
        assert after.unread, "the connector accepted every one of these dates"

    @shows("changes by poll")
    def test_no_page_grows_with_what_changed(self, stage: Stage) -> None:
        """Pages are bounded, so that a poll after a long pause needs no more memory than any other."""
        cursor = stage.connector.changes_since("").cursor
        for number in range(self.many[1]):
            self.open(stage, f"No {number}")
        most, seen = 0, set()
        for _ in range(MOST_PAGES):
            page = stage.connector.changes_since(cursor)
            most = max(most, len(page.tickets))
            seen |= {ticket.key for ticket in page.tickets}
            if not page.more:
                break
            cursor = page.cursor
        assert (most <= MOST_IN_A_PAGE, len(seen)) == (True, self.many[1])

    @shows("changes by poll")
    def test_a_change_behind_a_sweep_is_seen_by_the_next(self, stage: Stage) -> None:
        """Tickets that were already read can change while the next pages are read."""
        cursor = stage.connector.changes_since("").cursor
        first = self.open(stage, "First")
        for number in range(self.many[0]):
            self.open(stage, f"No {number}")
        page = stage.connector.changes_since(cursor)
        stage.time.at += timedelta(hours=1)
        stage.simulator.act(self.domain, "set", ticket=first, by=self.person, status=int(self.statuses[1]))
        self.open(stage, "Last")
        stage.time.at += timedelta(hours=1)
        seen = {ticket.key: ticket.fields["status"] for ticket in page.tickets}
        rest = changes(stage.connector, page.cursor)
        seen |= {ticket.key: ticket.fields["status"] for ticket in rest.tickets}
        seen |= {ticket.key: ticket.fields["status"] for ticket in changes(stage.connector, rest.cursor).tickets}
        assert seen[first] == self.statuses[1]

    @shows("changes by poll")
    def test_the_title_listed_is_the_title_there(self, stage: Stage) -> None:
        cursor = stage.connector.changes_since("").cursor
        self.open(stage, TEXTS[0])
        assert [ticket.fields["title"] for ticket in changes(stage.connector, cursor).tickets] == [TEXTS[0]]
