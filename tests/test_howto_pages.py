"""The code of the how-to for pages, put where the page says, makes a page."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.test import Client
from django.urls import clear_url_caches, path
from pytest_django import DjangoAssertNumQueries

import console.urls
import console.views
import hub.queries
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Membership, Organisation, Site, User
from tests import factories

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "add-a-page.md"

pytestmark = pytest.mark.django_db


def put(package: ModuleType, name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of a package, for as long as the test runs."""
    module = ModuleType(f"{package.__name__}.{name}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(package, name, module, raising=False)
    exec(code, module.__dict__)
    return module


@pytest.fixture(autouse=True)
def _the_page_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    code = PAGE.read_text()
    query, view, address = re.findall(r"```python\n(.*?)```", code, re.DOTALL)
    template, link = re.findall(r"```html\n(.*?)```", code, re.DOTALL)
    put(hub.queries, "sites", query, monkeypatch)
    sites = put(console.views, "sites", view, monkeypatch)
    base = (PAGE.parents[2] / "console" / "templates" / "console" / "base.html").read_text()
    (tmp_path / "console").mkdir()
    (tmp_path / "console" / "sites.html").write_text(template)
    (tmp_path / "console" / "base.html").write_text(base.replace("</nav>", f"{link}</nav>", 1))
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    pattern = eval(address.strip().rstrip(","), {"path": path, "sites": sites})
    monkeypatch.setattr(console.urls, "urlpatterns", [*console.urls.urlpatterns, pattern])
    settings.ROOT_URLCONF = put(hub, "urls_with_sites", (PAGE.parents[2] / "hub" / "urls.py").read_text(), monkeypatch)
    clear_url_caches()
    yield
    clear_url_caches()


def log_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_page_of_the_how_to_shows_the_busiest_site_first(us: Organisation, agent: Actor, at: datetime) -> None:
    Site.objects.create(organisation=us, name="Attic")
    busy = Site.objects.create(organisation=us, name="Berlin")
    tickets.open_ticket(title="Slow", site=busy, actor=agent, at=at)

    text = log_in(factories.member(Membership.Role.AGENT, us)).get("/sites/").content.decode()

    rows = re.findall(r'<th scope="row">(\w+)</th><td>([^<]+)</td><td class="text-end">(\d)</td>', text)
    assert rows == [("Berlin", str(us), "1"), ("Attic", str(us), "0")]
    assert '<a class="nav-link active" aria-current="page" href="/sites/">Sites</a>' in text


def test_it_takes_as_many_statements_for_three_sites_as_for_one(
    us: Organisation, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = log_in(factories.member(Membership.Role.AGENT, us))
    Site.objects.create(organisation=us, name="Attic")
    client.get("/sites/")

    with django_assert_num_queries(5):
        client.get("/sites/")
    for name in ("Berlin", "Cellar"):
        Site.objects.create(organisation=us, name=name)
    with django_assert_num_queries(5):
        client.get("/sites/")


def test_a_vendor_does_not_see_it(us: Organisation) -> None:
    vendor = factories.OrganisationFactory()

    assert log_in(factories.member(Membership.Role.AGENT, vendor)).get("/sites/").status_code == 403
