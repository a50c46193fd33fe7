"""Finding a ticket by what somebody has in hand: a number, in whatever way it is written."""

from __future__ import annotations

import html
import re
from datetime import datetime

import pytest
from django.test import Client

from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import HistoryImport, Leg, Organisation, Ticket
from hub.search import indexing
from tests import factories
from tests.console.test_pages import log_in
from workflows.handoffs import engagements
from workflows.lifecycle import transitions

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(us: Organisation, agent: Actor, at: datetime) -> Ticket:
    """Ours, with a vendor's number, beside another one."""
    tickets.open_ticket(title="Another", actor=agent, at=at)
    made = tickets.open_ticket(title="The scanner jams", actor=agent, at=at)
    leg = engagements.offer(ticket=made, organisation=factories.OrganisationFactory(), actor=agent, at=at)
    Leg.objects.filter(pk=leg.pk).update(remote_number="T20260105.0042-AIS")
    return Ticket.objects.get(pk=made.pk)


def found(client: Client, text: str, **more: str) -> list[str]:
    indexing.index()
    page = client.get("/tickets/", {"q": text, **more}).content.decode()
    return [ticket.title for ticket in Ticket.objects.order_by("pk") if ticket.get_absolute_url() in page]


@pytest.mark.parametrize(
    "written",
    ["{n}", "#{n}", "TH {n}", "TH-{n}", "th{n}", "[TH-{n}]", "TH-{n}:", " (#{n}) ", "TH - {n}", "“TH-{n}"[1:]],
)
def test_our_number_is_found_however_it_is_written(us: Organisation, ticket: Ticket, written: str) -> None:
    client = log_in(factories.member("manager", us))

    assert found(client, written.format(n=ticket.number)) == ["The scanner jams"]


@pytest.mark.parametrize(
    "written",
    [
        "T20260105.0042-AIS",
        "t20260105.0042-ais",
        "#T20260105.0042-AIS",
        "[T20260105.0042-AIS]",
        "20260105.0042",
        "0042-A",
    ],
)
def test_a_vendors_number_is_found_whole_and_in_part(us: Organisation, ticket: Ticket, written: str) -> None:
    client = log_in(factories.member("manager", us))

    assert found(client, written) == ["The scanner jams"]


@pytest.mark.parametrize("text", ["42", "%", "_", "T2026%", "[]", "#", "TH-", "TH-99999999999999999999", "1001a"])
def test_what_is_no_number_finds_none_by_chance(us: Organisation, ticket: Ticket, text: str) -> None:
    assert found(log_in(factories.member("manager", us)), text) == []


def test_a_url_with_the_number_opens_the_ticket(us: Organisation, ticket: Ticket) -> None:
    client = log_in(factories.member("manager", us))

    for written in (ticket.label, ticket.label.lower(), f"TH{ticket.number}"):
        assert client.get(f"/tickets/{written}/").headers["Location"] == ticket.get_absolute_url()
    assert client.get("/tickets/TH-999999/").status_code == 404
    assert client.get("/tickets/TH-99999999999999999/").status_code == 404
    stranger = log_in(factories.member("vendor", factories.OrganisationFactory()))
    assert stranger.get(f"/tickets/{ticket.label}/").status_code == 404


def test_a_search_shows_where_the_words_are(us: Organisation, ticket: Ticket, agent: Actor, at: datetime) -> None:
    messages.say(ticket=ticket, body="A <b>stale port</b> on the switch", actor=agent, at=at)
    indexing.index()
    page = log_in(factories.member("manager", us)).get("/tickets/", {"q": "stale"}).content.decode()

    assert "Message from Ada Agent" in page
    assert "<mark>&lt;b&gt;stale</mark> port&lt;/b&gt; on the switch" in page


def test_a_search_without_an_exact_hit_says_so(us: Organisation, ticket: Ticket) -> None:
    indexing.index()
    page = log_in(factories.member("manager", us)).get("/tickets/", {"q": "scaner"}).content.decode()

    assert "No ticket contains “scaner”. These have similar words." in page
    assert "The <mark>scanner</mark> jams" in page


@pytest.mark.parametrize(
    "after", ["", "x", "2026-01-01T00:00:00+00:00,²", "2026-01-01T00:00:00,1", "9999-99-99,1", ",", "\x00"]
)
def test_any_place_in_the_results_is_answered(us: Organisation, ticket: Ticket, after: str) -> None:
    client = log_in(factories.member("manager", us))

    assert client.get("/tickets/", {"q": "scanner", "after": after}).status_code == 200


def test_results_go_on_on_the_next_page(us: Organisation, agent: Actor, at: datetime) -> None:
    for n in range(53):
        tickets.open_ticket(title=f"Plotter {n}", actor=agent, at=at)
    indexing.index()
    client = log_in(factories.member("manager", us))
    first = client.get("/tickets/", {"q": "plotter"}).content.decode()
    [more] = re.findall(r'href="\?([^"]*after=[^"]*)"', first)
    second = client.get("/tickets/?" + html.unescape(more)).content.decode()

    assert (first.count('class="hub-row"'), second.count('class="hub-row"')) == (50, 3)
    assert re.findall(r'href="\?[^"]*after=', second) == []
    shown = client.get("/tickets/", {"q": "plotter", "show": "breached"}).content.decode()
    assert 'class="hub-row"' not in shown


def test_an_ended_ticket_and_an_imported_one_are_found_without_saying_where(
    us: Organisation, agent: Actor, ticket: Ticket, at: datetime
) -> None:
    for leg in ticket.legs.all():
        engagements.recall(leg=leg, reason="", actor=agent, at=at)
    for name in ("resolve", "close"):
        transitions.move(ticket=ticket, name=name, actor=agent, at=at)
    old = tickets.open_ticket(title="From the old desk", actor=agent, at=at)
    run = HistoryImport.objects.create(source="old", fingerprint="0" * 64, imported_at=at)
    Ticket.objects.filter(pk=old.pk).update(imported_from=run, source_number="INC-0004711")
    client = log_in(factories.member("manager", us))

    assert found(client, ticket.label) == ["The scanner jams"]
    for written in ("INC-0004711", "inc-0004711", "4711", "[INC-0004711]"):
        assert found(client, written) == ["From the old desk"]
    assert found(client, ticket.label, show="open") == []
    assert found(client, "4711", show="all") == []


def test_nobody_finds_out_another_vendors_number_by_searching(ticket: Ticket, agent: Actor, at: datetime) -> None:
    other = factories.OrganisationFactory()
    engagements.offer(ticket=ticket, organisation=other, is_lead=False, actor=agent, at=at)
    client = log_in(factories.member("vendor", other))

    assert found(client, ticket.label) == ["The scanner jams"]
    assert found(client, "20260105") == []
