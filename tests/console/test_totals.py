"""Totals by a field: every number is that of the list it opens."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation, Ticket
from tests import factories
from tests.console.test_pages import log_in
from workflows.handoffs import engagements

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(us: Organisation, agent: Actor) -> None:
    """Five tickets: two with a service, one of them late; two with a vendor; one is imported by nobody."""
    factories.contract(us, goals={"resolve": {"P1": 60, "P3": 360_000}})
    mail = factories.ServiceFactory(name="Mail")
    vendor = factories.OrganisationFactory(name="Hostwerk")
    for number in range(5):
        ticket = tickets.open_ticket(
            title=f"T{number}",
            priority="P1" if number == 0 else "P3",
            service=mail if number < 2 else None,
            actor=agent,
            at=now() - timedelta(hours=2),
        )
        if number > 2:
            engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())


def rows(client: Client, query: str) -> dict[str, tuple[str, int]]:
    """By label: the address that the group opens, and its number of tickets."""
    page = html.unescape(client.get(f"/tickets/totals/?{query}").content.decode())
    found = re.findall(r'<th scope="row"><a href="([^"]+)">([^<]+)</a></th><td class="text-end">(\d+)</td>', page)
    return {label: (url, int(count)) for url, label, count in found}


@pytest.mark.parametrize("by", ["holder", "service", "priority", "status", "team", "assignee", "kind", "phase"])
def test_every_number_opens_its_list(client: Client, world: None, by: str) -> None:
    found = rows(client, f"by={by}")
    assert sum(count for _url, count in found.values()) == 5
    for url, count in found.values():
        assert client.get(url).context["count"] == count, url


def test_filters_hold_and_late_tickets_are_counted(client: Client, world: None) -> None:
    assert {label: count for label, (_url, count) in rows(client, "by=service").items()} == {"none": 3, "Mail": 2}
    assert {label: count for label, (_url, count) in rows(client, "by=holder&priority=P1").items()} == {
        "Northwind IT": 1
    }
    page = client.get("/tickets/totals/?by=service").content.decode()
    assert '<td class="text-end"><strong>5</strong></td><td class="text-end"><strong>1</strong></td>' in page
    assert "No tickets match these filters." in client.get("/tickets/totals/?priority=P9").content.decode()


def test_a_group_replaces_the_condition_on_its_own_field(client: Client, world: None) -> None:
    url, count = rows(client, "by=priority&priority=P1,P3")["P3"]
    assert count == 4
    assert url.count("priority=") == 1


def test_a_vendor_sees_groups_of_its_own_tickets(world: None) -> None:
    vendor = Organisation.objects.get(name="Hostwerk")
    client = log_in(factories.member("vendor", vendor))
    found = rows(client, "by=priority")
    assert {label: count for label, (_url, count) in found.items()} == {"P3": 2}
    assert "assignee" not in client.get("/tickets/totals/?by=assignee").content.decode().split("<table")[1]


def test_the_queries_do_not_grow_with_the_groups(
    client: Client, world: None, agent: Actor, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.get("/tickets/totals/?by=service")
    with django_assert_num_queries(6):
        client.get("/tickets/totals/?by=service")
    for number in range(5):
        tickets.open_ticket(title="x", service=factories.ServiceFactory(name=f"S{number}"), actor=agent, at=now())
    with django_assert_num_queries(6):
        client.get("/tickets/totals/?by=service")
    assert Ticket.objects.count() == 10
