"""The Autotask connector against its simulator; every request is checked against the wire contract."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.autotask.connector import Autotask
from connectors.autotask.simulator import Injected, Simulator, Tenant
from connectors.autotask.webhooks import check_signature, signature
from connectors.kit.conformance import changes
from connectors.kit.contract import Change
from connectors.kit.errors import BadSignature, LockedOut, Missing, Refused, TryLater, Unclear
from connectors.kit.simulating import Answer, Request
from connectors.kit.wiring import wired
from tests import wire

BASE = "https://webservices5.autotask.test"
MARK = "01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab"


class Time:
    """A clock the test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def double(tenant: Tenant, time: Time) -> Iterator[Simulator]:
    made = Simulator([tenant], base=BASE, now=time)
    wrong = wire.watched(made, wire.autotask())
    yield made
    assert wrong == []


def values(tenant: Tenant, **more: str) -> dict[str, str]:
    return {
        "user_name": tenant.api_user,
        "secret": tenant.secret,
        "integration_code": tenant.integration_code,
        "hook_secret": "hook",
        "company_id": "175",
        "queue_id": "8",
        "note_type": "1",
        "zone_lookup": f"{BASE}/ATServicesRest",
    } | more


@pytest.fixture
def autotask(double: Simulator, tenant: Tenant, time: Time) -> Autotask:
    return wired(Autotask, values(tenant), double, now=time)


def create(autotask: Autotask, **more: Any) -> str:
    fields = {"title": "Printing fails", "description": "0x11b", "status": "1", "priority": "1"}
    return autotask.push(Change(id="1", kind="create", reference="TH-1", fields=fields | more)).key


def test_every_call_and_every_answer_is_checked(double: Simulator, shared: Any) -> None:
    contract = wire.autotask()
    assert contract is not None
    call = Request(
        method="POST",
        path="/ATServicesRest/V1.0/Tickets",
        query={},
        body=b'{"title": "x"}',
        headers={"content-type": "application/json", "username": "u", "secret": "s", "apiintegrationcode": "c"},
    )

    with pytest.raises(Exception, match=r"(?i)validat|error|missing|body"):
        contract.judge(call, Answer(body={"itemId": 1}))
    listed = Request(method="GET", path="/ATServicesRest/V1.0/Tickets/1", query={}, body=b"", headers=call.headers)
    with pytest.raises(Exception, match=r"(?i)data|schema"):
        contract.judge(listed, Answer(body={"item": {"id": "seven"}}))


def test_check_learns_the_zone_and_who_we_are(autotask: Autotask) -> None:
    checked = autotask.check()

    assert checked.own_user == "502"
    assert checked.facts == {"zone": f"{BASE}/ATServicesRest", "company": "Northwind"}


@pytest.mark.parametrize(
    ("wrong", "error", "field"),
    [
        ({"user_name": "hub@nowhere.test"}, Refused, "user_name"),
        ({"secret": "no"}, LockedOut, "secret"),
        ({"integration_code": "no"}, LockedOut, "integration_code"),
        ({"queue_id": "99"}, Refused, "queue_id"),
        ({"note_type": "99"}, Refused, "note_type"),
        ({"company_id": "99"}, Refused, "company_id"),
    ],
)
def test_check_names_the_setting_that_is_wrong(
    double: Simulator, tenant: Tenant, time: Time, wrong: dict[str, str], error: type[Exception], field: str | None
) -> None:
    with pytest.raises(error) as refused:
        wired(Autotask, values(tenant, **wrong), double, now=time).check()

    assert getattr(refused.value, "field", None) == field
    assert tenant.secret not in str(refused.value)


def test_a_ticket_is_made_read_back_and_found_by_our_reference(autotask: Autotask, tenant: Tenant) -> None:
    key = create(autotask)

    assert tenant.tickets[key]["externalID"] == "TH-1"
    assert autotask.find("TH-1") == (key,)
    assert autotask.find("TH-2") == ()
    assert autotask.fetch(key).fields == {
        "title": "Printing fails",
        "description": "0x11b",
        "status": "1",
        "priority": "1",
    }


