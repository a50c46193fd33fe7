"""Every route, as every role, with what no page can mean: refused, never a fault of ours (5xx)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, urlencode

import hypothesis
import pytest
from django.apps import apps
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from hypothesis import strategies as st

from connectors.models import Connection, Inbound
from fixtures.demo import cast, population, seed
from fixtures.demo.systems import Where
from hub.core.clock import now
from hub.models import Attachment, Leg, Organisation, User
from tests import factories
from tests.workflows.building import draft
from workflows.handoffs import guest_links
from workflows.models import EscalationRun

ROLES = ("nobody", "agent", "manager", "executive", "vendor", "admin")
NUMBERS = (
    "0",
    "7",
    "-1",
    "9" * 19,
    str(2**63),
    str(2**64),
    "9" * 400,
    "9" * 5000,
    "²",
    "१२",
    "1e400",
    "NaN",
    "0x1f",
    "",
)
TEXTS = (
    "\x00",
    "a\x00b",
    "x" * 300,
    "x" * 5000,
    "\ud800",
    "\u202e\u0000",
    "%",
    "'\"<script>",
    "../../x",
    "{{ticket}}",
    "[]",
    "null",
    "wait:anything",
    "state:no-number",
    "9999-12-31T23:59",
    "0001-01-01",
    "2026-02-30",
    "2026-13-45T99:99",
    "a=b&c",
)
hostile = st.one_of(st.sampled_from(NUMBERS + TEXTS), st.text(max_size=20), st.integers().map(str))


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        else:
            yield route, pattern


class Forms(HTMLParser):
    """The forms of a page: where each goes, and what it would send as it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((given.get("action", ""), given.get("method", "get").lower(), {}))
        elif self.found and tag in ("input", "select", "textarea", "button") and given.get("name"):
            self.found[-1][2].setdefault(given["name"], given.get("value", ""))


@dataclass
class Stage:
    """Rows of every kind, and the addresses that lead to them."""

    ids: dict[str, list[str]] = field(default_factory=dict)

    def valid(self, route: str, name: str) -> str:
        """Something that the route finds, if there is anything."""
        place = next((known for known in self.ids if known in f"{route}#{name}"), "")
        if place:
            return self.ids[place][0]
        model = re.match(r"admin/(\w+)/(\w+)/", route)
        if model:
            row = apps.get_model(model[1], model[2]).objects.order_by("pk").first()
            return str(row.pk) if row else "1"
        return "1"


@pytest.fixture
def stage(db: None) -> Stage:
    at = now()
    seed.house()
    for _ in population.populate(until=at, count=6):
        pass
    seed.connections(at=at, where=Where(base="http://127.0.0.1:1", imap=1, smtp=2))
    us = Organisation.objects.get(is_us=True)
    vendor = Organisation.objects.get(name=cast.HOSTING.name)
    for role in ("agent", "manager", "executive", "admin"):
        is_admin = role == "admin"
        factories.member(role, us, email=f"{role}@fuzz.test", is_staff=is_admin, is_superuser=is_admin)
    factories.member("agent", vendor, email="vendor@fuzz.test")
    connection = Connection.objects.order_by("pk").first()
    leg = Leg.objects.order_by("-pk").first()
    assert connection is not None
    assert leg is not None
    Inbound.objects.create(
        connection=connection, kind="hook", delivery="d", body=b"{}", state="parked", received_at=at, error="x"
    )
    file, run = Attachment.objects.first(), EscalationRun.objects.first()
    return Stage(
        {
            "connections/<str:public_id>": [connection.public_id],
            "hooks/<str:connection_id>": [connection.public_id],
            "v/<str:token>/files/<str:public_id>/#public_id": [file.public_id if file else "x"],
            "v/<str:token>": [guest_links.token(guest_links.open_for(leg, at=at))],
            "files/<str:public_id>": [file.public_id if file else "x"],
            "#leg_id": [leg.public_id],
            "#run_id": [run.public_id if run else "x"],
            "#kind": ["inbound"],
            "tickets/<str:public_id>": [leg.ticket.public_id],
            "workflowversion/<int:pk>": [str(draft().pk)],
            "#row": ["new"],
            "#app_label": ["hub"],
            "#uidb64": ["MQ"],
            "#token": ["x"],
        }
    )


