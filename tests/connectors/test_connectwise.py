"""What ConnectWise does its own way; what every connector has to do stands in test_conformance."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.connectwise import signing
from connectors.connectwise.conditions import instant, quoted
from connectors.connectwise.connector import ConnectWise
from connectors.connectwise.errors import explain
from connectors.connectwise.places import visibility_of
from connectors.connectwise.signing import signature
from connectors.connectwise.simulated_conditions import compiled
from connectors.connectwise.simulated_tenant import Tenant
from connectors.connectwise.simulator import Simulator
from connectors.kit.conformance import Time, changes
from connectors.kit.contract import Change
from connectors.kit.errors import BadSignature, Forbidden, LockedOut, Refused, TryLater
from connectors.kit.simulating import Fault, Injected
from connectors.kit.wiring import wired
from tests import wire

DOMAIN = "ledgerline.test"
CLOUD = "https://na.myconnectwise.net"
MARK = "01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def company() -> Tenant:
    return Tenant(
        name="Ledgerline",
        domain=DOMAIN,
        company="ledgerline",
        companies={"250": "Northwind"},
        people={"lledger": "Lena Ledger"},
    )


@pytest.fixture
def double(company: Tenant, time: Time) -> Iterator[Simulator]:
    signing._KEYS.clear()
    made = Simulator([company], base=CLOUD, now=time)
    wrong = wire.watched(made, wire.connectwise())
    yield made
    assert wrong == []


def values(company: Tenant, **more: str) -> dict[str, str]:
    return {
        "site": "na.myconnectwise.net",
        "company": "ledgerline",
        "public_key": company.public_key,
        "private_key": company.private_key,
        "client_id": company.client_id,
        "member": company.api_member,
        "company_id": "250",
        "board_id": "1",
    } | more


@pytest.fixture
def cw(double: Simulator, company: Tenant, time: Time) -> ConnectWise:
    return wired(ConnectWise, values(company), double, now=time)


def create(cw: ConnectWise, **more: str) -> str:
    fields = {"title": "Printing fails", "description": "0x11b", "status": "16", "priority": "3"}
    return cw.push(Change(id="1", kind="create", reference="TH-1", mark=MARK, fields=fields | more)).key


def test_the_cloud_is_reached_under_api_and_the_codebase(cw: ConnectWise) -> None:
    cw.check()
    assert cw.ports.memory["base"] == "https://api-na.myconnectwise.net/v2025_1/apis/3.0"


def test_a_server_of_their_own_is_reached_under_its_own_name(company: Tenant, time: Time) -> None:
    own = Simulator([company], base="https://cw.ledgerline.test", now=time)
    cw = wired(ConnectWise, values(company, site="https://cw.ledgerline.test/"), own, now=time)
    cw.check()
    assert cw.ports.memory["base"] == "https://cw.ledgerline.test/v2025_1/apis/3.0"


def test_after_an_upgrade_the_new_codebase_is_found(cw: ConnectWise, company: Tenant) -> None:
    key = create(cw)
    company.codebase = "v2026_2/"
    assert cw.fetch(key).key == key
    assert "v2026_2" in cw.ports.memory["base"]


def test_a_site_that_is_none_is_named(company: Tenant, time: Time) -> None:
    def elsewhere(environ: dict[str, Any], start: Any) -> Any:
        start("404 Not Found", [("Content-Type", "text/html")])
        return [b"<html>"]

    with pytest.raises(Refused) as refused:
        wired(ConnectWise, values(company), elsewhere, now=time).check()
    assert refused.value.field == "site"


def test_a_role_that_may_too_little_is_said(cw: ConnectWise, company: Tenant) -> None:
    company.is_allowed = False
    with pytest.raises(Forbidden, match="Your security role does not allow this"):
        cw.fetch("1")


def test_the_first_note_is_our_description_and_known_as_ours(cw: ConnectWise) -> None:
    [note] = cw.notes(create(cw))
    assert (note.is_ours, note.mark, note.text.startswith("0x11b")) == (True, MARK, True)


def test_a_description_is_written_once_and_never_patched(cw: ConnectWise) -> None:
    assert "description" in cw.insert_only


@pytest.mark.parametrize(
    ("flags", "place"),
    [
        ("d", "discussion"),
        ("i", "internal"),
        ("r", "resolution"),
        ("di", "discussion"),
        ("ir", "resolution"),
        ("dr", "discussion"),
        ("dir", "discussion"),
        ("", "internal"),
    ],
)
def test_a_note_is_internal_only_if_nothing_shows_it_to_customers(flags: str, place: str) -> None:
    note = {
        "detailDescriptionFlag": "d" in flags,
        "internalAnalysisFlag": "i" in flags,
        "resolutionFlag": "r" in flags,
    }
    assert visibility_of(note) == place


def test_a_note_without_a_place_is_refused_there(double: Simulator, cw: ConnectWise) -> None:
    key = create(cw)
    http = cw.api.http()
    with pytest.raises(Refused, match="choose where to display"):
        http.write("POST", f"service/tickets/{key}/notes", {"text": "x", "detailDescriptionFlag": False})


def test_booked_time_says_to_whom_it_is_shown(cw: ConnectWise, double: Simulator) -> None:
    key = create(cw)
    double.act(DOMAIN, "time", ticket=key, by="lledger", text="for all", is_public=True)
    double.act(DOMAIN, "time", ticket=key, by="lledger", text="for us", internal="secret")

    assert {n.text: n.visibility for n in cw.notes(key) if n.key.startswith("time.")} == {
        "for all": "discussion",
        "for us": "internal",
        "secret": "internal",
    }


def test_a_merged_ticket_says_into_which(cw: ConnectWise, double: Simulator) -> None:
    one, other = create(cw), create(cw)
    double.act(DOMAIN, "merge", ticket=one, by="lledger", into=other)
    assert cw.fetch(one).merged_into == other


@pytest.mark.parametrize(("settings", "wanted"), [({}, False), ({"notify": "yes"}, True)])
def test_no_mail_goes_out_for_what_we_write_unless_it_is_wanted(
    double: Simulator, company: Tenant, time: Time, settings: dict[str, str], wanted: bool
) -> None:
    sent: list[Any] = []
    cw = wired(ConnectWise, values(company) | settings, double, now=time, watch=lambda r: sent.append(r.body))

    key = create(cw)
    cw.push(Change(id="2", kind="note", key=key, text="Note", visibility="discussion", mark=MARK))

    notified = [json.loads(body)["processNotifications"] for body in sent if body]
    assert notified == [wanted, wanted]


@pytest.mark.parametrize(
    "key_url",
    [
        None,
        7,
        "",
        "https://evil.test/v/system/callbackkey/x",
        "http://na.myconnectwise.net/v/callbackkey/x",
        "https://na.myconnectwise.net.evil.test/callbackkey/x",
        "https://na.myconnectwise.net@evil.test/callbackkey/x",
        "https://user@na.myconnectwise.net/callbackkey/x",
        "https://na.myconnectwise.net:8443/callbackkey/x",
        "https://na.myconnectwise.net/other/path",
        "//na.myconnectwise.net/callbackkey/x",
        "https://[::1/callbackkey/",
        "file:///etc/passwd",
        "https://169.254.169.254/callbackkey/",
    ],
)
def test_a_key_on_another_host_is_never_asked_for(double: Simulator, company: Tenant, time: Time, key_url: Any) -> None:
    asked: list[str] = []
    cw = wired(ConnectWise, values(company), double, now=time, watch=lambda r: asked.append(str(r.url)))
    body = json.dumps({"ID": 7, "Type": "ticket", "Metadata": {"key_url": key_url}}).encode()

    with pytest.raises(BadSignature):
        cw.read_hook({"x-content-signature": signature("guessed", body)}, body)
    assert asked == []


def test_the_key_is_asked_for_once_without_credentials(double: Simulator, company: Tenant, time: Time) -> None:
    seen: list[Any] = []
    cw = wired(ConnectWise, values(company), double, now=time, watch=seen.append)
    body = json.dumps({"ID": 7, "Type": "ticket", "Metadata": {"key_url": double.key_url(company)}}).encode()
    for _ in range(3):
        cw.read_hook({"x-content-signature": signature(company.signing_key, body)}, body)

    assert len(seen) == 1
    assert not {"Authorization", "clientId"} & set(seen[0].headers)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        ({"x-content-signature": "x"}, b"no json"),
        ({"x-content-signature": "x"}, b"[" * 50_000),
        ({"x-content-signature": "x"}, b"\xff\xfe"),
        ({"x-content-signature": "x"}, b"[1]"),
    ],
)
def test_what_is_not_signed_or_is_no_json_makes_no_call(
    double: Simulator, company: Tenant, time: Time, headers: dict[str, str], body: bytes
) -> None:
    asked: list[str] = []
    cw = wired(ConnectWise, values(company), double, now=time, watch=lambda r: asked.append(str(r.url)))
    signed = body if headers else json.dumps({"Metadata": {"key_url": double.key_url(company)}}).encode()

    with pytest.raises(BadSignature):
        cw.read_hook(headers, signed)
    assert asked == []


def test_a_key_is_asked_for_once_a_minute_whoever_asks_and_kept_for_all_processes(
    double: Simulator, company: Tenant, time: Time
) -> None:
    """Made-up addresses at the vendor's own host, too."""
    asked: list[str] = []
    sealed: dict[str, str] = {}
    free = [True]
    cw = wired(ConnectWise, values(company), double, now=time, watch=lambda r: asked.append(str(r.url)))
    cw.ports = replace(
        cw.ports,
        may_ask_for_key=lambda: free.pop() if free else False,
        secret=lambda name: sealed.get(name, ""),
        keep_secret=sealed.__setitem__,
    )
    real = double.key_url(company)
    body = json.dumps({"ID": 7, "Type": "ticket", "Metadata": {"key_url": real}}).encode()
    headers = {"x-content-signature": signature(company.signing_key, body)}
    assert cw.read_hook(headers, body).key == "7"
    for number in range(3):
        made_up = json.dumps({"ID": 7, "Metadata": {"key_url": f"{real}{number}"}}).encode()
        with pytest.raises(TryLater):
            cw.read_hook({"x-content-signature": "x"}, made_up)
    signing._KEYS.clear()  # as in another process, which may not ask either

    assert cw.read_hook(headers, body).key == "7"
    assert asked == [real]


