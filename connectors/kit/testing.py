"""What every connector has to do right, as tests: subclass `Conformance`, say how to act at the vendor, run pytest.

    class TestMyVendor(Conformance):
        connector = MyVendor
        ...

Each test is one behaviour. What a connector declares it cannot do (quality.toml) is skipped by that name.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import pytest
import requests

from .contract import Change, HookConnector, Page, RemoteFile, RemoteNote, RemoteTicket, TicketConnector
from .errors import BadSignature, ConnectorError, LockedOut, Missing, Refused, TryLater, Unclear
from .simulating import Injected, Simulator
from .wiring import wired

MARK = "01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab@ABCDEFGH"
REFERENCE = "TH-ABCDEFGH-01JZZZZZZZZZZZZZZZZZZZZZZZ"
TEXTS = (
    "Grüße aus Łódź, naïve café",
    "🖨️ prints 👩🏽‍💻 and e\u0301",
    "עברית and العربية",
    "<script>alert(1)</script> & \"quotes\" 'too'",
    "line one\nline two\n\n    indented",
    "日本語の長い文" * 20,
)
MOST_PAGES = 1000
MOST_IN_A_PAGE = 1000
SPOILT_ANSWERS = {
    "nothing": b"",
    "a log-in page": b"<html><body>Sign in</body></html>",
    "null": b"null",
    "a number": b"7",
    "half of it": b'{"items": [{"id": 1, "title": "half',
    "other bytes": b"\xff\xfe\x00\x01",
    "deep": b"[" * 100_000,
}


Test = TypeVar("Test", bound=Callable[..., Any])


def shows(capability: str) -> Callable[[Test], Test]:
    """Says which capability a behaviour is evidence of; `connector_matrix` counts them so."""

    def mark(test: Test) -> Test:
        test.capability = capability  # type: ignore[attr-defined]
        return test

    return mark


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
"""What has been found where a date should stand."""


class Time:
    """A clock that a test moves; each look is a second later."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@dataclass
class Stage:
    """One connector wired to one simulated vendor."""

    simulator: Simulator[Any]
    connector: TicketConnector
    time: Time
    seen: list[requests.PreparedRequest]

    @property
    def called(self) -> HookConnector:
        """The connector, where the vendor can call us."""
        assert isinstance(self.connector, HookConnector)
        return self.connector

    @property
    def writes(self) -> list[requests.PreparedRequest]:
        return [request for request in self.seen if request.method in ("PATCH", "PUT", "DELETE")]