def test_notes_and_files_carry_our_mark_and_are_known_as_ours(autotask: Autotask) -> None:
    key = create(autotask)
    autotask.push(Change(id="2", kind="note", key=key, text="hello", visibility="1", mark=MARK, name="Ada"))
    autotask.push(Change(id="3", kind="file", key=key, content=b"abc", visibility="4", mark=MARK, name="a.txt"))

    found = autotask.fetch(key)

    assert found.notes is not None
    assert found.files is not None
    assert [(n.text, n.visibility, n.is_ours, n.mark) for n in found.notes] == [("hello", "1", True, MARK)]
    assert [(f.name, f.visibility, f.is_ours, f.mark) for f in found.files] == [("a.txt", "4", True, MARK)]
    assert autotask.content(key, found.files[0]) == b"abc"


def test_changes_bring_tickets_notes_and_names(autotask: Autotask, double: Simulator) -> None:
    cursor = autotask.changes_since("").cursor
    key = create(autotask)
    double.act("deskside.test", "note", ticket=key, by="501", text="Looking", publish=2)

    page = changes(autotask, cursor)

    assert [(t.key, [(n.text, n.author, n.is_ours) for n in t.notes or ()]) for t in page.tickets] == [
        (key, [("Looking", "Dora Desk", False)])
    ]
    assert page.cursor > cursor


def test_the_same_page_twice_is_the_same(autotask: Autotask) -> None:
    cursor = autotask.changes_since("").cursor
    create(autotask)

    assert changes(autotask, cursor) == changes(autotask, cursor)


def test_more_than_a_page_is_read_to_its_end(autotask: Autotask, double: Simulator) -> None:
    cursor = autotask.changes_since("").cursor
    for number in range(1203):
        double.act("deskside.test", "open", by="501", title=f"T{number}")

    page = changes(autotask, cursor)

    assert len(page.tickets) == len({ticket.key for ticket in page.tickets}) == 1203


def test_polling_rests_while_the_hourly_limit_is_mostly_used(autotask: Autotask, tenant: Tenant, time: Time) -> None:
    cursor = autotask.changes_since("").cursor
    tenant.requests = 6000
    with pytest.raises(TryLater, match="6001 of the 10000 hourly requests") as busy:
        changes(autotask, cursor)
    assert busy.value.after == 300
    create(autotask)

    tenant.requests = 100
    page = changes(autotask, cursor)
    asked = tenant.requests
    changes(autotask, cursor)

    assert len(page.tickets) == 1
    # A page of tickets and what was said on it, then the rest: the limit is asked for once in five minutes.
    assert tenant.requests - asked == 8


def test_what_a_workflow_rule_wrote_is_not_conversation(autotask: Autotask, double: Simulator, tenant: Tenant) -> None:
    key = create(autotask)
    double.add_note(tenant, key, "501", {"description": "Rule fired", "publish": 1, "noteType": 13})

    assert autotask.notes(key) == ()


def test_credentials_never_follow_a_link_to_another_host(
    double: Simulator, tenant: Tenant, time: Time, autotask: Autotask
) -> None:
    create(autotask)
    called: list[str] = []

    def elsewhere(environ: dict[str, Any], start: Any) -> Any:
        called.append(environ["PATH_INFO"])
        if not environ["PATH_INFO"].endswith("/query"):
            return double(environ, start)
        start("200 OK", [("Content-Type", "application/json")])
        return [b'{"items": [], "pageDetails": {"nextPageUrl": "https://evil.test/next"}}']

    with pytest.raises(Refused, match="another host"):
        wired(Autotask, values(tenant), elsewhere, now=time).find("TH-1")
    assert called[-1].endswith("/Tickets/query")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Injected("POST", "/Tickets", status=500), Unclear),
        (Injected("POST", "/Tickets", status=500, loses_answer=True), Unclear),
        (Injected("POST", "/Tickets", status=429, headers=(("Retry-After", "7"),)), TryLater),
        (Injected("POST", "/Tickets", status=404), Missing),
        (Injected("POST", "/Tickets", status=302), Refused),
    ],
)
def test_a_write_that_fails_is_named_by_what_to_do_next(
    autotask: Autotask, double: Simulator, fault: Injected, error: type[Exception]
) -> None:
    autotask.check()
    double.faults.append(fault)

    with pytest.raises(error) as raised:
        create(autotask)

    assert getattr(raised.value, "after", 7.0) in (None, 7.0)