def address(stage: Stage, route: str, pattern: URLPattern, odd: dict[str, str]) -> str:
    """The route with valid values, but for those that are odd."""

    def fill(name: str) -> str:
        return quote(odd.get(name) or stage.valid(route, name), safe="", errors="surrogatepass") or "x"

    if "(?P<" in route:
        return "/" + re.sub(r"[\^$]", "", re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda found: fill(found[1]), route))
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: fill(found[1]), route)


@dataclass
class Visitor:
    """One role's browser; what a request changes is undone behind it."""

    role: str
    client: Client
    faults: list[str] = field(default_factory=list)

    def ask(self, method: str, url: str, data: Any = None) -> Any:
        cookies = SimpleCookie(self.client.cookies.output(header="", sep=";"))
        with transaction.atomic():
            # As bytes: what is no Unicode arrives as a browser or a tool that is broken would send it.
            body = urlencode(data or {}, errors="surrogatepass")
            more = (body, "application/x-www-form-urlencoded") if method == "post" else ()
            answer = getattr(self.client, method)(url, *more)
            if answer.streaming:
                b"".join(answer)  # a file is closed when it has been read
            transaction.set_rollback(True)
        self.client.cookies = cookies
        if answer.status_code >= 500:
            error = answer.exc_info[1] if getattr(answer, "exc_info", None) else ""
            told = {name: str(value)[:40] for name, value in (data or {}).items()}
            self.faults.append(f"{self.role} {method} {url[:120]} {told} {answer.status_code} {error!r:.300}")
        return answer

    def walk(self, stage: Stage, odd: Iterator[str]) -> None:
        for route, pattern in routes():
            self.visit(stage, route, pattern, odd)

    def visit(self, stage: Stage, route: str, pattern: URLPattern, odd: Iterator[str]) -> None:
        names = re.findall(r"<(?:\w+:)?(\w+)>", route.replace("(?P", ""))
        url = address(stage, route, pattern, {})
        page = self.ask("get", url)
        for name in names:
            strange = address(stage, route, pattern, {name: next(odd) or "0"})
            self.ask("get", strange)
            self.ask("post", strange)
        if page.status_code == 302 and page["Location"].startswith("/log-in"):
            return
        asked = {name: next(odd) for name in ("q", "page", "p", "o", "show", "since", "holder", "_to_field", "version")}
        self.ask("get", f"{url}?{urlencode(asked, errors='surrogatepass')}")
        self.fill_in(url, page, odd)

    def fill_in(self, url: str, page: Any, odd: Iterator[str]) -> None:
        """Each form of the page with strange values, some fields at a time; and what no form would send."""
        forms = Forms()
        if page.status_code == 200 and not page.streaming and "html" in page.get("Content-Type", ""):
            forms.feed(page.content.decode())
        sent = {(action or url, tuple(fields)): fields for action, method, fields in forms.found if method == "post"}
        for (action, names), fields in sent.items():
            for part in (0, 1):  # every other field, then the others
                strange = {name: next(odd) for name in names[part::2] if name != "csrfmiddlewaretoken"}
                self.ask("post", action if action.startswith("/") else url, {**fields, **strange})
        self.ask("post", url, {name: next(odd) for name in ("action", "_selected_action", "do", "verb", "row", "name")})


@pytest.mark.parametrize("role", ROLES)
def test_no_route_answers_with_a_fault(stage: Stage, role: str) -> None:
    client = Client(raise_request_exception=False)
    if role != "nobody":
        client.force_login(User.objects.get(email=f"{role}@fuzz.test"))
    visitor = Visitor(role, client)

    @hypothesis.settings(max_examples=1, deadline=None, derandomize=True, phases=[hypothesis.Phase.generate])
    @hypothesis.given(st.permutations(NUMBERS + TEXTS), st.lists(hostile, max_size=250))
    def walk(known: list[str], drawn: list[str]) -> None:
        visitor.walk(stage, itertools.cycle([*known, *drawn]))

    walk()

    assert not visitor.faults, "\n".join(visitor.faults)
