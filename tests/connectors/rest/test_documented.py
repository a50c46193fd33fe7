"""Bugzilla and iTop by their shipped profiles, against simulators written from their documentation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connectors.kit.contract import Change, Connector, Page
from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Missing, Refused
from tests.connectors.rest import bugzilla, itop
from tests.connectors.rest.vendor import Clock, Vendor, connector

PROFILES = Path("connectors/rest/profiles")
REFERENCE = "TH-01234567-01ARZ3NDEKTSV4RRFFQ69G5FAV"
MARK = "01ARZ3NDEKTSV4RRFFQ69G5FAV:0123456789ab@01234567"


class Desk(NamedTuple):
    """A system, our connector to it, and its words."""

    system: Any
    connector: Connector
    made: str
    working: str
    done: str
    priority: str


def wired_to(system: Any, name: str, **values: str) -> Connector:
    clock = Clock()
    clock.at = datetime(2026, 3, 17, tzinfo=UTC)
    return connector((PROFILES / name / "profile.toml").read_text(), Vendor(system), clock=clock, **values)


BUGZILLA = {
    "address": "https://bugs.test",
    "user": bugzilla.US,
    "key": bugzilla.KEY,
    "product": "Hub",
    "component": "General",
}
ITOP = {
    "address": "https://itop.test",
    "user": itop.USER,
    "password": itop.PASSWORD,
    "organisation": "3",
    "caller": "7",
}


def bugzilla_desk() -> Desk:
    system = bugzilla.Bugzilla()
    return Desk(system, wired_to(system, "bugzilla", **BUGZILLA), "CONFIRMED", "IN_PROGRESS", "RESOLVED FIXED", "High")


def itop_desk() -> Desk:
    system = itop.ITop()
    return Desk(system, wired_to(system, "itop", **ITOP), "new", "assigned", "resolved", "2")


@pytest.fixture(params=[bugzilla_desk, itop_desk], ids=["bugzilla", "itop"])
def desk(request: pytest.FixtureRequest) -> Desk:
    made: Desk = request.param()
    return made


@pytest.fixture
def key(desk: Desk) -> str:
    fields = {
        "title": "Toner is out",
        "description": "Floor 2\n<b>urgent</b>",
        "status": desk.made,
        "priority": desk.priority,
    }
    return desk.connector.push(Change(id="a", kind="create", reference=REFERENCE, label="TH-1042", fields=fields)).key


def pages(made: Connector, cursor: str) -> Iterator[Page]:
    for _ in range(20):
        page = made.changes_since(cursor)
        yield page
        if not page.more:
            return
        cursor = page.cursor
    raise AssertionError("it never ends")


def test_the_check_lets_us_in_and_a_wrong_secret_does_not(desk: Desk) -> None:
    assert desk.connector.check().own_user in (bugzilla.US, itop.US)
    found = desk.connector.picklists()
    assert desk.working in {choice.value for choice in found["status"]}
    name, values, secret = ("bugzilla", BUGZILLA, "key") if len(desk.made) > 3 else ("itop", ITOP, "password")
    with pytest.raises(LockedOut) as refused:
        wired_to(desk.system, name, **values | {secret: "wrong"}).check()
    assert refused.value.field == secret


def test_a_ticket_is_made_found_and_read_back(desk: Desk, key: str) -> None:
    there = desk.connector.fetch(key)

    assert (there.fields["title"], there.fields["status"], there.fields["priority"]) == (
        "Toner is out",
        desk.made,
        desk.priority,
    )
    assert there.fields["description"].startswith("Floor 2")
    assert "<b>urgent</b>" in there.fields["description"]
    assert (there.reference, there.is_ours, there.is_foreign) == (REFERENCE, True, False)
    assert there.created_at == datetime(2026, 3, 16, 9, 1, tzinfo=UTC)
    assert desk.connector.find(REFERENCE) == (key,)
    assert desk.connector.find(REFERENCE.replace("TH-0", "TH-1")) == ()


def test_what_changed_is_listed_and_what_did_not_is_not(desk: Desk, key: str) -> None:
    fields = {"title": "Another", "description": "x", "status": desk.made, "priority": desk.priority}
    other = desk.connector.push(Change(id="b", kind="create", reference="", fields=fields)).key
    since = desk.system.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    desk.system.tick(7200)
    desk.connector.push(Change(id="c", kind="note", key=key, text="Any news?", mark=MARK, visibility="public"))
    later = desk.system.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    listed = {ticket.key for page in pages(desk.connector, since) for ticket in page.tickets}
    assert listed == {key, other}
    assert {ticket.key for page in pages(desk.connector, later) for ticket in page.tickets} == {key}


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_a_note_is_said_where_it_is_meant_and_known_as_ours(desk: Desk, key: str, visibility: str) -> None:
    change = Change(
        id="n",
        kind="note",
        key=key,
        name="Northwind IT, Ada",
        text="A new one is on\nits way",
        mark=MARK,
        visibility=visibility,
    )
    desk.connector.push(change)
    [note] = desk.connector.fetch(key).notes or ()

    assert (note.visibility, note.is_ours, note.mark) == (visibility, True, MARK)
    assert "A new one is on\nits way" in note.text


def test_what_they_say_is_heard_with_who_may_read_it(desk: Desk, key: str) -> None:
    system = desk.system
    if isinstance(system, bugzilla.Bugzilla):
        system.commented(int(key), "We come on Monday", bugzilla.THEM, False)
        system.commented(int(key), "Bring the big one", bugzilla.THEM, True)
    else:
        row = system.rows["Incident"][key]
        for name, text in (("public_log", "We come on Monday"), ("private_log", "Bring the big one")):
            system.changed(row, {name: {"add_item": {"message": text}}}, itop.THEM)
    notes = desk.connector.fetch(key).notes or ()

    assert [(note.text, note.visibility, note.is_ours) for note in notes] == [
        ("We come on Monday", "public", False),
        ("Bring the big one", "private", False),
    ]


def test_a_file_goes_there_and_comes_back_and_says_nothing_else(desk: Desk, key: str) -> None:
    change = Change(
        id="f", kind="file", key=key, name="Foto größer.png", content=b"\x89PNG" * 50, mark=MARK, visibility="public"
    )
    desk.connector.push(change)
    there = desk.connector.fetch(key)
    [file] = there.files or ()

    assert (file.name, file.is_ours, file.mark) == ("Foto größer.png", True, MARK)
    assert desk.connector.content(key, file) == b"\x89PNG" * 50
    assert [note for note in there.notes or () if not note.is_ours] == []
    with pytest.raises(Refused, match="accepts at most"):
        desk.connector.push(
            Change(id="g", kind="file", key=key, name="dump", content=b"x" * 10_100_000, mark=MARK, visibility="public")
        )


def test_a_status_is_reached_and_read_back(desk: Desk, key: str) -> None:
    for status in (desk.working, desk.done, desk.working):
        pushed = desk.connector.push(Change(id=status, kind="fields", key=key, fields={"status": status}))
        assert pushed.ticket is not None
        assert pushed.ticket.fields["status"] == status
    pushed = desk.connector.push(Change(id="t", kind="fields", key=key, fields={"title": "Toner and drum"}))
    assert pushed.ticket is not None
    assert (pushed.ticket.fields["title"], pushed.ticket.reference) == ("Toner and drum", REFERENCE)


def test_a_record_that_is_not_there_is_missing(desk: Desk) -> None:
    with pytest.raises(Missing):
        desk.connector.fetch("999")


# -- what each does in its own way


def test_bugzilla_says_that_a_bug_is_hidden_and_which_one_survived() -> None:
    desk = bugzilla_desk()
    fields = {"title": "a", "description": "b", "status": "CONFIRMED", "priority": "High"}
    key = desk.connector.push(Change(id="a", kind="create", reference=REFERENCE, fields=fields)).key
    desk.system.bugs[int(key)] |= {"status": "RESOLVED", "resolution": "DUPLICATE", "dupe_of": 7}
    assert desk.connector.fetch(key).merged_into == "7"
    desk.system.hidden.add(int(key))
    with pytest.raises(Forbidden, match="not authorized"):
        desk.connector.fetch(key)


def test_bugzilla_notices_a_reference_in_another_field_than_is_searched() -> None:
    system = bugzilla.Bugzilla()
    system.made(
        {"product": "Hub", "component": "General", "summary": "x", "status": "CONFIRMED", "priority": "Low"}, "x"
    )
    with pytest.raises(ConnectorError, match="Can't use cf_nothing as a field name"):
        wired_to(system, "bugzilla", **BUGZILLA, field="cf_nothing").check()


def test_itop_waits_for_the_caller_or_for_a_supplier_and_opens_nothing_that_is_closed() -> None:
    desk = itop_desk()
    fields = {"title": "a", "description": "b", "status": "new", "priority": "3"}
    key = desk.connector.push(Change(id="a", kind="create", reference=REFERENCE, label="TH-7", fields=fields)).key
    assert "TH-7 TH-01234567" in desk.system.rows["Incident"][key]["description"]
    for status in ("pending", "pending_supplier", "assigned", "closed"):
        pushed = desk.connector.push(Change(id=status, kind="fields", key=key, fields={"status": status}))
        assert pushed.ticket is not None
        assert pushed.ticket.fields["status"] == status
    with pytest.raises(Refused, match="cannot be opened again"):
        desk.connector.push(Change(id="x", kind="fields", key=key, fields={"status": "assigned"}))


def test_itop_says_what_a_colleague_wrote_when_it_was_resolved() -> None:
    desk = itop_desk()
    fields = {"title": "a", "description": "b", "status": "new", "priority": "3"}
    key = desk.connector.push(Change(id="a", kind="create", reference=REFERENCE, fields=fields)).key
    row = desk.system.rows["Incident"][key]
    row["status"] = "assigned"
    desk.system.moved(key, "ev_resolve", {"solution": "Drum replaced", "resolution_code": "fixed"})
    row["agent_id_friendlyname"] = itop.THEM

    [note] = desk.connector.fetch(key).notes or ()
    assert (note.text, note.visibility, note.author) == ("Solution: Drum replaced", "public", itop.THEM)


def test_itop_in_another_zone_than_is_set_is_noticed() -> None:
    system = itop.ITop(zone="Asia/Tokyo")
    system.made("Incident", {"title": "a", "description": "", "urgency": "3", "org_id": "3"}, itop.THEM)
    vendor = Vendor(lambda request: _dated(system(request)))
    clock = Clock()
    clock.at = datetime(2026, 3, 16, 9, 5, tzinfo=UTC)
    made = connector((PROFILES / "itop" / "profile.toml").read_text(), vendor, clock=clock, **ITOP)
    with pytest.raises(Refused, match="another time zone") as refused:
        made.check()
    assert refused.value.field == "zone"


def _dated(answer: Any) -> Any:
    answer.headers = [("Date", "Mon, 16 Mar 2026 09:05:00 GMT")]
    return answer
