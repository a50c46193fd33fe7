"""What real systems were seen to do (Request Tracker, Roundup, django-helpdesk), and what must come of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.engine import profiles
from connectors.engine.operations.capability_check import Bench
from connectors.kit.contract import Change
from connectors.kit.errors import LockedOut, Missing, Refused, Unclear
from connectors.kit.simulating import Answer, Request
from connectors.rest import validation
from connectors.rest.schema import BadProfile
from hub.models import Organisation
from tests.connectors.rest.vendor import START, Vendor, body, connector, document, ticket

SINCE = "2026-03-16T09:00:00Z"
NO = ("who", "files", "find")
NOTES = """
[[operations.note]]
method = "POST"
path = "/tickets/{key}/notes"
when = "change.visibility == 'public'"
body = { text = "{change.marked}" }
"""
VISIBLE = '[picklists.visibility]\nvalues = [{ value = "public", label = "Public" }]\n'


def with_notes(rows: str, *, operations: str = "") -> str:
    lacks = "".join(f'{name} = "no"\n' for name in NO)
    return document(operations=NOTES + operations, rest=f"{rows}\n{VISIBLE}", lacks=lacks)


# -- nothing is lost of what is long or left out


def test_all_notes_of_a_long_ticket_are_read() -> None:
    said = [{"id": n, "text": f"No {n}", "at": SINCE, "kind": "note"} for n in range(500)]
    text = with_notes("""
[[notes]]
items = "item.said.filter(n, n.kind == 'note')"
key = "item.id"
text = "item.text"
visibility = "'public'"
created_at = "item.at"
""")
    one = connector(text, Vendor(lambda r: Answer(body=ticket(1, said=said))))

    assert len(one.notes("1")) == 500


def test_more_than_can_be_looked_at_is_said_and_not_cut() -> None:
    text = with_notes("""
[[notes]]
items = "item.said.filter(n, n > 0)"
key = "item"
text = "text(item)"
visibility = "'public'"
created_at = "'2026-03-16T09:00:00Z'"
""")
    one = connector(text, Vendor(lambda r: Answer(body=ticket(1, said=list(range(10_001))))))

    with pytest.raises(Refused, match="A list has more than 10000 entries"):
        one.notes("1")


def test_a_page_without_anything_for_us_does_not_end_the_list() -> None:
    pages: list[list[Any]] = [[{"id": 1}], [], [{"id": 3}]]

    def answer(request: Request) -> Answer:
        at = int(request.query["p"])
        return Answer(body={"items": pages[at], "further": at < 2})

    text = document(list='paging = { style = "page", size = 1, first = 0, more = "answer.further" }').replace(
        'query = { since = "{since}" }', 'query = { since = "{since}", p = "{page}" }'
    )
    one = connector(
        text.replace('"item.made"', f"\"'{SINCE}'\"").replace('"item.changed"', f"\"'{SINCE}'\""), Vendor(answer)
    )

    seen, cursor, more = [], SINCE, True
    while more:
        page = one.changes_since(cursor)
        cursor, more = page.cursor, page.more
        seen += [each.key for each in page.tickets]
    assert seen == ["1", "3"]


# -- lists


def test_a_sweep_by_time_never_leaves_a_cursor_ahead_of_what_it_read() -> None:
    rows = [ticket(n, changed=START + timedelta(minutes=n)) for n in range(6)]

    def answer(request: Request) -> Answer:
        found = [row for row in rows if row["changed"] >= request.query["since"]]
        return Answer(body={"items": found[int(request.query["o"]) :][:2]})

    text = document(list='paging = { style = "time", size = 2 }', top="[since]\noverlap_seconds = 900").replace(
        'query = { since = "{since}" }', 'query = { since = "{since}", o = "{offset}" }'
    )
    vendor = Vendor(answer)
    one = connector(text, vendor)
    cursor, more = SINCE, True
    while more:
        page = one.changes_since(cursor)
        cursor, more = page.cursor, page.more

    assert '"2026-03-16T09:05:00Z"' in cursor
    one.changes_since(cursor)
    assert vendor.calls[-1].query["since"] == "2026-03-16T08:49:59Z"


def test_a_list_in_a_query_is_a_name_for_each() -> None:
    text = document().replace(
        'query = { since = "{since}" }', "query = { since = \"{since}\", sort = \"{['changed', 'id']}\" }"
    )
    asked: list[str] = []
    vendor = Vendor(lambda r: Answer(body={"items": []}))
    one = connector(text, lambda environ, start: (asked.append(environ["QUERY_STRING"]), vendor(environ, start))[1])  # type: ignore[arg-type]
    one.changes_since(SINCE)

    assert re.findall(r"sort=(\w+)", asked[-1]) == ["changed", "id"]


# -- one record


def test_a_record_that_says_it_is_gone_is_missing_when_it_is_read() -> None:
    text = document(ticket="is_gone = \"item.state == 'deleted'\"")
    one = connector(text, Vendor(lambda r: Answer(body=ticket(1, state="deleted"))))

    with pytest.raises(Missing, match="reports that the record was deleted"):
        one.glance("1")


def test_a_record_that_another_answers_for_was_merged_into_it() -> None:
    one = connector(document(), Vendor(lambda r: Answer(body=ticket(4))))

    seen = one.glance("5")
    assert (seen.key, seen.merged_into) == ("5", "4")


def test_a_search_that_finds_nothing_is_a_missing_record() -> None:
    text = document().replace(
        '[operations.get]\npath = "/tickets/{key}"', '[operations.get]\npath = "/tickets"\nitem = "first(answer.items)"'
    )
    one = connector(text, Vendor(lambda r: Answer(body={"items": []})))

    with pytest.raises(Missing, match="no such record"):
        one.glance("5")


def test_details_are_read_only_of_the_notes_that_are_kept() -> None:
    said = [{"id": n, "kind": "note" if n % 2 else "log", "at": SINCE} for n in range(6)]
    vendor = Vendor(lambda r: Answer(body={"text": "x"} if r.parts[0] == "notes" else ticket(1, said=said)))
    text = with_notes(
        """