def test_a_500_with_errors_is_a_no_and_without_it_a_fault(autotask: Autotask, double: Simulator) -> None:
    autotask.check()
    with pytest.raises(Refused, match="existing entity for status"):
        create(autotask, status="77")

    double.faults.append(Injected("GET", "/Tickets/1", status=500))
    with pytest.raises(TryLater):
        autotask.fetch("1")


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("content", [b"<html>Please log in</html>", b'{"items": [', b'{"nothing": 1}'])
def test_an_answer_that_is_no_answer_is_never_an_empty_list(
    tenant: Tenant, double: Simulator, time: Time, content: bytes, status: int
) -> None:
    def broken(environ: dict[str, Any], start: Any) -> Any:
        if not environ["PATH_INFO"].endswith("/query"):
            return double(environ, start)
        start(f"{status} OK", [("Content-Type", "text/html")])
        return [content]

    with pytest.raises((TryLater, Refused)):
        wired(Autotask, values(tenant), broken, now=time).find("TH-1")


def test_a_database_that_moved_is_found_in_its_new_zone(double: Simulator, tenant: Tenant, time: Time) -> None:
    old = "https://webservices1.autotask.test"
    called: list[str] = []

    def moved(environ: dict[str, Any], start: Any) -> Any:
        return double(environ, start)

    def watch(request: requests.PreparedRequest) -> None:
        called.append(str(request.url))
        if str(request.url).startswith(old):
            request.headers["Secret"] = "not accepted here"

    connector = wired(Autotask, values(tenant), moved, now=time, watch=watch)
    connector.ports.memory["zone"] = f"{old}/ATServicesRest"

    assert connector.find("TH-1") == ()
    assert [url.split("/ATServicesRest")[0] for url in called] == [old, BASE, BASE]


def test_a_ticket_that_is_gone_is_missing(autotask: Autotask) -> None:
    with pytest.raises(Missing):
        autotask.fetch("4711")


def test_the_signature_is_what_openssl_says() -> None:
    body = b'{"Action":"Update"}'

    # printf '{"Action":"Update"}' | openssl dgst -sha1 -hmac enkmoj676nwh8 -binary | base64
    assert signature("enkmoj676nwh8", body) == "sha1=5xG1Wr+4oKilgQIFcyyrHyUY2mk="
    check_signature("s", {"x-hook-signature": signature("s", body)}, body)


