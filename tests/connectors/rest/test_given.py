"""What a profile says once for all requests, which names are set where, lists that are null, statuses of theirs."""

from __future__ import annotations

import dataclasses
import json
from urllib.parse import parse_qs

import pytest

from connectors.engine.mapping import mapping_suggestions
from connectors.kit.contract import Change, RemoteFile
from connectors.kit.errors import Refused
from connectors.kit.simulating import Answer, Request
from connectors.rest import validation
from connectors.rest.schema import BadProfile
from connectors.wizard.forms.mapping import WordsForm
from tests.connectors.rest.vendor import START, Vendor, body, connector, document, ticket

ONE_ADDRESS = """
slug = "one"
name = "One address"

[[settings]]
name = "address"
label = "Address"
default = "https://one.test"

[connect]
base = "{settings.address}"
wrong = "address"

[defaults]
method = "POST"
path = "/rest.php"
query = { version = "1.3" }
headers = { X-Client = "hub" }

[operations.list]
is_read = true
form = { ask = "{json({'find': 'changed', 'since': since, 'page': page, 'size': limit})}" }
items = "answer.objects"
null_is_empty = true
paging = { style = "page", size = 2 }

[operations.get]
is_read = true
query = { depth = "2" }
form = { ask = "{json({'get': key})}" }
item = "answer.object"

[operations.create]
form = { ask = "{json({'new': fields.title, 'ref': change.reference, 'number': change.ticket})}" }
item = "answer.object"

[operations.update]
method = "PUT"
form = { ask = "{json({'id': key, 'title': fields.title, 'ref': change.reference})}" }

[operations.file]
form = { ask = "{json({'id': key, 'name': change.name, 'data': base64(change.content)})}" }

[operations.download]
form = { ask = "{json({'file': file.id, 'of': key})}" }

[[files]]
items = "item.files"
key = "item.id"
name = "item.name"

[ticket]
key = "item.id"
created_at = "item.made"
changed_at = "item.changed"
reference = "item.ref"

[ticket.fields]
title = "item.title"

[lacks]
who = "no"
notes = "no"
find = "no"
hooks = "no"
"""


def asked(request: Request) -> dict[str, object]:
    return dict(json.loads(parse_qs(request.body.decode())["ask"][0]))


def test_what_is_said_once_holds_for_every_request_that_says_nothing_else() -> None:
    vendor = Vendor(lambda _request: Answer(body={"object": ticket(7), "objects": None}))
    made = connector(ONE_ADDRESS, vendor)
    made.fetch("7")
    made.push(Change(id="x", kind="fields", key="7", fields={"title": "No 7"}))

    get, put = vendor.calls[0], next(call for call in vendor.calls if call.method == "PUT")
    assert (get.method, get.path, dict(get.query)) == ("POST", "/rest.php", {"version": "1.3", "depth": "2"})
    assert (put.path, dict(put.query), asked(put)["title"]) == ("/rest.php", {"version": "1.3"}, "No 7")
    assert {call.headers.get("x-client") or call.headers.get("X-Client") for call in vendor.calls} == {"hub"}


def test_a_form_may_name_what_a_query_may_and_a_list_may_be_null() -> None:
    pages = [[ticket(1, changed=START), ticket(2, changed=START)], None]
    vendor = Vendor(lambda request: Answer(body={"objects": pages[int(str(asked(request)["page"])) - 1]}))
    made = connector(ONE_ADDRESS, vendor)
    page = made.changes_since("2026-03-16T08:00:00Z")
    rest = made.changes_since(page.cursor)

    assert [each.key for each in page.tickets] == ["1", "2"]
    assert (rest.tickets, rest.more) == ((), False)
    assert asked(vendor.calls[0])["size"] == 2


def test_a_list_that_is_null_is_a_fault_where_the_profile_does_not_allow_it() -> None:
    text = ONE_ADDRESS.replace("null_is_empty = true\n", "")
    made = connector(text, Vendor(lambda _request: Answer(body={"objects": None})))
    with pytest.raises(Refused, match="without a list"):
        made.changes_since("2026-03-16T08:00:00Z")


def test_a_file_may_be_asked_for_in_a_form() -> None:
    vendor = Vendor(lambda _request: Answer(raw=b"bytes", kind="application/octet-stream"))
    file = RemoteFile(key="9", name="a.bin", size=5, visibility="", author="", is_ours=False, created_at=START)
    assert connector(ONE_ADDRESS, vendor).content("7", file) == b"bytes"
    assert asked(vendor.calls[-1]) == {"file": "9", "of": "7"}


def test_our_number_can_stand_beside_our_reference() -> None:
    vendor = Vendor(lambda _request: Answer(body={"object": ticket(7)}))
    connector(ONE_ADDRESS, vendor).push(
        Change(id="x", kind="create", reference="TH-R", label="TH-1042", fields={"title": "t"})
    )
    assert asked(vendor.calls[0]) == {"new": "t", "ref": "TH-R", "number": "TH-1042"}