[[notes]]
items = "item.said"
detail = "one"
only = "item.kind == 'note'"
key = "item.id"
text = "detail.text"
visibility = "'public'"
created_at = "item.at"
""",
        operations='[operations.one]\npath = "/notes/{note.id}"\n',
    )
    notes = connector(text, vendor).notes("1")

    assert [note.key for note in notes] == ["1", "3", "5"]
    assert [call.path for call in vendor.calls if call.parts[0] == "notes"] == ["/notes/1", "/notes/3", "/notes/5"]


# -- writing


def test_names_in_a_body_may_be_settings() -> None:
    vendor = Vendor(lambda r: Answer(status=201, body=ticket(1, ref="TH")))
    text = document().replace('ref = "{change.reference}" }', '"cf_{settings.key_name}" = "{change.reference}" }')
    text = text.replace("[connect]\n", '[[settings]]\nname = "key_name"\nlabel = "K"\n\n[connect]\n', 1)
    connector(text, vendor, key_name="7").push(Change(id="1", kind="create", reference="TH", fields={"title": "x"}))

    assert body(vendor.calls[-1]) == {"title": "x", "cf_7": "TH"}


def test_a_setting_that_was_left_empty_is_nothing() -> None:
    vendor = Vendor(lambda r: Answer(body={"items": []}))
    text = document().replace('query = { since = "{since}" }', 'query = { since = "{since}", tag = "{settings.tag}" }')
    text = text.replace("[connect]\n", '[[settings]]\nname = "tag"\nlabel = "T"\nrequired = false\n\n[connect]\n', 1)
    connector(text, vendor).changes_since(SINCE)
    connector(text, vendor, tag="ours").changes_since(SINCE)

    assert [call.query.get("tag") for call in vendor.calls] == [None, "ours"]


LINKED = with_notes(
    """
[[notes]]
items = "item.said"
key = "item.id"
text = "item.text"
visibility = "'public'"
created_at = "item.at"

[[errors]]
status = [409]
is = "refused"
message = "answer.error"
"""
).replace(
    NOTES,
    """
