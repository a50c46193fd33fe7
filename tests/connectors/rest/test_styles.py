"""Each style that REST systems are found with: ways in, pages, times, writes, errors, calls to us."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from connectors.kit import oauth
from connectors.kit.conformance import changes
from connectors.kit.contract import Change, Connector, HookConnector
from connectors.kit.errors import (
    BadSignature,
    ConnectorError,
    LockedOut,
    Missing,
    Refused,
    TryLater,
    Unclear,
    Unsupported,
)
from connectors.kit.simulating import Answer, Request
from connectors.rest import auth
from tests.connectors.rest.vendor import START, Clock, Vendor, body, connector, document, ticket

SINCE = "2026-03-16T09:00:00Z"
LONG = "a-cursor-that-is-longer-than-most-" * 9


@pytest.fixture(autouse=True)
def _no_tokens() -> None:
    oauth._TOKENS.clear()


def empty(_request: Request) -> Answer:
    return Answer(body={"items": []})


# -- ways in


def sent(vendor: Vendor, name: str) -> str:
    return vendor.calls[-1].headers.get(name, "")


@pytest.mark.parametrize(
    ("connect", "header", "value"),
    [
        ('user = "hub"\npassword = "{secrets.key}"', "authorization", auth.basic("hub", "s3cret")),
        ('user = "{secrets.key}"\npassword = "X"', "authorization", "Basic czNjcmV0Olg="),
        ('bearer = "{secrets.key}"', "authorization", "Bearer s3cret"),
        ('headers = { X-Api-Key = "{secrets.key}", X-Tenant = "7" }', "x-api-key", "s3cret"),
    ],
)
def test_we_are_let_in_by_a_header(connect: str, header: str, value: str) -> None:
    vendor = Vendor(empty)
    changes(connector(document(connect=connect), vendor), SINCE)

    assert sent(vendor, header) == value


def test_we_are_let_in_by_a_key_in_the_query() -> None:
    vendor = Vendor(empty)
    changes(connector(document(connect='query = { api_key = "{secrets.key}" }'), vendor), SINCE)

    assert vendor.calls[-1].query["api_key"] == "s3cret"


TOKEN = """
[connect.token]
url = "https://desk.test/oauth/token"
client_id = "hub"
client_secret = "{secrets.key}"
form = { scope = "tickets" }
query = { tenant = "acme" }
"""


class Office:
    """Gives tokens, and takes only the newest one."""

    def __init__(self) -> None:
        self.given = 0
        self.refresh = "refresh-0"

    def __call__(self, request: Request) -> Answer:
        if request.path == "/oauth/token":
            form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.refresh:
                return Answer(status=400, body={"error": "invalid_grant"})
            if form.get("client_secret") != "s3cret":
                return Answer(status=401, body={"error": "invalid_client"})
            self.given += 1
            self.refresh = f"refresh-{self.given}"
            told = {"access_token": f"token-{self.given}", "expires_in": 3600}
            return Answer(body=told | ({"refresh_token": self.refresh} if "refresh" in form["grant_type"] else {}))
        if request.headers.get("authorization") != f"Bearer token-{self.given}":
            return Answer(status=401, body={})
        return Answer(body={"items": []})


def test_a_token_is_asked_for_once_and_again_when_it_is_refused() -> None:
    office = Office()
    vendor = Vendor(office)
    one = connector(document(connect=TOKEN), vendor)
    changes(one, SINCE)
    changes(one, SINCE)
    assert office.given == 1
    assert vendor.calls[0].query == {"tenant": "acme"}
    assert b"scope=tickets" in vendor.calls[0].body

    office.given = 7  # somebody else's log-in ended ours
    changes(one, SINCE)
    assert office.given == 8


def test_a_wrong_client_secret_names_its_setting() -> None:
    with pytest.raises(LockedOut) as refused:
        changes(connector(document(connect=TOKEN), Vendor(Office()), key="wrong"), SINCE)

    assert (refused.value.field, "s3cret" in str(refused.value)) == ("key", False)


def test_a_refresh_token_is_kept_when_it_changes_and_a_quicker_workers_is_used() -> None:
    office = Office()
    kept = {"refresh": "refresh-0"}
    text = document(
        connect=TOKEN + 'grant = "refresh_token"\nrefresh = "refresh"\n',
        top='[[settings]]\nname = "refresh"\nlabel = "R"\nsecret = true\n',
    )
    one = connector(text, Vendor(office), refresh="refresh-0")
    tokens = one.caller.tokens  # type: ignore[attr-defined]
    tokens.ports = _with_secrets(tokens.ports, kept)
    changes(one, SINCE)
    assert kept["refresh"] == "refresh-1"

    oauth._TOKENS.clear()
    office.refresh = kept["refresh"] = "refresh-9"  # another worker exchanged it meanwhile
    office.given = 9
    tokens.ports = _with_secrets(tokens.ports, {"refresh": "refresh-9"}, first="refresh-1")
    changes(one, SINCE)
    assert office.given == 10


def _with_secrets(ports: Any, kept: dict[str, str], first: str = "") -> Any:
    from dataclasses import replace

    answers = [first] if first else []
    return replace(
        ports,
        secret=lambda name: answers.pop(0) if answers else kept.get(name, ""),
        keep_secret=lambda name, value: kept.__setitem__(name, value),
    )


def test_a_log_in_of_their_own_making_gives_a_session() -> None:
    connect = """