@pytest.mark.parametrize(
    ("old", "new", "where", "name"),
    [
        ("'get': key}", "'get': key, 'since': since}", "operations.get.form", "since"),
        ("'new': fields.title", "'new': fields.title, 'id': key", "operations.create.form", "key"),
        ("'of': key}", "'of': key, 'v': change.visibility}", "operations.download.form", "change"),
        ('query = { depth = "2" }', 'query = { depth = "{page}" }', "operations.get.query", "page"),
        ("'page': page", "'page': page, 'r': reference", "operations.list.form", "reference"),
        ('method = "PUT"\n', 'method = "PUT"\nwhen = "text(file.id) != \'\'"\n', "operations.update.when", "file"),
    ],
)
def test_a_name_that_is_never_set_is_an_error_on_save(old: str, new: str, where: str, name: str) -> None:
    assert ONE_ADDRESS.count(old) == 1
    with pytest.raises(BadProfile) as wrong:
        validation.read(ONE_ADDRESS.replace(old, new))
    [mistake] = wrong.value.mistakes
    assert mistake.where == where
    assert mistake.what.startswith(f"“{name}” has no value in this request, so it would be left out. Available here: ")


@pytest.mark.parametrize(
    ("defaults", "where"), [('method = "FETCH"', "method"), ('path = "/{nobody.knows}"', "path"), ("x = 1", "x")]
)
def test_a_mistake_in_the_defaults_names_its_place(defaults: str, where: str) -> None:
    text = ONE_ADDRESS.replace('method = "POST"\npath = "/rest.php"', f'path = "/rest.php"\n{defaults}', 1)
    text = text.replace(f'path = "/rest.php"\n{defaults}', defaults) if where == "path" else text
    with pytest.raises(BadProfile) as wrong:
        validation.read(text)
    assert any(where in mistake.where for mistake in wrong.value.mistakes)


def test_a_reference_is_checked_where_its_field_is_a_value_of_the_search() -> None:
    """As Bugzilla's f1, o1, v1: a field that is not the one the reference is in finds some for everybody."""
    text = document(
        top='[[settings]]\nname = "field"\nlabel = "Field"\ndefault = "cf_ref"\n',
        operations='[operations.find]\npath = "/tickets"\nquery = { f1 = "{settings.field}", o1 = "equals", '
        'v1 = "{reference}" }\nitems = "answer.items"\n',
        lacks='who = "no"\nnotes = "no"\nfiles = "no"\nhooks = "no"\n',
    ).replace('reference = "item.ref"', 'reference = "item[settings.field]"')

    def answer(request: Request) -> Answer:
        found = [] if request.query.get("since") else [{**ticket(1), "cf_ref": "TH-other"}]
        return Answer(body={"items": found})

    with pytest.raises(Refused, match="The field for our reference is not the right one") as refused:
        connector(text, Vendor(answer)).check()
    assert refused.value.field == "field"


STATUSES = """
[picklists.status]
values = [{ value = "open", label = "In progress" }, { value = "late", label = "Escalated", theirs = true }]
"""


def test_a_status_that_only_their_system_sets_is_written_for_nothing() -> None:
    text = document(fields='status = "item.status"', rest=STATUSES)
    choices = connector(text, Vendor(lambda _request: Answer(body={"items": []}))).picklists()["status"]
    assert [(choice.value, choice.is_theirs) for choice in choices] == [("open", False), ("late", True)]
    swapped = [dataclasses.replace(choice, is_theirs=not choice.is_theirs) for choice in choices]
    assert [row.says for row in mapping_suggestions.statuses(choices)] == ["working", ""]
    assert [row.says for row in mapping_suggestions.statuses(swapped)] == ["", "working"]

    form = WordsForm(
        mapping_suggestions.statuses(choices), {}, {}, [], {"verb_0": "work", "verb_1": "work", "says_1": "working"}
    )
    assert list(form.errors) == ["says_1"]


def test_a_body_of_theirs_is_json_still() -> None:
    vendor = Vendor(lambda _request: Answer(body=ticket(1)))
    connector(document(), vendor).push(Change(id="x", kind="create", reference="R", fields={"title": "t"}))
    assert body(vendor.calls[0]) == {"title": "t", "ref": "R"}


DETAILED = ONE_ADDRESS.replace(
    'name = "item.name"',
    'name = "detail.file.name"\nsize = "detail.file.size"\ndetail = "one_file"\nonly = "item.kind == \'file\'"',
).replace(
    "[[files]]", "[operations.one_file]\nis_read = true\nform = { ask = \"{json({'about': key})}\" }\n\n[[files]]"
)


def test_a_file_whose_list_tells_too_little_is_read_one_by_one() -> None:
    files = [{"id": 1, "kind": "file"}, {"id": 2, "kind": "link"}]

    def answer(request: Request) -> Answer:
        about = asked(request).get("about")
        if about:
            return Answer(body={"file": {"name": f"scan {about}.pdf", "size": 7}})
        return Answer(body={"object": {**ticket(7), "files": files}})

    vendor = Vendor(answer)
    [file] = connector(DETAILED, vendor).fetch("7").files or ()

    assert (file.key, file.name, file.size) == ("1", "scan 1.pdf", 7)
    assert [asked(call).get("about") for call in vendor.calls if "about" in asked(call)] == ["1"]


def test_a_detail_that_nobody_reads_is_a_mistake() -> None:
    with pytest.raises(BadProfile, match=r"files\.0\.detail: This is missing"):
        validation.read(
            DETAILED.replace('detail = "one_file"\n', "").replace("[operations.one_file]", "[operations.find]")
        )