def test_two_callbacks_at_once_share_the_one_key_that_is_asked_for(
    double: Simulator, company: Tenant, time: Time
) -> None:
    """The second used to hear "try again" while the first was asking, and this vendor does not try again for long."""
    free, asking, go_on = [True], threading.Event(), threading.Event()

    def slowly(_request: object) -> None:
        asking.set()
        assert go_on.wait(10)

    cw = wired(ConnectWise, values(company), double, now=time, watch=slowly)
    cw.ports = replace(cw.ports, may_ask_for_key=lambda: free.pop() if free else False)
    body = json.dumps({"ID": 7, "Type": "ticket", "Metadata": {"key_url": double.key_url(company)}}).encode()
    headers = {"x-content-signature": signature(company.signing_key, body)}

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cw.read_hook, headers, body)
        assert asking.wait(10)
        second = pool.submit(cw.read_hook, headers, body)
        assert not wait([second], timeout=0.3).done
        go_on.set()
        assert (first.result(10).key, second.result(10).key) == ("7", "7")


def test_while_the_key_cannot_be_had_a_callback_is_asked_for_again(
    double: Simulator, company: Tenant, time: Time
) -> None:
    double.faults.append(Injected("GET", "/callbackkey/", status=503, times=1))
    cw = wired(ConnectWise, values(company), double, now=time)
    body = json.dumps({"ID": 7, "Type": "ticket", "Metadata": {"key_url": double.key_url(company)}}).encode()
    headers = {"x-content-signature": signature(company.signing_key, body)}

    with pytest.raises(TryLater):
        cw.read_hook(headers, body)
    assert cw.read_hook(headers, body).key == "7"