[connect.token]
grant = "none"
method = "GET"
url = "https://desk.test/initSession"
headers = { Authorization = "user_token {secrets.key}" }
pick = "answer.session_token"
header = "Session-Token"
prefix = ""
"""

    def answer(request: Request) -> Answer:
        if request.path == "/initSession":
            assert (request.method, request.headers["authorization"]) == ("GET", "user_token s3cret")
            return Answer(body={"session_token": "abc"})
        return Answer(body={"items": []})

    vendor = Vendor(answer)
    one = connector(document(connect=connect), vendor)
    changes(one, SINCE)
    changes(one, SINCE)
    assert [call.path for call in vendor.calls] == ["/initSession", "/tickets", "/tickets"]
    assert sent(vendor, "session-token") == "abc"


def test_a_list_that_tells_too_little_and_ends_with_an_error() -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/tickets":
            at = int(request.query["o"])
            if at >= 6:
                return Answer(status=400, body=["ERROR_RANGE_EXCEED_TOTAL", "x"])
            return Answer(body={"items": [{"2": n} for n in range(at + 1, at + 4)]})
        return Answer(body=ticket(int(request.parts[-1])))

    text = document(
        list='again = "item[\'2\']"\npaging = { style = "offset", size = 3 }',
        rest='[[errors]]\nstatus = [400]\nwhen = "answer[0] == \'ERROR_RANGE_EXCEED_TOTAL\'"\nis = "end"\n',
    ).replace('query = { since = "{since}" }', 'query = { since = "{since}", o = "{offset}" }')

    assert [t.key for t in changes(connector(text, Vendor(answer)), SINCE).tickets] == [str(n) for n in range(1, 7)]


def test_files_that_lie_in_notes_and_come_as_base64() -> None:
    def answer(request: Request) -> Answer:
        if request.parts[0] == "files":
            return Answer(body={"data": base64.b64encode(b"trace").decode()})
        notes = [{"nr": 4, "by": "Mia", "files": [{"id": 8, "name": "a.txt"}]}, {"nr": 5, "by": "Ben", "files": []}]
        return Answer(body={**ticket(1), "notes": notes})

    text = document(
        operations="""
[operations.file]
method = "POST"
path = "/tickets/{key}/files"
body = { name = "{change.mark} {change.name}" }

[operations.download]
path = "/files/{file.parent.nr}/{file.id}"
content = "from_base64(answer.data)"
""",
        rest="""
[[files]]
items = "item.notes"
within = "item.files"
key = "item.id"
name = "item.name"
author = "parent.by"
""",
        lacks="".join(f'{name} = "no"\n' for name in ("who", "notes", "find")),
    )
    vendor = Vendor(answer)
    one = connector(text, vendor)
    [file] = one.fetch("1").files or ()

    assert (file.key, file.name, file.author) == ("8", "a.txt", "Mia")
    assert one.content("1", file) == b"trace"
    assert vendor.calls[-1].path == "/files/4/8"


def test_a_request_is_signed() -> None:
    connect = """