[[operations.note]]
name = "made"
method = "POST"
path = "/messages"
when = "change.visibility == 'public'"
body = { text = "{change.marked}" }

[[operations.note]]
name = "now"
path = "/tickets/{key}"

[[operations.note]]
method = "PATCH"
path = "/tickets/{key}"
headers = { If-Match = "{heads.now.etag}" }
body = { link = "{steps.made.id}" }
conflict_again = true
""",
)


def test_a_conflict_begins_again_where_the_etag_was_read_and_writes_nothing_twice() -> None:
    state = {"etag": 1, "refused": 0, "texts": 0}

    def answer(request: Request) -> Answer:
        if request.method == "POST":
            state["texts"] += 1
            return Answer(status=201, body={"id": 70 + state["texts"]})
        if request.method == "PATCH" and not state["refused"]:
            state["refused"], state["etag"] = 1, 2
            return Answer(status=412, body={"error": "changed"})
        if request.method == "PATCH":
            assert request.headers["if-match"] == "2"
            return Answer(body={})
        said = [{"id": 71, "text": "hi", "at": SINCE}]
        return Answer(body=ticket(1, said=said), headers=(("ETag", str(state["etag"])),))

    one = connector(LINKED, Vendor(answer))
    one.push(Change(id="1", kind="note", key="1", text="hi", visibility="public"))

    assert state == {"etag": 2, "refused": 1, "texts": 1}


def test_a_conflict_without_end_is_unclear_where_something_was_written() -> None:
    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            return Answer(status=412, body={"error": "changed"})
        return Answer(status=201 if request.method == "POST" else 200, body=ticket(1, id=7), headers=(("ETag", "1"),))

    vendor = Vendor(answer)
    with pytest.raises(Unclear, match="changed again by somebody else"):
        connector(LINKED, vendor).push(Change(id="1", kind="note", key="1", text="hi", visibility="public"))
    assert [call.method for call in vendor.calls] == ["POST", "GET", "PATCH", "GET", "PATCH"]


def test_a_rule_that_says_what_409_means_goes_before_trying_again() -> None:
    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            return Answer(status=409, body={"error": "status has no node 99"})
        return Answer(status=201 if request.method == "POST" else 200, body=ticket(1, id=7), headers=(("ETag", "1"),))

    one = connector(LINKED, Vendor(answer))
    with pytest.raises(Refused, match="Desk reported: status has no node 99"):
        one.push(Change(id="1", kind="note", key="1", text="hi", visibility="public"))


def test_a_rule_for_errors_may_be_of_one_operation() -> None:
    rule = '[[errors]]\noperation = "get"\nstatus = [400]\nis = "missing"\nmessage = "answer.error"\n'
    one = connector(document(rest=rule), Vendor(lambda r: Answer(status=400, body={"error": "no such"})))

    with pytest.raises(Missing, match="Desk reported: no such"):
        one.glance("1")
    with pytest.raises(Refused, match="returned status 400: error: no such"):
        one.push(Change(id="1", kind="create", reference="TH", fields={"title": "x"}))


def test_a_part_that_is_a_file_says_what_it_is() -> None:
    text = with_notes(
        '[[notes]]\nitems = "item.said"\nkey = "item.id"\ntext = "item.text"\nvisibility = "\'public\'"\n'
        'created_at = "item.at"\n[[files]]\nitems = "item.files"\nkey = "item.id"\nname = "item.name"\n'
        'mark = "item.mark"\n',
        operations='[operations.file]\nmethod = "POST"\npath = "/f"\nmultipart = { mark = "{change.mark}" }\n'
        'file_field = "upload"\n[operations.download]\npath = "/files/{file.id}"\n',
    ).replace('files = "no"\n', "")
    mark = "01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab@ABCDEFGH"
    files = [{"id": 3, "name": "a.png", "mark": mark}]
    vendor = Vendor(lambda r: Answer(status=201 if r.method == "POST" else 200, body=ticket(1, files=files)))
    connector(text, vendor).push(
        Change(id="1", kind="file", key="1", name="a.png", content=b"x", visibility="public", mark=mark)
    )

    [sent] = [call.body for call in vendor.calls if call.method == "POST"]
    assert b'name="upload"; filename="a.png"\r\nContent-Type: image/png\r\n' in sent


# -- the judge


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('title = "item.title"', 'title = "{item.title}"', "Write the expression without { }."),
        (
            'item = "answer"',
            'item = "answer"\nrefuse = "x"\nmessage = "There is no such thing"',
            "Put fixed text in quotes",
        ),
        ('path = "/tickets/{key}"', 'path = "/tickets/{me.id}"', "“me” is text and has no “id”."),
        ('{ title = "{fields.title}"', '{ title = "fields.title"', "Did you mean {fields.title}?"),
        ('since = "{since}"', "since = '{\"a\":1}'", "Write {{ and }} for literal braces"),
        (
            'items = "answer.items"',
            'items = "answer.items.filter(i, i.x)"\npaging = { style = "page", size = 9 }',
            "operations.list.items: Do not filter here",
        ),
        ("[lacks]", '[since]\nwrite = "%Q-%!"\n[lacks]', "since.write: “%Q-%!” is not a format"),
        ("[lacks]", "[limits]\nrequests = 5\n[lacks]", "limits: Enter both requests and seconds"),
        ("[lacks]", '[[errors]]\noperation = "gte"\nstatus = [400]\nis = "refused"\n[lacks]', "no [operations.gte]"),
        ("[lacks]", '[operations.find]\npath = "/x"\nitems = "answer"\n[lacks]', "lacks.find: There is an [operations"),
        ('changed_at = "item.changed"', "", "ticket.changed_at: Enter where it is, or add changed_at to [lacks]"),
    ],
)
def test_mistakes_are_named_in_words_that_say_what_to_do(old: str, new: str, told: str) -> None:
    text = document().replace(old, new, 1)
    assert text != document()
    with pytest.raises(BadProfile) as refused:
        validation.read(text)
    assert told in str(refused.value)


# -- the bench


@pytest.mark.django_db
def test_the_bench_does_not_call_what_was_not_kept_working(us: Organisation) -> None:
    kept = ticket(1)

    def answer(request: Request) -> Answer:
        if request.method in ("POST", "PATCH"):
            kept["title"] = body(request).get("title", kept["title"])
        is_list = request.path == "/tickets" and request.method == "GET"
        found = [kept] if is_list and kept["changed"] >= request.query["since"] else []
        return Answer(status=201 if request.method == "POST" else 200, body={"items": found} if is_list else kept)

    tried = {one.what: one for one in Bench(connector(document(), Vendor(answer))).tries(writes=True)}

    made = tried["creating a ticket"]
    assert (made.outcome, "our reference" in made.told, "created twice" in made.told) == ("fails", True, True)


@pytest.mark.django_db
def test_the_bench_stops_where_we_are_not_let_in(us: Organisation) -> None:
    vendor = Vendor(lambda r: Answer(status=401, body={}))
    tried = list(Bench(connector(document(), vendor)).tries(writes=True))

    assert [(one.what, one.outcome) for one in tried] == [("credentials and settings", "fails")]
    assert len(vendor.calls) == 1


def test_an_answer_that_fits_no_expression_says_which() -> None:
    text = document(ticket='number = "number(item.title)"')
    one = connector(text, Vendor(lambda r: Answer(body=ticket(1))))

    with pytest.raises(Refused, match=r"number\(item.title\)"):
        one.glance("1")


# -- versions


@pytest.mark.django_db
def test_a_document_of_long_ago_becomes_a_version_of_its_own() -> None:
    first = profiles.publish(profiles.take_in(document(), connector="rest"))
    second = profiles.publish(
        profiles.take_in(document().replace('name = "Desk"', 'name = "Desk 2"'), connector="rest")
    )

    again = profiles.take_in(document(), connector="rest")

    assert (first.version, second.version, again.version, again.status) == (1, 2, 3, "draft")


def test_lock_outs_name_their_setting() -> None:
    one = connector(document(), Vendor(lambda r: Answer(status=401, body={})))
    with pytest.raises(LockedOut) as error:
        one.changes_since(datetime(2026, 3, 16, tzinfo=UTC).isoformat())
    assert error.value.field == "key"
