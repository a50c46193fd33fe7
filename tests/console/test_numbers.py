"""Every number opens exactly the tickets it counts, whoever looks; a breach belongs to the party whose clock it is."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.test import Client

from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Clock, Leg, Organisation, Person, Ticket, User
from tests import factories
from tests.console.test_pages import log_in
from workflows.handoffs import engagements, returns, stages
from workflows.incidents import major_incidents
from workflows.lifecycle import transitions, triage

pytestmark = pytest.mark.django_db

MORE_THAN_A_PAGE = 57
ROLES = ("manager", "agent", "admin", "executive", "auditor", "vendor", "second vendor", "requester")


@pytest.fixture
def first(us: Organisation) -> Organisation:
    return factories.OrganisationFactory(name="Hostwerk")


@pytest.fixture
def second(us: Organisation) -> Organisation:
    return factories.OrganisationFactory(name="Print Fleet")


@pytest.fixture
def requester(us: Organisation) -> Person:
    return factories.PersonFactory(user=factories.UserFactory())


@pytest.fixture
def world(us: Organisation, agent: Actor, first: Organisation, second: Organisation, requester: Person) -> None:
    """Tickets in every stage; of some the ball and the clock that is over are at different parties."""
    factories.contract(us, goals={"resolve": {"P1": 60, "P2": 600, "P3": None}})
    for vendor in (first, second):
        factories.contract(vendor, kind="uc", goals={"acknowledge": {"P1": 60}, "resolve": {"P1": 60, "P2": 86_400}})
    for number in range(MORE_THAN_A_PAGE):
        _opened(agent, requester, f"plain {number}", "P3")
    for number in range(12):
        ticket = _opened(agent, requester, f"at the first {number}", ("P1", "P2", "P3")[number % 3])
        leg = _handed(ticket, first, agent)
        if number % 4 == 1:
            # Both have a leg with a clock; the ball is the second's now.
            _handed(ticket, second, agent)
        elif number % 4 == 2:
            transitions.move(ticket=ticket, name="wait", reason="asks back", actor=Actor.vendor(first), at=now())
        elif number % 4 == 3:
            returns.give_back(leg=leg, actor=Actor.vendor(first), at=now(), reason="not ours")
    for number in range(4):
        ticket = _opened(agent, requester, f"done {number}", "P1")
        stages.finish(leg=_handed(ticket, second, agent), actor=Actor.vendor(second), at=now())
        if number == 3:
            transitions.move(ticket=Ticket.objects.get(pk=ticket.pk), name="resolve", actor=agent, at=now())


def _opened(agent: Actor, requester: Person, title: str, priority: str) -> Ticket:
    long_ago = now() - timedelta(hours=5)
    return tickets.open_ticket(title=title, priority=priority, requester=requester, actor=agent, at=long_ago)


def _handed(ticket: Ticket, vendor: Organisation, agent: Actor) -> Leg:
    at = now() - timedelta(hours=4)
    leg = engagements.offer(ticket=Ticket.objects.get(pk=ticket.pk), organisation=vendor, actor=agent, at=at)
    return stages.accept(leg=leg, actor=Actor.vendor(vendor), at=at + timedelta(minutes=5))


def _who(role: str, us: Organisation, first: Organisation, second: Organisation, requester: Person) -> User:
    if role == "requester":
        assert requester.user is not None
        return requester.user
    if role.endswith("vendor"):
        return factories.member("vendor", first if role == "vendor" else second)
    return factories.member(role, us)


def _numbers(page: str) -> dict[str, int]:
    """Each number of a page with the address that it opens."""
    cards = re.findall(r'<a class="card hub-number[^"]*" href="([^"]+)"><span>(\d+)', page)
    rows = re.findall(r'<td class="text-end"><a(?: class="[^"]*")? href="([^"]+)">(\d+)</a>', page)
    return {html.unescape(address): int(number) for address, number in [*cards, *rows] if "/tickets/" in address}


def _listed(client: Client, address: str) -> list[str]:
    """Every ticket of a list, page after page, as its links name them."""
    found: list[str] = []
    while True:
        content = client.get(address).content.decode()
        on_it = re.findall(r'<td class="hub-number-cell"><a href="([^"]+)">', content)
        assert len(on_it) <= 50
        found += on_it
        following = re.search(r'rel="next" href="([^"]+)"', content)
        if following is None:
            return found
        assert len(on_it) == 50
        address = f"/tickets/{html.unescape(following[1])}"


@pytest.mark.parametrize("role", ROLES)
def test_every_number_of_the_board_opens_as_many_tickets(
    world: None, role: str, us: Organisation, first: Organisation, second: Organisation, requester: Person
) -> None:
    client = log_in(_who(role, us, first, second, requester))
    numbers = _numbers(client.get("/").content.decode())

    assert len(numbers) >= 5
    for address, number in numbers.items():
        listed = _listed(client, address)
        assert (len(listed), len(set(listed))) == (number, number), address
    if role in ("manager", "auditor", "requester"):
        assert max(numbers.values()) > 50


def test_a_breach_is_counted_for_whose_clock_it_is_and_not_for_who_has_the_ball(
    world: None, us: Organisation, first: Organisation, second: Organisation
) -> None:
    client = log_in(factories.member("manager", us))
    numbers = _numbers(client.get("/").content.decode())
    late = {vendor.name: numbers[f"/tickets/?show=open&party={vendor.public_id}"] for vendor in (us, first, second)}
    clocks = Clock.objects.filter(is_current=True, is_breached=True, ticket__phase__in=["new", "active", "waiting"])
    running = clocks.exclude(state__in=["stopped", "cancelled"])
    for vendor in (us, first, second):
        assert late[vendor.name] == running.filter(party=vendor).values("ticket").distinct().count()
    # Some of the first one's are on tickets that others hold, else this would show nothing.
    elsewhere = running.filter(party=first).exclude(ticket__holder=first)
    assert elsewhere.exists()
    assert late["Hostwerk"] > 0


def test_a_list_of_one_partys_breaches_says_so(world: None, us: Organisation, first: Organisation) -> None:
    client = log_in(factories.member("manager", us))
    page = client.get(f"/tickets/?party={first.public_id}").content.decode()

    assert "Breached clock of: Hostwerk" in " ".join(page.split())
    assert f'<input type="hidden" name="party" value="{first.public_id}">' in page


def test_a_vendor_is_told_of_no_other_partys_clock(world: None, second: Organisation, first: Organisation) -> None:
    client = log_in(factories.member("vendor", second))
    page = client.get(f"/tickets/?show=breached&party={first.public_id}").content.decode()

    assert "Hostwerk" not in page
    assert _listed(client, f"/tickets/?show=breached&party={first.public_id}") == []


@pytest.mark.parametrize(
    ("minutes", "is_shown"),
    [(5, True), (15, False)],
)
def test_what_breaches_within_ten_minutes_says_what_would_help(
    us: Organisation, agent: Actor, minutes: int, is_shown: bool
) -> None:
    factories.contract(us, goals={"resolve": {"P3": 3600}})
    opened = now() - timedelta(minutes=60 - minutes)
    tickets.open_ticket(title="Nobody has it", service=factories.ServiceFactory(), actor=agent, at=opened)
    page = html.unescape(log_in(factories.member("manager", us)).get("/").content.decode())
    assert ("Next 10 minutes" in page) == is_shown
    assert ("Take it, or hand it over." in page) == is_shown


def test_hand_offs_and_triage_have_their_numbers(us: Organisation, agent: Actor, first: Organisation) -> None:
    unanswered, undelivered, disputed, major = (
        tickets.open_ticket(title=title, actor=agent, at=now())
        for title in ("unanswered", "undelivered", "disputed", "major")
    )
    engagements.offer(ticket=unanswered, organisation=first, actor=agent, at=now())
    leg = engagements.offer(ticket=undelivered, organisation=first, actor=agent, at=now())
    Leg.objects.filter(pk=leg.pk).update(delivered_at=None)
    triage.start(ticket=disputed, cause="person", reason="whose is it?", actor=agent, at=now())
    major_incidents.declare(ticket=major, is_major=True, actor=agent, at=now())
    client = log_in(factories.member("executive", us))
    page = html.unescape(client.get("/").content.decode())

    assert "hub-major" in page
    for value, title in (("unanswered", "unanswered"), ("undelivered", "undelivered"), ("triage", "disputed")):
        number = re.search(rf'href="([^"]*is={value}[^"]*)"><span>(\d+)</span>', page)
        assert number is not None, value
        assert number[2] == "1"
        rows = client.get(number[1]).content.decode()
        assert [each for each in ("unanswered", "undelivered", "disputed", "major") if f">{each}<" in rows] == [title]
    assert "is=unanswered" not in log_in(factories.member("vendor", first)).get("/").content.decode()