[connect.signed]
header = "X-Signature"
key = "{secrets.key}"
content = "{method}\\n{path}\\n{query}\\n{body}"
encoding = "base64"
prefix = "v1="
"""
    vendor = Vendor(lambda request: Answer(status=201, body=ticket(1)))
    connector(document(connect=connect), vendor).push(Change(id="1", kind="create", fields={"title": "Größe"}))
    call = vendor.calls[-1]
    mac = hmac.new(b"s3cret", b"POST\n/tickets\n\n" + call.body, hashlib.sha256).digest()

    assert call.headers["x-signature"] == "v1=" + base64.b64encode(mac).decode()


def test_the_address_is_asked_for_and_asked_for_again_when_it_moved() -> None:
    places = iter(("one", "two"))

    def answer(request: Request) -> Answer:
        if request.path == "/where":
            return Answer(body={"url": f"https://desk.test/{next(places)}"})
        return Answer(body={"items": []}) if request.path.startswith("/two") else Answer(status=404, body={})

    text = document(
        connect='discover = { url = "{settings.address}/where", pick = "answer.url", again_on = [404] }'
    ).replace('base = "{settings.address}"', 'base = "{discovered}"')
    vendor = Vendor(answer)
    changes(connector(text, vendor), SINCE)

    assert [call.path for call in vendor.calls] == ["/where", "/one/tickets", "/where", "/two/tickets"]


# -- pages


def paged(style: str, answer: Callable[[Request], Answer], **more: str) -> tuple[Connector, Vendor]:
    vendor = Vendor(answer)
    return connector(document(list=f"paging = {style}", **more), vendor), vendor


ALL = [ticket(number, changed=START + timedelta(seconds=number)) for number in range(1, 8)]


def test_pages_by_number() -> None:
    vendor = Vendor(lambda r: Answer(body={"items": ALL[(int(r.query.get("p", 1)) - 1) * 3 :][:3]}))
    text = document(list='paging = { style = "page", size = 3 }').replace(
        'query = { since = "{since}" }', 'query = { since = "{since}", p = "{page}", n = "{limit}" }'
    )
    one = connector(text, vendor)

    assert [t.key for t in changes(one, SINCE).tickets] == [str(n) for n in range(1, 8)]
    assert [(c.query["p"], c.query["n"]) for c in vendor.calls] == [("1", "3"), ("2", "3"), ("3", "3")]


@pytest.mark.parametrize("total", [7, 3, 0, 99, None])
def test_pages_by_offset_whatever_total_they_claim(total: int | None) -> None:
    def answer(request: Request) -> Answer:
        at = int(request.query["o"])
        return Answer(body={"items": ALL[at : at + 3], "total": total})

    text = document(list='paging = { style = "offset", size = 3, total = "answer.total" }').replace(
        'query = { since = "{since}" }', 'query = { since = "{since}", o = "{offset}" }'
    )

    assert len({t.key for t in changes(connector(text, Vendor(answer)), SINCE).tickets}) == 7


def test_a_page_that_they_cap_is_no_reason_to_stop() -> None:
    def answer(request: Request) -> Answer:
        at = int(request.query["o"])
        return Answer(body={"items": ALL[at : at + 2], "total": 7})  # asked for 5, gives 2

    text = document(list='paging = { style = "offset", size = 5, total = "answer.total" }').replace(
        'query = { since = "{since}" }', 'query = { since = "{since}", o = "{offset}" }'
    )

    assert len(changes(connector(text, Vendor(answer)), SINCE).tickets) == 7


def test_pages_by_cursor_and_one_that_goes_in_a_circle() -> None:
    def answer(request: Request) -> Answer:
        at = int(request.query.get("c") or 0)
        return Answer(body={"items": ALL[at : at + 3], "next": at + 3 if at + 3 < 7 else None})

    text = document(list='paging = { style = "cursor", next = "answer.next" }').replace(
        'query = { since = "{since}" }', 'query = { since = "{since}", c = "{cursor}" }'
    )
    vendor = Vendor(answer)
    assert len(changes(connector(text, vendor), SINCE).tickets) == 7
    assert "c" not in vendor.calls[0].query

    round_ = Vendor(lambda r: Answer(body={"items": ALL[:3], "next": LONG if r.query.get("c") == "b" else "b"}))
    with pytest.raises(Refused, match="repeats its pages"):
        changes(connector(text, round_), SINCE)


def test_pages_by_link_header_stay_at_their_own_host() -> None:
    def answer(request: Request) -> Answer:
        at = int(request.query.get("at", 0))
        link = f'<https://desk.test/tickets?at={at + 3}>; rel="next", <https://desk.test/x>; rel="last"'
        return Answer(body={"items": ALL[at : at + 3]}, headers=[("Link", link)] if at + 3 < 7 else ())

    text = document(list='paging = { style = "link" }')
    assert len(changes(connector(text, Vendor(answer)), SINCE).tickets) == 7

    away = Vendor(lambda r: Answer(body={"items": ALL[:3]}, headers=[("Link", '<https://evil.test/>; rel="next"')]))
    with pytest.raises(Refused, match="another host"):
        changes(connector(text, away), SINCE)
    assert {call.headers["host"] for call in away.calls} == {"desk.test"}


def test_pages_by_an_address_in_the_body() -> None:
    def answer(request: Request) -> Answer:
        at = int(request.query.get("at", 0))
        further = f"https://desk.test/tickets?at={at + 3}" if at + 3 < 7 else None
        return Answer(body={"items": ALL[at : at + 3], "next_page": further})

    one, vendor = paged(
        '{ style = "next_url", next = "answer.next_page" }', answer, connect='query = { k = "{secrets.key}" }'
    )

    assert len(changes(one, SINCE).tickets) == 7
    assert [call.query["k"] for call in vendor.calls] == ["s3cret"] * 3


def test_pages_by_key() -> None:
    def answer(request: Request) -> Answer:
        after = int(request.query.get("a") or 0)
        return Answer(body={"items": [t for t in ALL if t["id"] > after][:3]})

    text = document(list='paging = { style = "keyset", size = 3, key = "item.id" }').replace(
        'query = { since = "{since}" }', 'query = { since = "{since}", a = "{after}" }'
    )
    vendor = Vendor(answer)

    assert len(changes(connector(text, vendor), SINCE).tickets) == 7
    assert [call.query.get("a") for call in vendor.calls] == [None, "3", "6"]


def test_pages_by_time_lose_nothing_while_records_move_to_the_end() -> None:
    rows = [ticket(n, changed=START + timedelta(seconds=n)) for n in range(1, 8)]

    def answer(request: Request) -> Answer:
        found = sorted(
            (r for r in rows if r["changed"] >= request.query["since"]), key=lambda r: (r["changed"], r["id"])
        )
        at = int(request.query["o"])
        page = found[at : at + 3]
        rows[0]["changed"] = (START + timedelta(minutes=len(vendor.calls))).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Answer(body={"items": [dict(r) for r in page]})

    vendor = Vendor(answer)
    text = document(list='paging = { style = "time", size = 3 }', top="[since]\noverlap_seconds = 0").replace(
        'query = { since = "{since}" }', 'query = { since = "{since}", o = "{offset}" }'
    )
    one = connector(text, vendor)
    cursor, seen = SINCE, set()
    for _ in range(12):
        page = one.changes_since(cursor)
        seen |= {t.key for t in page.tickets}
        cursor = page.cursor
        if not page.more:
            break

    assert seen == {str(n) for n in range(1, 8)}


def test_more_in_one_second_than_a_page_holds() -> None:
    rows = [ticket(n, changed=START) for n in range(1, 9)]

    def answer(request: Request) -> Answer:
        at = int(request.query["o"])
        return Answer(body={"items": [r for r in rows if r["changed"] >= request.query["since"]][at : at + 3]})

    text = document(list='paging = { style = "time", size = 3 }').replace(
        'query = { since = "{since}" }', 'query = { since = "{since}", o = "{offset}" }'
    )

    assert len({t.key for t in changes(connector(text, Vendor(answer)), SINCE).tickets}) == 8


def test_an_export_goes_on_where_it_said() -> None:
    def answer(request: Request) -> Answer:
        at = int((request.query.get("c") or "c0")[1:])
        return Answer(body={"items": ALL[at : at + 3], "after": f"c{min(at + 3, 7)}", "end": at + 3 >= 7})

    text = document(
        list='paging = { style = "cursor", next = "answer.after", export = true }',
        top='[since]\nwrite = "epoch"\n',
    ).replace('query = { since = "{since}" }', 'query = { start_time = "{since}", c = "{cursor}" }')
    vendor = Vendor(answer)
    one = connector(text, vendor)
    first = changes(one, SINCE)
    assert len({t.key for t in first.tickets}) == 7
    assert vendor.calls[0].query["start_time"].isdigit()

    ALL.append(ticket(8, changed=START + timedelta(minutes=9)))
    try:
        later = one.changes_since(first.cursor)
    finally:
        ALL.pop()
    assert [t.key for t in later.tickets] == ["8"]


# -- traps


def test_a_filter_that_is_ignored_is_told_before_anybody_relies_on_it() -> None:
    old = [ticket(n, changed=datetime(2020, 1, 1, tzinfo=UTC)) for n in range(3)]
    one = connector(document(), Vendor(lambda r: Answer(body={"items": old})))

    with pytest.raises(Refused, match="ignored our filter") as refused:
        one.check()
    assert "operations.list.query" in str(refused.value)
    with pytest.raises(Refused, match="ignores our filter"):
        one.changes_since(SINCE)


@pytest.mark.parametrize(
    "raw", [b"<html>log in</html>", b"", b"null", b"[]", b'{"items": null}', b'{"items": {"1": {}}}', b'{"error": "x"}']
)
def test_what_is_no_list_is_never_an_empty_one(raw: bytes) -> None:
    one = connector(document(), Vendor(lambda r: Answer(raw=raw)))

    with pytest.raises((Refused, TryLater)):
        changes(one, SINCE)


def test_a_yes_that_means_no_is_a_no() -> None:
    text = document(list="", create='ok = "answer.success != false"\nmessage = "answer.error"')
    one = connector(text, Vendor(lambda r: Answer(body={"success": False, "error": "no such queue"})))

    with pytest.raises(Refused, match="no such queue"):
        one.push(Change(id="1", kind="create", fields={"title": "x"}))


def test_a_change_that_was_not_kept_is_a_no() -> None:
    one = connector(document(), Vendor(lambda r: Answer(body=ticket(1) if r.method == "GET" else {})))

    with pytest.raises(Refused, match="did not change: title"):
        one.push(Change(id="1", kind="fields", key="1", fields={"title": "Other"}))


def test_numbers_as_texts_and_texts_as_numbers_are_read_the_same() -> None:
    one = connector(
        document(), Vendor(lambda r: Answer(body={"items": [ticket(5), {**ticket(0), "id": "5", "title": 5}]}))
    )

    assert [(t.key, t.fields["title"]) for t in changes(one, SINCE).tickets] == [("5", "No 5"), ("5", "5")]


# -- times


@pytest.mark.parametrize(
    ("times", "value", "read"),
    [
        ('read = ["iso"]\nzone = "Europe/Berlin"', "2026-07-01 12:00:00", "2026-07-01T10:00:00"),
        ('read = ["%d/%m/%Y %H:%M"]\nzone = "America/New_York"', "01/07/2026 12:00", "2026-07-01T16:00:00"),
        ('read = ["iso"]', 1782907200, "2026-07-01T12:00:00"),
        ('read = ["iso"]', 1782907200000, "2026-07-01T12:00:00"),
        ('read = ["iso"]', "2026-07-01T12:00:00.000+02:00", "2026-07-01T10:00:00"),
        ('read = ["http"]', "Wed, 01 Jul 2026 12:00:00 GMT", "2026-07-01T12:00:00"),
    ],
)
def test_times_are_read_as_they_write_them(times: str, value: Any, read: str) -> None:
    one = connector(
        document(top=f"[times]\n{times}"),
        Vendor(lambda r: Answer(body={**ticket(1), "made": value, "changed": value})),
    )

    assert one.fetch("1").created_at.isoformat() == f"{read}+00:00"


@pytest.mark.parametrize(
    ("since", "written"),
    [
        ('write = "%Y-%m-%d %H:%M"\nzone = "Europe/Berlin"\nresolution_seconds = 60', "2026-03-16 09:44"),
        ('write = "epoch"', "1773650699"),
        ('write = "epoch_ms"\noverlap_seconds = 0', "1773651599000"),
        ('write = "%Y-%m-%d"\nresolution_seconds = 86400\noverlap_seconds = 0', "2026-03-15"),
    ],
)
def test_since_is_written_as_they_want_it(since: str, written: str) -> None:
    vendor = Vendor(empty)
    changes(connector(document(top=f"[since]\n{since}"), vendor), SINCE)

    assert vendor.calls[-1].query["since"] == written


# -- writing


def test_a_status_that_is_a_transition_is_asked_for_by_name() -> None:
    moves = [{"id": "31", "to": {"id": "done"}}, {"id": "21", "to": {"id": "work"}}]
    now = {"status": "new"}

    def answer(request: Request) -> Answer:
        if request.path.endswith("/transitions"):
            if request.method == "POST":
                now["status"] = next(m["to"]["id"] for m in moves if m["id"] == body(request)["transition"]["id"])
                return Answer(status=204)
            return Answer(body={"transitions": moves})
        return Answer(body=ticket(1, **now))

    text = document(
        operations="""