class Conformance:
    """What a connector has to do right."""

    @classmethod
    def capabilities(cls) -> dict[str, list[str]]:
        """The names of the behaviours by the capability they are evidence of, in order."""
        found: dict[str, list[str]] = {}
        for name, value in vars(Conformance).items():
            if name.startswith("test_"):
                found.setdefault(value.capability, []).append(name)
        return found

    connector: ClassVar[type[TicketConnector]]
    domain: ClassVar[str]
    """The name of the simulated tenant."""
    person: ClassVar[str]
    """Somebody who works there."""
    statuses: ClassVar[tuple[str, str]]
    """The value of a new ticket, and of one that is worked on."""
    priorities: ClassVar[tuple[str, str]]
    shown: ClassVar[str]
    hidden: ClassVar[str]
    """The visibility of a note that customers see, and of one that they do not."""
    hidden_time: ClassVar[str] = ""
    """The visibility of internal words in booked time, if it is one of its own."""
    ticket_path: ClassVar[str]
    """A part of the path of the calls that read or write a ticket."""
    note_method: ClassVar[str] = "POST"
    """With which method a note is written."""
    many: ClassVar[tuple[int, int]] = (1100, 2300)
    """How many tickets are more than one page, and how many are a lot."""
    wrong: ClassVar[Mapping[str, str]]
    """For each setting that `check` can find to be wrong, a wrong value."""
    cannot: ClassVar[frozenset[str]] = frozenset()
    """Behaviours by name that this vendor has no way to show, like "time" or "delete"."""
    hosts: ClassVar[frozenset[str]]
    """The hosts it may call."""

    # -- to be said by each connector

    def start(self, time: Time) -> Simulator[Any]:
        """A fresh simulated vendor."""
        raise NotImplementedError

    def values(self, simulator: Simulator[Any]) -> dict[str, str]:
        """Settings that are right for it."""
        raise NotImplementedError

    def lock_out(self, simulator: Simulator[Any]) -> None:
        """Our credentials end there."""
        raise NotImplementedError

    def note(self, simulator: Simulator[Any], key: str, text: str, visibility: str) -> None:
        """Somebody there writes a note."""
        raise NotImplementedError

    def attach(self, simulator: Simulator[Any], key: str, name: str, text: str) -> None:
        """Somebody there attaches a file."""
        simulator.act(self.domain, "file", ticket=key, by=self.person, name=name, text=text)

    def hook(self, simulator: Simulator[Any], key: str, number: int) -> tuple[dict[str, str], bytes]:
        """A signed hook about a ticket: headers and body."""
        raise NotImplementedError

    def sign(self, simulator: Simulator[Any], body: bytes) -> dict[str, str]:
        """The headers with which the vendor would send this body; the body may be any."""
        raise NotImplementedError

    def switch_off(self, simulator: Simulator[Any]) -> None:
        """The vendor stops to call us."""
        raise NotImplementedError

    def registered(self, simulator: Simulator[Any]) -> int:
        """How many registrations of calls to us there are."""
        raise NotImplementedError

    def switch_off_value(self, simulator: Simulator[Any], status: str) -> None:
        """A status becomes inactive there."""
        raise NotImplementedError

    def spoil_record(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        """The ticket's record says that it was made at this date, which may be no date, and no text."""
        raise NotImplementedError

    def spoil_note(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        """The note of this key says that it was written at this date, which may be no date, and no text."""
        raise NotImplementedError

    def spoil_write(self, simulator: Simulator[Any], key: str) -> None:
        """The next change of the ticket's status is answered with yes and not done ("false_yes")."""
        raise NotImplementedError

    # -- the stage

    @pytest.fixture
    def stage(self) -> Stage:
        time = Time()
        return self.wire(self.start(time), time)

    def wire(self, simulator: Simulator[Any], time: Time, **changed: str) -> Stage:
        seen: list[requests.PreparedRequest] = []
        connector = wired(self.connector, self.values(simulator) | changed, simulator, now=time, watch=seen.append)
        return Stage(simulator, connector, time, seen)

    def open(self, stage: Stage, title: str = "Screen black") -> str:
        return str(stage.simulator.act(self.domain, "open", by=self.person, title=title)["id"])

    def create(self, stage: Stage, **fields: str) -> RemoteTicket:
        wanted = {
            "title": "Printing fails",
            "description": "Error 0x11b",
            "status": self.statuses[0],
            "priority": self.priorities[0],
        }
        change = Change(id="1", kind="create", reference=REFERENCE, mark=MARK, fields=wanted | fields)
        pushed = stage.connector.push(change)
        assert pushed.ticket is not None
        return pushed.ticket

    def say(self, stage: Stage, key: str, text: str, visibility: str = "", mark: str = MARK) -> str:
        return stage.connector.push(
            Change(
                id="2", kind="note", key=key, text=text, visibility=visibility or self.shown, mark=mark, name="Us, Ada"
            )
        ).key

    def send(self, stage: Stage, key: str, name: str, content: bytes) -> str:
        change = Change(
            id="3", kind="file", key=key, name=name, content=content, visibility=self.shown, mark=MARK, text=""
        )
        return stage.connector.push(change).key

    def need(self, what: str) -> None:
        if what in self.cannot:
            pytest.skip(f"{self.connector.label} has no way to show: {what} (declared in cannot)")

    def fail(self, stage: Stage, method: str = "*", **how: Any) -> Injected:
        fault = Injected(method, self.ticket_path, **how)
        stage.simulator.faults.append(fault)
        return fault

    # -- credentials and settings

    @shows("check, credentials, secrets")
    def test_check_succeeds_and_says_who_we_are(self, stage: Stage) -> None:
        checked = stage.connector.check()
        assert checked.own_user
        assert all(isinstance(value, str) for value in checked.facts.values())

    @shows("check, credentials, secrets")
    def test_check_changes_nothing_there(self, stage: Stage) -> None:
        stage.connector.check()
        assert stage.writes == []

    @shows("check, credentials, secrets")
    def test_check_names_each_setting_that_is_wrong(self) -> None:
        for name, value in self.wrong.items():
            time = Time()
            stage = self.wire(self.start(time), time, **{name: value})
            with pytest.raises((Refused, LockedOut)) as refused:
                stage.connector.check()
            assert getattr(refused.value, "field", "") == name, name

    @shows("check, credentials, secrets")
    def test_no_secret_stands_in_any_error(self) -> None:
        secrets = [setting.name for setting in self.connector.settings if setting.is_secret]
        for name, value in self.wrong.items():
            time = Time()
            simulator = self.start(time)
            stage = self.wire(simulator, time, **{name: value})
            with pytest.raises(ConnectorError) as refused:
                stage.connector.check()
            told = f"{refused.value} {refused.value!r} {refused.value.__cause__!r}"
            for secret in secrets:
                assert self.values(simulator)[secret] not in told, (name, secret)

    @shows("check, credentials, secrets")
    def test_every_setting_has_a_label_and_every_required_one_a_help(self) -> None:
        for setting in self.connector.settings:
            assert setting.label
            assert setting.help or not setting.is_required, setting.name

    @shows("check, credentials, secrets")
    def test_credentials_that_end_in_mid_flight_lock_us_out(self, stage: Stage) -> None:
        key = self.create(stage).key
        self.lock_out(stage.simulator)
        with pytest.raises(LockedOut):
            stage.connector.fetch(key)
        with pytest.raises(LockedOut):
            self.say(stage, key, "hello")

    @shows("check, credentials, secrets")
    def test_every_call_goes_to_the_vendors_own_hosts(self, stage: Stage) -> None:
        key = self.create(stage).key
        stage.connector.check()
        changes(stage.connector, "2026-03-01T00:00:00Z")
        stage.connector.fetch(key)
        hosts = {urlsplit(request.url or "").netloc for request in stage.seen}
        assert hosts <= self.hosts

    @shows("check, credentials, secrets")
    def test_credentials_never_stand_in_an_address(self, stage: Stage) -> None:
        self.create(stage)
        stage.connector.check()
        values = self.values(stage.simulator)
        for setting in self.connector.settings:
            if setting.is_secret:
                assert not [r.url for r in stage.seen if values[setting.name] in (r.url or "")]

    # -- picklists

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

    # -- what changed

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

    @shows("booked time")
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
        """It is told of by its own number; a lookup that may miss one of ours because of it fails instead."""
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
                continue  # they have a meaning for it
            assert known == {note.key for note in before.notes or ()} - {spoilt}
            assert [each.key for each in after.unread] == [spoilt]
            with pytest.raises(Refused, match="Not all of it can be understood"):
                stage.connector.notes(key)
        assert after.unread, "none of these dates made no sense"

    @shows("changes by poll")
    def test_no_page_grows_with_what_changed(self, stage: Stage) -> None:
        """A page is bounded, so that a poll after a long silence takes no more memory than another."""
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
        """While page after page is read, tickets that were read already go on changing."""
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

    # -- one ticket

    @shows("reading a ticket")
    def test_times_are_aware_and_in_utc(self, stage: Stage) -> None:
        key = self.create(stage).key
        self.note(stage.simulator, key, "Looking", self.shown)
        self.attach(stage.simulator, key, "trace.txt", "abc")
        times = list(_times(stage.connector.fetch(key)))
        assert len(times) >= 4
        assert all(at.utcoffset() == timedelta(0) for at in times)

    @shows("reading a ticket")
    def test_values_are_texts(self, stage: Stage) -> None:
        ticket = stage.connector.fetch(self.create(stage).key)
        assert set(ticket.fields) == set(self.connector.fields)
        assert all(isinstance(value, str) for value in ticket.fields.values())
        assert (ticket.fields["status"], ticket.fields["priority"]) == (self.statuses[0], self.priorities[0])

    @shows("reading a ticket")
    def test_a_ticket_reads_equal_to_itself(self, stage: Stage) -> None:
        key = self.create(stage).key
        assert stage.connector.fetch(key) == stage.connector.fetch(key)

    @shows("reading a ticket")
    def test_a_glance_sees_the_same_fields_as_a_look(self, stage: Stage) -> None:
        key = self.create(stage).key
        seen, looked = stage.connector.glance(key), stage.connector.fetch(key)
        assert (seen.fields, seen.reference, seen.created_at) == (looked.fields, looked.reference, looked.created_at)

    @shows("reading a ticket")
    def test_ours_are_known_as_ours_and_theirs_as_theirs(self, stage: Stage) -> None:
        ours, theirs = self.create(stage), self.open(stage)
        assert ours.is_ours
        assert not stage.connector.fetch(theirs).is_ours

    @shows("reading a ticket")
    def test_a_ticket_that_is_not_there_is_missing(self, stage: Stage) -> None:
        with pytest.raises(Missing):
            stage.connector.fetch("99999999")

    @shows("reading a ticket")
    @pytest.mark.parametrize("key", ["../companies/1", "1 or id>0", "", "1/notes", "%2e%2e"])
    def test_a_key_that_is_none_reaches_nothing(self, stage: Stage, key: str) -> None:
        with pytest.raises((Refused, Missing, ValueError)):
            stage.connector.fetch(key)
        assert not [request.url for request in stage.seen if key and key in (request.url or "")]

    # -- making a ticket

    @shows("making a ticket exactly once")
    def test_what_is_made_is_read_back(self, stage: Stage) -> None:
        ticket = self.create(stage)
        assert (ticket.fields["title"], ticket.reference) == ("Printing fails", REFERENCE)
        assert ticket.number
        assert ticket.url == "" or ticket.url.startswith(("http://", "https://"))

    @shows("making a ticket exactly once")
    def test_it_is_found_by_our_reference(self, stage: Stage) -> None:
        assert stage.connector.find(REFERENCE) == ()
        key = self.create(stage).key
        assert stage.connector.find(REFERENCE) == (key,)
        assert stage.connector.find(REFERENCE[:-1]) == ()

    @shows("making a ticket exactly once")
    def test_two_with_one_reference_are_both_found_oldest_first(self, stage: Stage) -> None:
        keys = (self.create(stage).key, self.create(stage).key)
        assert stage.connector.find(REFERENCE) == keys
        assert stage.connector.carrying("TH-ABCDEFGH-", datetime(2026, 3, 1, tzinfo=UTC)) == {REFERENCE: keys}

    @shows("making a ticket exactly once")
    def test_a_reference_cannot_end_the_search_it_stands_in(self, stage: Stage) -> None:
        self.create(stage)
        assert stage.connector.find('x" or id>0 or externalXRef="') == ()

    @shows("making a ticket exactly once")
    def test_after_a_lost_answer_it_is_found(self, stage: Stage) -> None:
        self.fail(stage, "POST", status=504, loses_answer=True)
        with pytest.raises(Unclear):
            self.create(stage)
        assert len(stage.connector.find(REFERENCE)) == 1

    @shows("making a ticket exactly once")
    def test_the_longest_title_they_take_is_taken(self, stage: Stage) -> None:
        title = "x" * self.connector.lengths.get("title", 255)
        assert self.create(stage, title=title).fields["title"] == title

    @shows("making a ticket exactly once")
    @pytest.mark.parametrize("text", TEXTS)
    def test_every_script_survives(self, stage: Stage, text: str) -> None:
        title = text.replace("\n", " ")[: self.connector.lengths.get("title", 255)]
        key = self.create(stage, title=title).key
        self.say(stage, key, text)
        assert stage.connector.fetch(key).fields["title"] == title
        [note] = [n for n in stage.connector.notes(key) if text in n.text]
        assert note.is_ours

    # -- changing it

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

    @shows("a yes that was none")
    def test_a_yes_that_was_none_is_noticed(self, stage: Stage) -> None:
        self.need("false_yes")
        key = self.create(stage).key
        self.spoil_write(stage.simulator, key)
        with pytest.raises(Refused):
            stage.connector.push(Change(id="1", kind="fields", key=key, fields={"status": self.statuses[1]}))

    # -- notes

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

    @shows("booked time")
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

    # -- files

    @shows("attachments")
    def test_a_file_arrives_unchanged(self, stage: Stage) -> None:
        key = self.create(stage).key
        content = bytes(range(256)) * 40
        made = self.send(stage, key, "dump.bin", content)
        [file] = [file for file in stage.connector.fetch(key).files or () if file.key == made]
        assert (file.size, file.is_ours, file.mark, file.name) == (len(content), True, MARK, "dump.bin")
        assert stage.connector.content(key, file) == content

    @shows("attachments")
    def test_a_file_of_theirs_can_be_read(self, stage: Stage) -> None:
        key = self.open(stage)
        self.attach(stage.simulator, key, "trace.txt", "abc")
        [file] = stage.connector.fetch(key).files or ()
        assert (file.name, file.is_ours, stage.connector.content(key, file)) == ("trace.txt", False, b"abc")

    @shows("attachments")
    def test_a_file_of_ten_megabytes_arrives_or_is_refused_in_words(self, stage: Stage) -> None:
        key = self.create(stage).key
        content = b"0123456789abcdef" * (10 * 1024 * 1024 // 16)
        try:
            made = self.send(stage, key, "large.bin", content)
        except Refused as refused:
            if len(str(refused)) < 20:
                pytest.fail(f"{refused!r} does not say what is wrong")
            return
        [file] = [file for file in stage.connector.fetch(key).files or () if file.key == made]
        assert stage.connector.content(key, file) == content

    # -- what goes wrong while reading

    @shows("faults while reading")
    @pytest.mark.parametrize("spoilt", SPOILT_ANSWERS.values(), ids=SPOILT_ANSWERS)
    def test_an_answer_that_makes_no_sense_is_tried_again_or_refused(self, stage: Stage, spoilt: bytes) -> None:
        key = self.create(stage).key
        self.fail(stage, status=200, body=spoilt, times=9)
        with pytest.raises((TryLater, Refused, Missing)):
            stage.connector.fetch(key)

    @shows("faults while reading")
    @pytest.mark.parametrize("spoilt", SPOILT_ANSWERS.values(), ids=SPOILT_ANSWERS)
    def test_a_list_that_makes_no_sense_is_never_an_empty_one(self, stage: Stage, spoilt: bytes) -> None:
        self.create(stage)
        cursor = stage.connector.changes_since("").cursor
        self.fail(stage, status=200, body=spoilt, times=9)
        with pytest.raises((TryLater, Refused)):
            changes(stage.connector, cursor)

    @shows("faults while reading")
    def test_an_answer_cut_at_any_byte_is_never_half_understood(self, stage: Stage) -> None:
        key = self.create(stage).key
        stage.connector.glance(key)
        for cut in range(0, 200, 7):
            fault = self.fail(stage, "GET", cut=cut)
            with pytest.raises((TryLater, Refused)):
                stage.connector.glance(key)
            assert fault.times == 0

    @shows("faults while reading")
    def test_a_record_without_what_it_should_have_is_refused_not_crashed_on(self, stage: Stage) -> None:
        key = self.create(stage).key
        for spoilt in (b"{}", b"[]", b"[{}]", b'{"item": {}}', b'{"items": [{}]}', b'{"items": [null]}', b'"x"'):
            fault = self.fail(stage, status=200, body=spoilt, times=9)
            for call in (lambda: stage.connector.fetch(key), lambda: stage.connector.find(REFERENCE)):
                with suppress(ConnectorError):
                    call()
            fault.times = 0

    @shows("faults while reading")
    @pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
    def test_a_vendor_that_is_down_is_tried_later(self, stage: Stage, status: int) -> None:
        key = self.create(stage).key
        self.fail(stage, status=status, times=9)
        with pytest.raises(TryLater):
            stage.connector.fetch(key)

    @shows("faults while reading")
    @pytest.mark.parametrize(
        ("header", "least", "most"),
        [
            ("17", 17, 17),
            ("-5", 1, 1),
            ("1e9", 3600, 3600),
            ("Mon, 16 Mar 2020 09:00:00 GMT", 1, 1),
            ("soon", None, None),
            ("", None, None),
        ],
    )
    def test_too_many_requests_says_when_to_come_back(
        self, stage: Stage, header: str, least: float | None, most: float | None
    ) -> None:
        key = self.create(stage).key
        self.fail(stage, status=429, headers=(("Retry-After", header),) if header else (), times=9)
        with pytest.raises(TryLater) as later:
            stage.connector.fetch(key)
        if least is None or most is None:
            assert later.value.after is None
        else:
            assert later.value.after is not None
            assert least <= later.value.after <= most

    @shows("faults while reading")
    def test_a_redirect_is_not_followed(self, stage: Stage) -> None:
        key = self.create(stage).key
        self.fail(stage, status=302, headers=(("Location", "http://169.254.169.254/latest"),), times=9)
        with pytest.raises(ConnectorError):
            stage.connector.fetch(key)
        assert not [request.url for request in stage.seen if "169.254" in (request.url or "")]

    @shows("faults while reading")
    def test_an_error_page_is_not_told_to_people(self, stage: Stage) -> None:
        key = self.create(stage).key
        self.fail(stage, status=503, body=b"<html>canary stack trace</html>", times=9)
        with pytest.raises(TryLater) as later:
            stage.connector.fetch(key)
        assert "canary" not in str(later.value)

    # -- what goes wrong while writing

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

    # -- their calls to us

    @shows("signed webhooks")
    def test_a_signed_hook_names_its_ticket(self, stage: Stage) -> None:
        self.need("hooks")
        headers, body = self.hook(stage.simulator, "4711", 1)
        assert stage.called.read_hook(headers, body).key == "4711"

    @shows("signed webhooks")
    def test_the_same_hook_twice_is_the_same_delivery_and_other_news_another(self, stage: Stage) -> None:
        self.need("hooks")
        first = stage.called.read_hook(*self.hook(stage.simulator, "4711", 1))
        assert stage.called.read_hook(*self.hook(stage.simulator, "4711", 1)) == first
        assert stage.called.read_hook(*self.hook(stage.simulator, "4711", 2)).delivery != first.delivery

    @shows("signed webhooks")
    def test_header_names_are_read_in_any_case(self, stage: Stage) -> None:
        self.need("hooks")
        headers, body = self.hook(stage.simulator, "4711", 1)
        assert stage.called.read_hook({name.upper(): v for name, v in headers.items()}, body).key == "4711"

    @shows("signed webhooks")
    def test_a_hook_with_another_body_is_not_theirs(self, stage: Stage) -> None:
        self.need("hooks")
        headers, body = self.hook(stage.simulator, "4711", 1)
        with pytest.raises(BadSignature):
            stage.called.read_hook(headers, body.replace(b"4711", b"4712"))

    @shows("signed webhooks")
    @pytest.mark.parametrize("value", ["", "sha1=", "AAAA", "é", "sha1=" + "A" * 5000])
    def test_a_hook_with_a_made_up_signature_is_not_theirs(self, stage: Stage, value: str) -> None:
        self.need("hooks")
        headers, body = self.hook(stage.simulator, "4711", 1)
        with pytest.raises(BadSignature):
            stage.called.read_hook(dict.fromkeys(headers, value), body)
        with pytest.raises(BadSignature):
            stage.called.read_hook({}, body)

    @shows("signed webhooks")
    def test_a_signed_hook_that_names_no_ticket_is_refused_not_believed(self, stage: Stage) -> None:
        self.need("hooks")
        _headers, body = self.hook(stage.simulator, "4711", 1)
        for nonsense in (b'"../../1"', b"true", b"{}", b"-1", b"12.5"):
            spoilt = re.sub(rb'"?4711"?', nonsense, body)
            with pytest.raises((ConnectorError, ValueError, TypeError, AttributeError)):
                stage.called.read_hook(self.sign(stage.simulator, spoilt), spoilt)

    @shows("signed webhooks")
    def test_asking_twice_to_be_called_registers_once(self, stage: Stage) -> None:
        self.need("hooks")
        first = stage.called.register_hook("https://hub.example/hooks/1/")
        count = self.registered(stage.simulator)
        assert stage.called.register_hook("https://hub.example/hooks/1/") == first
        assert self.registered(stage.simulator) == count >= 1

    @shows("signed webhooks")
    def test_another_connections_registration_is_left_alone(self, stage: Stage) -> None:
        self.need("hooks")
        stage.called.register_hook("https://hub.example/hooks/1/")
        count = self.registered(stage.simulator)
        stage.called.register_hook("https://hub.example/hooks/2/")
        assert self.registered(stage.simulator) == 2 * count

    @shows("signed webhooks")
    def test_calls_that_were_switched_off_are_switched_on_again_and_it_is_said(self, stage: Stage) -> None:
        self.need("hooks")
        first = stage.called.register_hook("https://hub.example/hooks/1/")
        self.switch_off(stage.simulator)
        again = stage.called.register_hook("https://hub.example/hooks/1/")
        assert (first.was_off, again.key, bool(again.was_off)) == ("", first.key, True)
        assert stage.called.register_hook("https://hub.example/hooks/1/").was_off == ""

    # -- the end of a ticket

    @shows("deletion")
    def test_a_deleted_ticket_is_missing(self, stage: Stage) -> None:
        self.need("delete")
        key = self.create(stage).key
        stage.simulator.act(self.domain, "delete", ticket=key, by=self.person)
        with pytest.raises(Missing):
            stage.connector.fetch(key)
        assert stage.connector.find(REFERENCE) == ()


def changes(connector: TicketConnector, cursor: str) -> Page:
    """Everything since a cursor, page after page, as the engine reads it."""
    tickets: list[RemoteTicket] = []
    gone: list[str] = []
    for _ in range(MOST_PAGES):
        page = connector.changes_since(cursor)
        tickets += page.tickets
        gone += page.gone
        if not page.more or page.cursor == cursor:
            return Page(tickets=tuple(tickets), cursor=page.cursor, gone=tuple(gone))
        cursor = page.cursor
    raise AssertionError("the pages of changes_since do not end")


def _times(ticket: RemoteTicket) -> Iterator[datetime]:
    records: list[RemoteTicket | RemoteNote | RemoteFile] = [ticket, *(ticket.notes or ()), *(ticket.files or ())]
    for record in records:
        for field in dataclasses.fields(record):
            value = getattr(record, field.name)
            if isinstance(value, datetime):
                yield value


__all__ = ["Conformance", "Stage", "Time", "changes", "shows"]