def test_a_callback_about_time_names_the_ticket_it_was_booked_on(
    cw: ConnectWise, double: Simulator, company: Tenant
) -> None:
    news = {"ID": 99, "Type": "time", "Entity": '{"chargeToId": 7}', "Metadata": {"key_url": double.key_url(company)}}
    body = json.dumps(news).encode()
    assert cw.read_hook({"x-content-signature": signature(company.signing_key, body)}, body).key == "7"


def test_strays_are_removed_and_exactly_one_of_each_is_left(cw: ConnectWise, company: Tenant) -> None:
    for number, url in enumerate(("https://hub.example/hooks/1/old", "https://hub.example/hooks/1/?recordId=")):
        company.callbacks[str(number + 1)] = {
            "id": number + 1,
            "url": url,
            "objectId": 1,
            "type": "ticket",
            "level": "owner",
            "inactiveFlag": False,
        }
    cw.register_hook("https://hub.example/hooks/1/")

    found = sorted((c["type"], c["level"], c["objectId"], c["url"]) for c in company.callbacks.values())
    address = "https://hub.example/hooks/1/?recordId="
    assert found == [("ticket", "board", 1, address), ("time", "company", 250, address)]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"code": "InvalidObject", "message": "x", "errors": [{"message": "The summary is required."}]}, Refused),
        (400, {"code": "ApiFindCondition", "message": "wrong", "errors": None}, Refused),
        (400, {"code": "InvalidObject", "errors": [{"code": "ObjectExists"}]}, Refused),
        (401, {"code": "Unauthorized", "message": "wrong"}, LockedOut),
        (403, {"code": "Security", "message": "SSL is required."}, Forbidden),
        (409, {"code": "Conflict", "message": "in use"}, TryLater),
        (415, {"code": "x", "message": "JSON"}, Refused),
        (429, {"error": "ConnectWiseAPI", "message": "Too many requests. Please try again in 30 seconds."}, TryLater),
    ],
)
def test_each_no_of_theirs_is_named_by_what_to_do_next(status: int, body: Any, error: type[Exception]) -> None:
    assert isinstance(explain(status, body), error)
    if status == 429:
        assert getattr(explain(status, body), "after", None) == 30


