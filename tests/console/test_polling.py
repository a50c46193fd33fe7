"""Open pages ask for news: cheaply, and without telling anybody what they may not know."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from console import polling
from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation, User
from tests import factories
from tests.console.test_pages import log_in

pytestmark = pytest.mark.django_db


def poll_of(client: Client) -> str:
    """The address that the board of this user polls."""
    page = client.get("/").content.decode()
    return page.split('id="live" hidden hx-get="')[1].split('"')[0].replace("&amp;", "&")


def test_the_cursor_of_a_page_costs_one_query(
    client: Client, agent: Actor, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    query = urlsplit(poll_of(client)).query.encode()
    polling.newest()
    with django_assert_num_queries(1):
        assert polling.cursor_of(query) == polling.newest()
    tickets.open_ticket(title="New", actor=agent, at=now())
    assert polling.cursor_of(query) != polling.newest()


def test_news_are_told_with_the_next_cursor(client: Client, agent: Actor) -> None:
    address = poll_of(client)
    tickets.open_ticket(title="New", actor=agent, at=now())
    answer = client.get(address)
    assert answer["HX-Trigger"] == "changed"
    assert (
        client.get(answer.content.decode().split('hx-get="')[1].split('"')[0].replace("&amp;", "&")).status_code == 204
    )


def test_a_pass_that_has_ended_is_replaced_if_the_session_still_counts(client: Client) -> None:
    address = poll_of(client)
    with time_machine.travel(timezone.now() + polling.PASS_AGE + timedelta(minutes=1)):
        answer = client.get(address, headers={"HX-Request": "true"})
        assert answer.status_code == 200
        assert "HX-Trigger" not in answer
        assert "pass=" in answer.content.decode()
        assert polling.cursor_of(urlsplit(address).query.encode()) is None
        assert Client().get(address).status_code == 302


def test_a_pass_reveals_nothing_but_that_something_changed(client: Client, agent: Actor) -> None:
    address = poll_of(client)
    tickets.open_ticket(title="New", actor=agent, at=now())
    assert Client().get(address).status_code == 302  # news only with a session
    for forged in ("all", "all:1:x", "", "x" * 10_000, "%", "%FF", "all&pass=all"):
        assert polling.cursor_of(f"cursor=0&pass={forged}".encode()) is None
        assert Client().get("/live/", {"cursor": "0", "pass": forged}).status_code == 302


def test_who_does_not_see_everything_has_no_pass(us: Organisation, user: User) -> None:
    vendor = log_in(factories.member("vendor", factories.OrganisationFactory()))
    assert "pass" not in parse_qs(urlsplit(poll_of(vendor)).query)
    assert polling.pass_for(user)