[[operations.update]]
name = "moves"
when = "has(fields.status)"
path = "/tickets/{key}/transitions"

[[operations.update]]
method = "POST"
when = "has(fields.status)"
path = "/tickets/{key}/transitions"
require = "steps.moves.transitions.exists(t, t.to.id == fields.status)"
refuse = "From {key} there is no way to the status {fields.status}."
body = { transition = { id = "{first(steps.moves.transitions.filter(t, t.to.id == fields.status)).id}" } }
""",
        fields='status = "item.status"',
        rest='[picklists.status]\nvalues = [{ value = "work", label = "Work" }]\n',
    )
    start, end = text.index("[operations.update]\nmethod"), text.index("[[operations.update]]")
    text = text[:start] + text[end:]
    vendor = Vendor(answer)
    one = connector(text, vendor)
    pushed = one.push(Change(id="1", kind="fields", key="1", fields={"status": "work"}))

    assert pushed.ticket is not None
    assert pushed.ticket.fields["status"] == "work"
    with pytest.raises(Refused, match="no way to the status gone"):
        one.push(Change(id="1", kind="fields", key="1", fields={"status": "gone"}))


def test_an_etag_is_read_first_and_a_conflict_is_tried_once_more() -> None:
    state = {"tag": 1, "title": "old", "refused": 0}

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            if request.headers["if-match"] != f'"{state["tag"]}"' or not state["refused"]:
                state["refused"] += 1
                state["tag"] += 1
                return Answer(status=412, body={})
            state["title"] = body(request)["title"]
            return Answer(body={})
        return Answer(body=ticket(1, title=state["title"]), headers=[("ETag", f'"{state["tag"]}"')])

    text = document(
        operations="""