@pytest.mark.parametrize("body", [None, [], "x", {}, {"errors": "x"}, {"errors": [None, 7]}])
def test_a_no_without_words_is_understood_all_the_same(body: Any) -> None:
    for status in (400, 401, 403, 404, 409, 429, 500):
        explain(status, body)


def test_times_in_conditions_can_be_naive() -> None:
    at = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert (instant(at), instant(at, is_naive=True)) == ("[2026-01-05T09:30:00Z]", "[2026-01-05T09:30:00]")
    assert quoted('x" or id>0 or y="') == '"x or id>0 or y="'


def test_what_their_search_lets_through_by_mistake_is_left_out(double: Simulator, company: Tenant, time: Time) -> None:
    """A server that ignores the zone, or the whole condition, answers with too much."""
    cw = wired(ConnectWise, values(company), double, now=time)
    double.act(DOMAIN, "open", by="lledger", title="Old")
    time.at += timedelta(days=2)
    cursor = cw.changes_since("").cursor
    fault = Injected("GET", "/service/tickets", status=200, body=json.dumps(list(company.tickets.values())).encode())
    double.faults.append(fault)

    assert changes(cw, cursor).tickets == ()


def test_pages_that_never_end_are_noticed(double: Simulator, company: Tenant, cw: ConnectWise) -> None:
    create(cw)
    page = json.dumps(list(company.tickets.values())).encode()
    link = (("Link", '<https://api-na.myconnectwise.net/x>; rel="next"'),)
    double.faults.append(Injected("GET", "/service/tickets", status=200, body=page, headers=link, times=99))

    with pytest.raises(Refused, match="does not end"):
        cw.find("TH-1")


@pytest.mark.parametrize("conditions", ["id", "id=", "id in 1", 'summary="open', "(id=1", "id=1)", "id ~ 1", "; drop"])
def test_conditions_that_make_no_sense_are_refused_there(conditions: str) -> None:
    with pytest.raises(Fault) as fault:
        compiled(conditions)
    assert fault.value.body["code"] == "ApiFindCondition"


def test_conditions_are_understood_there() -> None:
    ticket = {"id": 7, "board": {"id": 3}, "status": {"name": "New"}, "closedFlag": False}
    assert compiled('board/id in (3,2) and status/name!="Closed" and (id=7 or id=8) and closedFlag=false')(ticket)
    assert not compiled('status/name like "Clo*" or summary contains "x"')(ticket)


def test_people_are_called_by_their_names_and_asked_for_once(double: Simulator, company: Tenant, time: Time) -> None:
    asked: list[str] = []
    cw = wired(ConnectWise, values(company), double, now=time, watch=lambda r: asked.append(str(r.url)))
    key = str(double.act(DOMAIN, "open", by="lledger", title="Theirs")["id"])
    double.act(DOMAIN, "file", ticket=key, by="lledger", name="a.txt", text="a")
    ticket = cw.fetch(key)
    cw.fetch(key)

    assert (ticket.author, [file.author for file in ticket.files or ()]) == ("Lena Ledger", ["Lena Ledger"])
    assert len([url for url in asked if "/system/members" in url]) == 1
