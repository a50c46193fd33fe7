"""How many queries each page takes: the same for one row and for fifty."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hub.core.clock import now
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Leg, Organisation, Ticket, User
from hub.search import indexing
from tests import factories
from tests.console.pages import BACKEND
from workflows.handoffs import engagements
from workflows.lifecycle import tasks
from workflows.models import Notice
from workflows.notifications import notify
from workflows.notifications.notify import Told

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(us: Organisation) -> Organisation:
    """A service level of a minute, so that everything is late."""
    factories.contract(us, goals={"resolve": {"P3": 60}})
    factories.contract(vendor := factories.OrganisationFactory(name="Hostwerk"), kind="uc", goals={})
    made: Organisation = vendor
    return made


def one_more(world: Organisation, agent: Actor, user: User) -> Ticket:
    """A late ticket with everything that lists show: requester, service, engagement, message, task, notice."""
    at = now() - timedelta(minutes=30)
    ticket = tickets.open_ticket(
        title="Mail is slow",
        requester=factories.PersonFactory(),
        service=factories.ServiceFactory(),
        actor=agent,
        at=at,
    )
    leg = engagements.offer(ticket=ticket, organisation=world, actor=agent, at=at)
    messages.say(ticket=ticket, body="mail again", legs=[leg], actor=agent, at=at)
    tickets.assign(ticket=Ticket.objects.get(pk=ticket.pk), assignee=user, actor=agent, at=at)
    tasks.add(ticket=ticket, title="Call", assignee=user, due_at=None, actor=agent, at=at)
    told = Told(key=f"x:{ticket.pk}", kind="mention", ticket=ticket, why="You were mentioned")
    notify.tell(told, notify.people([user], by_mail=False), at=at)
    return ticket


LISTS = [
    ("/tickets/", 10),
    ("/tickets/?columns=ticket,risk,due,left,number,requester,assignee,team,site,asset&sort=-risk", 21),
    ("/tickets/?q=mail", 10),
    ("/tickets/totals/", 6),
    ("/", 17),
    ("/work/", 12),
    ("/notices/", 7),
    ("/vendors/", 10),
]


@pytest.mark.parametrize(("url", "queries"), LISTS)
def test_a_list_takes_the_same_queries_for_one_row_and_for_fifty(
    client: Client,
    user: User,
    world: Organisation,
    agent: Actor,
    django_assert_num_queries: Any,
    url: str,
    queries: int,
) -> None:
    one_more(world, agent, user)
    indexing.index_for_a_while()
    client.get(url)
    with django_assert_num_queries(queries):
        client.get(url)
    for _ in range(49):
        one_more(world, agent, user)
    indexing.index_for_a_while()
    client.get(url)  # what is kept for half a minute
    with django_assert_num_queries(queries):
        client.get(url)


def test_a_vendors_list_takes_few(
    world: Organisation, user: User, agent: Actor, django_assert_num_queries: Any
) -> None:
    one_more(world, agent, user)
    theirs = Client()
    theirs.force_login(factories.member("vendor", world), backend=BACKEND)
    theirs.get("/tickets/")
    with django_assert_num_queries(12):
        theirs.get("/tickets/")
    for _ in range(49):
        one_more(world, agent, user)
    with django_assert_num_queries(12):
        theirs.get("/tickets/")


def test_the_ticket_page_takes_the_same_queries_for_one_line_and_for_many(
    client: Client, world: Organisation, user: User, agent: Actor, django_assert_num_queries: Any
) -> None:
    ticket = one_more(world, agent, user)
    client.get(ticket.get_absolute_url())
    with django_assert_num_queries(17):
        client.get(ticket.get_absolute_url())
    for _ in range(60):
        messages.say(ticket=ticket, body="more", legs=list(Leg.objects.all()), actor=agent, at=now())
    with django_assert_num_queries(17):
        client.get(ticket.get_absolute_url())


def test_people_with_pinned_views_take_one_more(client: Client, django_assert_num_queries: Any) -> None:
    client.get("/notices/")
    client.post(reverse("console:save_view"), {"name": "Mine", "query": "show=open", "is_pinned": "1"})
    assert Notice.objects.count() == 0
    client.get("/notices/")
    with django_assert_num_queries(8):
        client.get("/notices/")