[[operations.update]]
name = "now"
path = "/tickets/{key}"

[[operations.update]]
method = "PATCH"
path = "/tickets/{key}"
headers = { If-Match = "{heads.now.etag}" }
body = [{ op = "replace", path = "/title", "$when" = "{has(fields.title)}", value = "{fields.title}" }]
conflict_again = true
"""
    )
    start, end = text.index("[operations.update]\nmethod"), text.index("[[operations.update]]")
    text = text[:start] + text[end:].replace('"title": ', "")
    vendor = Vendor(lambda r: answer(r) if r.method != "PATCH" else answer(_flat(r)))
    connector(text, vendor).push(Change(id="1", kind="fields", key="1", fields={"title": "new"}))

    assert (state["title"], state["refused"]) == ("new", 1)
    assert vendor.calls[1].body == b'[{"op": "replace", "path": "/title", "value": "new"}]'


def _flat(request: Request) -> Request:
    from dataclasses import replace

    return replace(request, body=json.dumps({op["path"][1:]: op["value"] for op in body(request)}).encode())


def test_bodies_in_every_wrapping() -> None:
    vendor = Vendor(lambda r: Answer(status=201, body=[ticket(1)]))
    for wrapped, item, expected in (
        ('[{ title = "{fields.title}", ref = "{change.reference}" }]', "answer[0]", [{"title": "x", "ref": "TH"}]),
        (
            '{ ticket = { ref = "{change.reference}", fixed = 7, yes = true, '
            "none = \"{change.key == '' ? null : 1}\" } }",
            "answer[0]",
            {"ticket": {"ref": "TH", "fixed": 7, "yes": True}},
        ),
    ):
        text = document().replace(
            'body = { title = "{fields.title}", ref = "{change.reference}" }', f"body = {wrapped}"
        )
        connector(text.replace('item = "answer"', f'item = "{item}"'), vendor).push(
            Change(id="1", kind="create", reference="TH", fields={"title": "x"})
        )
        assert body(vendor.calls[-1]) == expected


def test_a_form_is_written_as_one() -> None:
    vendor = Vendor(lambda r: Answer(status=201, body=ticket(1)))
    text = document().replace(
        'body = { title = "{fields.title}", ref = "{change.reference}" }',
        'form = { subject = "{fields.title}", ref = "{change.reference}" }',
    )
    connector(text, vendor).push(Change(id="1", kind="create", reference="TH", fields={"title": "a b&c"}))

    assert (vendor.calls[-1].body, vendor.calls[-1].headers["content-type"]) == (
        b"subject=a+b%26c&ref=TH",
        "application/x-www-form-urlencoded",
    )


def test_a_create_that_tells_only_an_id_is_read_again() -> None:
    vendor = Vendor(lambda r: Answer(body=ticket(9) if r.method == "GET" else {"result": {"sys": 9}}))
    text = document().replace('item = "answer"\n', 'key = "answer.result.sys"\n', 1)
    pushed = connector(text, vendor).push(Change(id="1", kind="create", fields={"title": "x"}))

    assert pushed.ticket is not None
    assert (pushed.key, pushed.ticket.fields["title"]) == ("9", "No 9")


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    vendor = Vendor(lambda r: Answer(body=ticket(1)))
    one = connector(document(), vendor)
    for key in ("../admin", "1/2", "1?x=1", "", "..", "1#", "\x00", "x" * 300):
        with pytest.raises(Refused):
            one.fetch(key)
    assert vendor.calls == []


# -- what a no means


@pytest.mark.parametrize(
    ("errors", "answer", "error"),
    [
        (
            'status = [500]\nwhen = "size(answer.errors) > 0"\nis = "refused"\nmessage = "first(answer.errors)"',
            Answer(status=500, body={"errors": ["queue is closed"]}),
            Refused,
        ),
        (
            'status = [200]\nwhen = "has(answer.fault)"\nis = "later"\nafter = "answer.fault.wait"',
            Answer(status=200, body={"fault": {"wait": 17}, "items": []}),
            TryLater,
        ),
        (
            "when = \"headers['x-state'] == 'locked'\"\nis = \"locked_out\"",
            Answer(status=400, body={}, headers=[("X-State", "locked")]),
            LockedOut,
        ),
        ('status = [410]\nis = "missing"', Answer(status=410, body={}), Missing),
    ],
)
def test_errors_are_told_apart_by_status_header_and_body(
    errors: str, answer: Answer, error: type[ConnectorError]
) -> None:
    one = connector(document(rest=f"[[errors]]\n{errors}\n"), Vendor(lambda r: answer))

    with pytest.raises(error) as raised:
        one.fetch("1")
    if isinstance(raised.value, TryLater):
        assert raised.value.after == 17
    assert "Desk" in str(raised.value)


def test_a_write_that_nobody_can_judge_is_unclear() -> None:
    for answer in (Answer(status=500, body={}), Answer(raw=b"<html>"), Answer(raw=b"")):
        with pytest.raises(Unclear):
            connector(document(), Vendor(lambda r, answer=answer: answer)).push(  # type: ignore[misc]
                Change(id="1", kind="create", fields={"title": "x"})
            )


def test_few_calls_left_let_polls_rest_and_not_what_people_wait_for() -> None:
    left = {"n": 3}
    vendor = Vendor(
        lambda r: Answer(
            body={"items": []} if "since" in r.query else ticket(1),
            headers=[("X-Left", str(left["n"])), ("X-Reset", "40")],
        )
    )
    text = document(top='[limits]\nrequests = 100\nseconds = 60\nremaining = "X-Left"\nreset = "X-Reset"\nfloor = 5\n')
    clock = Clock()
    one = connector(text, vendor, clock=clock)
    changes(one, SINCE)
    with pytest.raises(TryLater) as later:
        one.changes_since(SINCE)
    assert later.value.after == 40
    assert one.fetch("1").key == "1"

    clock.at += timedelta(seconds=41)
    one.changes_since(SINCE)


# -- declared lacks


def lacking(*names: str) -> str:
    """The document of a system that has no way for these, and cannot be asked what changed."""
    lacks = ("who", "notes", "files", "find", "changed_since", *names)
    text = document(lacks="".join(f'{name} = "no"\n' for name in lacks))
    text = text.replace('query = { since = "{since}" }\n', "")
    return "\n".join(line for line in text.splitlines() if not line.startswith(tuple(f'{n} = "item' for n in names)))


def test_without_changed_since_the_whole_list_is_read_and_what_changed_is_told() -> None:
    old = [ticket(n, changed=datetime(2020, 1, 1, tzinfo=UTC)) for n in range(3)]
    vendor = Vendor(lambda r: Answer(body={"items": [*old, ticket(3)]}))
    one = connector(lacking(), vendor)
    one.check()

    assert [each.key for each in one.changes_since(SINCE).tickets] == ["3"]


def test_where_nothing_else_asks_the_check_asks_the_list() -> None:
    one = connector(lacking(), Vendor(lambda r: Answer(status=401, body={})))
    with pytest.raises(LockedOut, match="rejected our credentials"):
        one.check()

    odd = connector(lacking(), Vendor(lambda r: Answer(body={"items": [{"name": "x"}]})))
    with pytest.raises(Refused, match=r"None of the first 1 records can be read: .*the record has no ID"):
        odd.check()


def test_times_that_are_read_in_another_zone_are_noticed() -> None:
    def five_hours_off(request: Request) -> Answer:
        asked = datetime.fromisoformat(request.query["since"]) + timedelta(hours=5)
        rows = [ticket(1), ticket(2, changed=START - timedelta(hours=3))]
        return Answer(body={"items": [row for row in rows if datetime.fromisoformat(row["changed"]) >= asked]})

    with pytest.raises(Refused, match="does not list 2, which changed at 2026-03-16 06:00:00 UTC, when asked"):
        connector(document(), Vendor(five_hours_off)).check()


def test_an_empty_reference_is_not_written() -> None:
    text = document().replace("{change.reference == '' ? null : change.reference}", "{change.reference}")
    vendor = Vendor(lambda r: Answer(body=ticket(1, title="New")))
    one = connector(text, vendor)

    one.push(Change(id="c", kind="fields", key="1", fields={"title": "New"}))

    assert [body(call) for call in vendor.calls if call.method != "GET"] == [{"title": "New"}]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(status=400, body={"priority": ["Not a choice."]}), "Desk returned status 400: priority: Not a choice."),
        (
            Answer(status=422, raw=b"<p>No</p>\n<p>such&nbsp;field</p>", kind="text/html"),
            "Desk returned status 422: No such",
        ),
        (Answer(status=404, body={"error": "x"}), "This record does not exist in the vendor's system."),
        (Answer(status=400, body={"error": "x" * 900}), "x …"),
    ],
)
def test_what_they_say_to_a_no_is_told_where_no_rule_reads_it(answer: Answer, said: str) -> None:
    one = connector(document(), Vendor(lambda r: answer))
    with pytest.raises(ConnectorError) as error:
        one.push(Change(id="c", kind="fields", key="1", fields={"title": "New"}))
    assert said in str(error.value)
    assert len(str(error.value)) < 560


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_a_message_of_a_rule_that_comes_out_empty_gives_way_to_all_they_said(status: int) -> None:
    body = {"errorMessages": [], "errors": {"summary": "It may have 255 characters."}}
    rule = '[[errors]]\nstatus = [400]\nis = "refused"\nmessage = "joined(answer.errorMessages, \'; \')"\n'
    one = connector(document(rest=rule), Vendor(lambda r: Answer(status=status, body=body)))
    with pytest.raises(ConnectorError, match="It may have 255 characters"):
        one.push(Change(id="c", kind="fields", key="1", fields={"title": "New"}))


def test_without_times_of_change_the_first_sweep_is_what_lay_there() -> None:
    made = [ticket(1), ticket(2)]
    one = connector(lacking("changed_at"), Vendor(lambda r: Answer(body={"items": made})))
    one.check()
    begun = one.changes_since("")
    made.append(ticket(3, made="2026-03-16T10:00:00Z"))

    first = one.changes_since(begun.cursor)
    second = one.changes_since(first.cursor)

    assert ([each.key for each in first.before], [each.key for each in first.tickets]) == (["1", "2"], ["3"])
    assert ([each.key for each in second.before], len(second.tickets)) == ([], 3)
    assert {each.changed_at for each in second.tickets} == {one.ports.now()}


def test_without_any_times_nothing_is_taken_for_new_at_first() -> None:
    one = connector(lacking("changed_at", "created_at"), Vendor(lambda r: Answer(body={"items": [ticket(1)]})))

    first = one.changes_since(one.changes_since("").cursor)

    assert [(each.key, each.created_at) for each in first.before] == [("1", None)]
    assert one.find("TH-NONE") == ()


def test_keys_that_begin_with_a_zero_stay_as_they_are() -> None:
    rows = [ticket(1, ref="TH-7-A") | {"id": "00ab12"}, ticket(2, ref="TH-7-A") | {"id": "0"}]
    one = connector(document(), Vendor(lambda r: Answer(body={"items": rows})))

    assert set(one.carrying("TH-7-", START)["TH-7-A"]) == {"00ab12", "0"}


def test_without_a_search_our_ticket_is_found_in_the_list() -> None:
    rows = [ticket(1), ticket(2, ref="TH-MINE")]
    one = connector(document(), Vendor(lambda r: Answer(body={"items": rows})))

    assert one.find("TH-MINE") == ("2",)
    with pytest.raises(Unsupported):
        one.notes("1")
    assert not isinstance(one, HookConnector)


NOTES = """
[operations.notes]
path = "/tickets/{key}/notes"
items = "answer"

