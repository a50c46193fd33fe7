"""An open ticket shows who else of us has it open, and who is writing."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hub.domain.actors import Actor
from hub.models import Organisation, Ticket
from tests import factories
from tests.console.pages import BACKEND, opened
from workflows.handoffs import engagements
from workflows.models import Presence

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(agent: Actor) -> Ticket:
    return opened(agent)


@pytest.fixture
def bob(us: Organisation) -> Client:
    made = Client()
    made.force_login(factories.member("agent", us, name="Bob <b>"), backend=BACKEND)
    return made


def seen(client: Client, ticket: Ticket, **asked: Any) -> str:
    answer = client.get(f"{ticket.get_absolute_url()}presence/", asked, headers={"HX-Request": "true"})
    return " ".join(answer.content.decode().split())


def test_two_people_see_each_other_and_not_themselves(client: Client, bob: Client, ticket: Ticket) -> None:
    assert "viewing" not in seen(client, ticket)
    assert "Mona Manager is viewing this ticket" in seen(bob, ticket)
    assert "Bob &lt;b&gt; is viewing this ticket" in seen(client, ticket)
    seen(bob, ticket, writing="1")
    assert "Bob <b> is writing" in unescape(seen(client, ticket))
    seen(bob, ticket)  # another page of Bob's, on which he writes nothing
    assert "Bob <b> is writing" in unescape(seen(client, ticket))
    Presence.objects.update(writing_at=timezone.now() - timedelta(seconds=26))
    assert "is writing" not in seen(client, ticket)


def test_what_is_shown_already_is_not_sent_again(client: Client, bob: Client, ticket: Ticket) -> None:
    seen(bob, ticket)
    kept = re.search(r'id="shown" name="shown" value="(\w+)"', seen(client, ticket))
    assert kept is not None
    url = f"{ticket.get_absolute_url()}presence/"
    assert client.get(url, {"shown": kept[1]}).status_code == 204
    seen(bob, ticket, writing="1")
    assert client.get(url, {"shown": kept[1]}).status_code == 200


def test_whoever_writes_is_shown_although_many_are_here(client: Client, ticket: Ticket, us: Organisation) -> None:
    for number in range(12):
        member = factories.member("agent", us, name=f"Person {number:02}")
        last = Client()
        last.force_login(member, backend=BACKEND)
        seen(last, ticket)
    seen(last, ticket, writing="1")
    assert "Person 11 is writing" in seen(client, ticket)


def test_who_has_left_is_gone_and_later_forgotten(client: Client, bob: Client, ticket: Ticket, agent: Actor) -> None:
    seen(bob, ticket)
    Presence.objects.update(seen_at=timezone.now() - timedelta(seconds=26))
    assert "viewing" not in seen(client, ticket)
    Presence.objects.update(seen_at=timezone.now() - timedelta(hours=2))
    seen(bob, opened(agent))
    assert Presence.objects.filter(user__name="Bob <b>").count() == 1


def test_who_left_the_company_is_not_here(client: Client, bob: Client, ticket: Ticket) -> None:
    seen(bob, ticket)
    Presence.objects.get().user.__class__.objects.filter(name="Bob <b>").update(is_active=False)
    assert "viewing" not in seen(client, ticket)


def test_other_organisations_neither_see_nor_are_seen(
    client: Client, ticket: Ticket, vendor: Organisation, agent: Actor
) -> None:
    engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=ticket.opened_at)
    theirs = Client()
    theirs.force_login(factories.member("vendor", vendor), backend=BACKEND)
    seen(client, ticket)
    assert theirs.get(f"{ticket.get_absolute_url()}presence/").status_code == 403
    assert "presence" not in theirs.get(ticket.get_absolute_url()).content.decode()
    assert Presence.objects.count() == 1


def test_being_there_costs_little_and_changes_no_page(client: Client, bob: Client, ticket: Ticket) -> None:
    cursor = client.get("/live/?cursor=x").context["cursor"]
    seen(client, ticket)
    seen(bob, ticket)
    with CaptureQueriesContext(connection) as asked:
        seen(client, ticket)
    ours = [each["sql"] for each in asked if "presence" in each["sql"]]
    assert len(ours) == 2
    assert client.get(f"/live/?cursor={cursor}").status_code == 204