@pytest.mark.parametrize(
    ("secret", "headers"),
    [
        ("s", {}),
        ("s", {"X-Hook-Signature": ""}),
        ("s", {"X-Hook-Signature": "sha1=ÿÿ"}),
        ("s", {"X-Hook-Signature": signature("other", b"{}")}),
        ("s", {"X-Hook-Signature": signature("s", b"{ }")}),
        ("", {"X-Hook-Signature": signature("", b"{}")}),
    ],
)
def test_a_hook_that_is_not_signed_with_our_secret_is_refused(secret: str, headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        check_signature(secret, headers, b"{}")


def test_a_hook_is_registered_with_our_own_writes_excluded(autotask: Autotask, tenant: Tenant) -> None:
    made = autotask.register_hook("https://hub.example/hooks/1/").key

    hook = tenant.hooks[made]
    assert hook["excluded"] == [502]
    assert hook["fields"] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "request_",
    [
        ("PATCH", "/Tickets/7001", {"id": 7001}, 405),
        ("POST", "/TicketNotes", {"ticketID": 1}, 404),
        ("POST", "/Tickets/query", {"filter": []}, 500),
        ("POST", "/Tickets/query", {"filter": [{"op": "gt", "field": "id", "value": 0}], "MaxRecords": 501}, 500),
        ("POST", "/Tickets", {"companyID": 175, "title": "x", "status": 1, "priority": 1}, 500),
    ],
)
def test_the_double_refuses_what_the_service_refuses(
    double: Simulator, tenant: Tenant, request_: tuple[str, str, dict[str, Any], int]
) -> None:
    double.watchers.clear()  # wrong on purpose
    method, path, body, status = request_
    answers: list[str] = []
    content = json.dumps(body).encode()
    double(
        {
            "REQUEST_METHOD": method,
            "PATH_INFO": f"/ATServicesRest/V1.0{path}",
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
            "HTTP_USERNAME": tenant.api_user,
            "HTTP_SECRET": tenant.secret,
            "HTTP_APIINTEGRATIONCODE": tenant.integration_code,
        },
        lambda s, h: answers.append(s),
    )

    assert answers[0].startswith(str(status))


# -- what part 2 brought


def test_notes_and_tickets_in_anothers_name_are_still_ours(double: Simulator, tenant: Tenant, time: Time) -> None:
    tenant.impersonable.append("501")
    connector = wired(Autotask, values(tenant, impersonate_id="501"), double, now=time)
    key = create(connector)
    made = connector.push(Change(id="2", kind="note", key=key, text="hello", visibility="1", mark=MARK, name="Us")).key

    assert tenant.notes[made]["creatorResourceID"] == 501
    [note] = connector.notes(key)
    assert (note.is_ours, note.author, note.mark) == (True, "Dora Desk", MARK)


def test_a_resource_that_may_not_be_impersonated_is_a_no(double: Simulator, tenant: Tenant, time: Time) -> None:
    with pytest.raises(Refused, match="adequate permissions"):
        create(wired(Autotask, values(tenant, impersonate_id="501"), double, now=time))


def test_our_reference_can_stand_in_a_user_defined_field(double: Simulator, tenant: Tenant, time: Time) -> None:
    tenant.udfs.append("Hub ticket")
    connector = wired(Autotask, values(tenant, reference_field="Hub ticket"), double, now=time)
    key = create(connector)
    ticket = tenant.tickets[key]

    assert (ticket["externalID"], ticket["userDefinedFields"]) == ("", [{"name": "Hub ticket", "value": "TH-1"}])
    assert connector.find("TH-1") == (key,)
    assert connector.fetch(key).reference == "TH-1"
    assert connector.carrying("TH-", time.at - timedelta(days=1)) == {"TH-1": (key,)}


def test_a_deleted_ticket_is_told_by_the_log_of_deletions(autotask: Autotask, double: Simulator) -> None:
    key = create(autotask)
    cursor = autotask.changes_since("").cursor
    double.act("deskside.test", "delete", ticket=key, by="501")

    assert changes(autotask, cursor).gone == (key,)


def test_four_calls_at_once_at_one_endpoint_are_too_many(double: Simulator, tenant: Tenant, autotask: Autotask) -> None:
    autotask.check()
    double.busy[(tenant.domain, "Tickets")] = 3

    with pytest.raises(TryLater):
        autotask.fetch("7001")


def test_more_than_ten_megabytes_within_five_minutes_wait(autotask: Autotask, double: Simulator) -> None:
    key = create(autotask)
    half = Change(id="3", kind="file", key=key, name="a.bin", content=b"x" * 6_000_000, visibility="1", mark=MARK)
    autotask.push(half)
    with pytest.raises(TryLater):
        autotask.push(half)
