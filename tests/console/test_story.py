"""The timeline is read in parts: the newest with the page, earlier ones on request, and nothing falls between."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client

from hub.core.clock import now
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Organisation, Ticket, User
from hub.queries import timeline
from hub.queries.timeline import Place
from tests import factories
from tests.console.pages import BACKEND, fresh
from tests.console.pages import post as send
from workflows.handoffs import engagements

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(agent: Actor, monkeypatch: pytest.MonkeyPatch) -> Ticket:
    """A ticket with 13 lines in parts of five."""
    monkeypatch.setattr(timeline, "PAGE", 5)
    at = now() - timedelta(hours=1)
    made = tickets.open_ticket(title="VPN down", actor=agent, at=at)
    for n in range(12):
        messages.say(ticket=made, body=f"m{n}.", actor=agent, at=at + timedelta(seconds=n // 3))
    return fresh(made)


def said(page: str) -> list[str]:
    return re.findall(r">(m\d+\.)<", page)


def earlier(page: str) -> str:
    found = re.search(r'hx-get="([^"]+/story/[^"]+)"', page)
    return found[1].replace("&amp;", "&") if found else ""


def test_every_line_is_on_one_part(client: Client, ticket: Ticket) -> None:
    page = client.get(ticket.get_absolute_url()).content.decode()
    found = said(page)
    assert found == ["m11.", "m10.", "m9.", "m8.", "m7."]
    while url := earlier(page):
        page = client.get(url).content.decode()
        assert "<html" not in page
        found += said(page)
    assert found == [f"m{n}." for n in range(11, -1, -1)]
    assert "opened" in page


def test_without_javascript_the_earlier_part_is_a_page(client: Client, ticket: Ticket) -> None:
    page = client.get(ticket.get_absolute_url()).content.decode()
    before = earlier(page).partition("?")[2]
    page = client.get(f"{ticket.get_absolute_url()}?{before}").content.decode()
    assert said(page) == ["m6.", "m5.", "m4.", "m3.", "m2."]
    assert "Newest</a>" in page
    assert 'id="place" name="before"' in page  # a refresh shows the same part


def test_a_refresh_shows_all_that_is_new_so_that_nothing_falls_between(
    client: Client, ticket: Ticket, agent: Actor
) -> None:
    page = client.get(ticket.get_absolute_url()).content.decode()
    kept = re.search(r'id="place" name="since" value="([^"]+)"', page)
    assert kept is not None
    for n in range(12, 20):
        messages.say(ticket=ticket, body=f"m{n}.", actor=agent, at=now())
    page = client.get(ticket.get_absolute_url(), {"since": kept[1]}).content.decode()
    assert said(page) == [f"m{n}." for n in range(19, 6, -1)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1",
        "1:",
        ":2026-01-01",
        "9" * 30,
        "1:yesterday",
        "1:2026-01-01T00:00:00",
        "²:x",
        "1:0001-01-01T00:00:00+23:00",
    ],
)
def test_any_place_is_answered(client: Client, ticket: Ticket, text: str) -> None:
    for name in ("before", "since"):
        assert said(client.get(ticket.get_absolute_url(), {name: text}).content.decode())


def test_a_place_is_read_as_it_was_written() -> None:
    place = Place(now(), 7)
    assert timeline.place(place.text()) == place


def test_a_vendor_reads_its_own_lines_and_no_place_of_others(ticket: Ticket, agent: Actor, us: Organisation) -> None:
    vendor = factories.OrganisationFactory()
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
    for n in range(4):
        messages.say(ticket=ticket, body=f"for you {n}", legs=[leg], actor=agent, at=now())
    reader = factories.member("vendor", vendor)
    theirs = Client()
    theirs.force_login(reader, backend=BACKEND)
    page = theirs.get(ticket.get_absolute_url()).content.decode()
    assert 'name="since" value=""' in page  # no place tells of what they may not see
    assert not earlier(page)
    whole = timeline.lines(reader, ticket)
    found, before = [], None
    while True:
        part = timeline.story(reader, ticket, before=before)
        found += part.lines
        if not part.has_more:
            break
        before = timeline.place(part.first)
    assert found == whole
    assert len([line for line in found if line.message]) == 4


def test_what_was_undone_is_marked_on_every_part_and_hidden_from_others(
    client: Client, ticket: Ticket, agent: Actor, user: User
) -> None:
    vendor = factories.OrganisationFactory()
    engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
    send(client, "priority", ticket, impact=1, urgency=1)
    client.post(f"/undo/{client.session['undo']['action']}/")
    ours = timeline.lines(user, ticket)
    theirs = timeline.lines(factories.member("vendor", vendor), ticket)
    assert [line.is_undone for line in ours if line.kind == "ticket.priority_changed"] == [True]
    assert not [line for line in theirs if line.kind == "ticket.priority_changed"]
    for n in range(6):
        messages.say(ticket=ticket, body=f"later {n}", actor=agent, at=now() + timedelta(seconds=5))
    first = timeline.story(user, ticket)
    second = timeline.story(user, ticket, before=timeline.place(first.first))
    assert [line.is_undone for line in second.lines if line.kind == "ticket.priority_changed"] == [True]