[[operations.note]]
method = "POST"
path = "/tickets/{key}/public"
when = "change.visibility == 'public'"
body = { text = "{change.marked}" }

[[operations.note]]
method = "POST"
path = "/tickets/{key}/internal"
when = "change.visibility == 'internal'"
body = { text = "{change.marked}" }

[operations.note_text]
path = "/notes/{note.nr}"
"""


def test_notes_without_ids_whose_text_is_read_one_by_one_and_whose_place_is_a_path() -> None:
    said: list[dict[str, Any]] = []

    def answer(request: Request) -> Answer:
        if request.method == "POST":
            said.append(
                {"nr": len(said), "at": SINCE, "by": "us", "place": request.parts[-1], "t": body(request)["text"]}
            )
            return Answer(status=201, body={})
        if request.parts[-1] == "notes":
            return Answer(body=[{k: v for k, v in note.items() if k != "t"} for note in said])
        if request.parts[0] == "notes":
            return Answer(body={"text": said[int(request.parts[-1])]["t"]})
        return Answer(body=ticket(1))

    text = document(
        operations=NOTES,
        rest="""
[[notes]]
operation = "notes"
detail = "note_text"
text = "detail.text"
visibility = "item.place"
author = "item.by"
created_at = "item.at"

[picklists.visibility]
values = [{ value = "public", label = "Public" }, { value = "internal", label = "Internal" }]
""",
        lacks="".join(f'{name} = "no"\n' for name in ("who", "files", "find", "note_key")),
    )
    one = connector(text, Vendor(answer))
    mark = "01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab@ABCDEFGH"
    made = one.push(Change(id="1", kind="note", key="1", text="hello", visibility="internal", mark=mark)).key
    [note] = one.notes("1")

    assert (note.key, note.visibility, note.mark, note.is_ours) == (made, "internal", mark, True)
    assert one.notes("1") == (note,)
    with pytest.raises(Refused, match="has no visibility"):
        one.push(Change(id="2", kind="note", key="1", text="x", visibility="secret", mark=mark))
    assert len(said) == 1


# -- their calls to us


def hooked(rows: str, secret: str = "s3cret") -> Connector:
    text = document(rest=f'[hook]\nkey = "answer.id"\nsecret = "{{secrets.key}}"\n{rows}\n')
    return connector(text, Vendor(empty), key=secret)


RAW = json.dumps({"id": 7, "t": "ü"}, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("rows", "headers"),
    [
        (
            'check = "hmac"\nheader = "X-Hub-Signature"\nprefix = "sha256="',
            {"x-hub-signature": "sha256=" + hmac.new(b"s3cret", RAW, hashlib.sha256).hexdigest()},
        ),
        (
            'check = "hmac"\nheader = "X-S"\nencoding = "base64"\ncontent = "{headers[\'x-t\']}{body}"',
            {"X-T": "12", "X-S": base64.b64encode(hmac.new(b"s3cret", b"12" + RAW, hashlib.sha256).digest()).decode()},
        ),
        (
            'check = "hmac"\nheader = "X-S"\nkey_form = "sha256"\nalgorithm = "sha1"',
            {"X-S": hmac.new(hashlib.sha256(b"s3cret").digest(), RAW, hashlib.sha1).hexdigest()},
        ),
        ('check = "header"\nheader = "X-Token"', {"X-Token": "s3cret"}),
        ('check = "basic"', {"Authorization": "Basic " + base64.b64encode(b"s3cret").decode()}),
    ],
)
def test_a_signed_call_is_believed_and_a_changed_one_is_not(rows: str, headers: dict[str, str]) -> None:
    one = hooked(rows)

    assert one.read_hook(headers, RAW).key == "7"
    assert type(one).signs_hooks
    for spoilt in ({}, dict.fromkeys(headers, "x"), {name: value + "0" for name, value in headers.items()}):
        with pytest.raises(BadSignature):
            one.read_hook(spoilt, RAW)
    if 'check = "hmac"' in rows:
        with pytest.raises(BadSignature):
            one.read_hook(headers, RAW.replace(b"7", b"8"))
    text = document(
        top='[[settings]]\nname = "none"\nlabel = "N"\nsecret = true\n',
        rest=f'[hook]\nkey = "answer.id"\nsecret = "{{secrets.none}}"\n{rows}\n',
    )
    unset = connector(text, Vendor(empty))
    with pytest.raises(BadSignature, match="No secret is set"):
        unset.read_hook(headers, RAW)


def test_a_call_from_another_day_is_not_believed() -> None:
    one = hooked('check = "header"\nheader = "X-Token"\ntimestamp = "headers[\'x-at\']"')
    at = (START + timedelta(hours=1)).timestamp()

    assert one.read_hook({"X-Token": "s3cret", "X-At": str(int(at - 200))}, RAW).key == "7"
    for told in (str(int(at - 400)), str(int(at + 400)), "", "soon"):
        with pytest.raises(BadSignature):
            one.read_hook({"X-Token": "s3cret", "X-At": told}, RAW)


def test_a_batch_is_about_each_of_its_records() -> None:
    text = document(rest='[hook]\nkeys = "answer.map(e, e.object_id)"\n')
    hook = connector(text, Vendor(empty)).read_hook({}, b'[{"object_id": 7}, {"object_id": 9}]')

    assert (hook.key, hook.also) == ("7", ("9",))
    assert not type(connector(text, Vendor(empty))).signs_hooks


# -- certificates, quotas, people


def test_a_poll_rests_where_their_end_point_says_that_few_calls_are_left() -> None:
    left = [40, 3]

    def answers(request: Request) -> Answer:
        if request.path.endswith("/quota"):
            return Answer(body={"rate": {"left": left[-1], "reset": 90}})
        return empty(request)

    told = document(
        top='[limits]\nrequests = 100\nseconds = 60\nleft = "answer.rate.left"\nagain_in = "answer.rate.reset"',
        operations='[operations.quota]\npath = "/quota"',
    )
    vendor = Vendor(answers)
    with pytest.raises(TryLater, match="few more requests") as rested:
        changes(connector(told, vendor), SINCE)
    assert 80 < (rested.value.after or 0) <= 90
    left.pop()
    changes(connector(told, vendor), SINCE)
    assert [call.path.rpartition("/")[2] for call in vendor.calls] == ["quota", "quota", "tickets"]


def test_people_who_are_named_by_id_are_asked_for_once() -> None:
    def answers(request: Request) -> Answer:
        if "/users/" in request.path:
            return Answer(status=404) if request.path.endswith("9") else Answer(body={"data": {"name": "Rita Red"}})
        items = [{**ticket(str(n)), "by": 7, "to": 9} for n in (1, 2, 3)]
        whole = request.path.endswith(("/1", "/2"))
        return Answer(body=items[0] if whole else {"items": items})

    base = document(operations='[operations.person]\npath = "/users/{key}"\n[people]\nname = "answer.data.name"')
    told = base.replace("[ticket]", '[ticket]\nauthor = "item.by"\nassignee = "item.to"', 1)
    vendor = Vendor(answers)
    made = connector(told, vendor)
    found = changes(made, SINCE)

    # Who changed a record is asked for where it is read whole.
    assert {(t.author, t.assignee) for t in found.tickets} == {("", "9")}
    assert {(t.author, t.assignee) for t in (made.glance("1"), made.glance("2"))} == {("Rita Red", "9")}
    assert sorted(call.path for call in vendor.calls if "/users/" in call.path) == ["/users/7", "/users/9"]


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"operations": '[operations.person]\npath = "/x/{key}"'}, "operations.person"),
        ({"operations": '[people]\nname = "answer.x"'}, "people"),
        ({"top": '[limits]\nrequests = 1\nseconds = 1\nleft = "answer.x"'}, "limits.left"),
    ],
)
def test_what_is_asked_for_and_what_is_meant_belong_together(parts: dict[str, str], place: str) -> None:
    with pytest.raises(ValueError, match=rf"(?m)^{place}: "):
        connector(document(**parts), Vendor(empty))
