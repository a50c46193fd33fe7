"""Every role on every page and action, against the one table that says what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pytest
from django.test import Client
from django.urls import reverse

from console.permission_table import ALL_ROLES, OURS, TABLE, Who, is_allowed
from console.urls import urlpatterns
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Clock, Membership, Organisation, Ticket, User
from tests import factories
from tests.console.test_pages import log_in
from tests.hub.test_previews import picture
from workflows.handoffs import engagements
from workflows.lifecycle import tasks
from workflows.models import ReplyTemplate

pytestmark = pytest.mark.django_db

REFUSED = (403, 404)
NAMES = sorted(str(each.name) for each in urlpatterns)


@dataclass(frozen=True)
class World:
    """A ticket with everything that an address may name, and its people."""

    ticket: Ticket
    engaged: User
    stranger: User
    requester: User
    parts: dict[str, object]


@pytest.fixture
def world(us: Organisation, agent: Actor, at: datetime) -> World:
    factories.contract(us, goals={"resolve": {"P3": 3600}})
    service = factories.ServiceFactory()
    requester = factories.UserFactory()
    person = factories.PersonFactory(name="Priya", user=requester)
    ticket = tickets.open_ticket(title="Mail", service=service, requester=person, actor=agent, at=at)
    vendor = factories.OrganisationFactory(name="Hostwerk")
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)
    said = messages.say(ticket=ticket, body="See", legs=[leg], is_for_requester=True, actor=agent, at=at)
    file = messages.attach(message=said, name="a.png", content=picture(), actor=agent, at=at)
    task = tasks.add(ticket=ticket, title="Call", assignee=None, due_at=None, actor=agent, at=at)
    template = ReplyTemplate.objects.create(name="Ask", body="Since when?")
    clock = Clock.objects.filter(ticket=ticket).first()
    parts: dict[str, object] = {
        "leg_id": leg.public_id,
        "clock_id": clock.pk if clock else 1,
        "run_id": "none",
        "template_id": template.public_id,
        "kind": "person",
        "row_id": 1,
        "token": "none",
        "uidb64": "none",
        "attachment": file.public_id,
        "preview": file.public_id,
        "preview_page": file.public_id,
        "number": 1,
        "complete_task": task.public_id,
    }
    return World(
        ticket=ticket,
        engaged=factories.member("vendor", vendor),
        stranger=factories.member("vendor", factories.OrganisationFactory()),
        requester=requester,
        parts=parts,
    )


def address(name: str, world: World) -> str:
    pattern = next(each for each in urlpatterns if each.name == name)
    given = {
        part: world.parts.get(name if part == "public_id" else part, world.ticket.public_id)
        for part in pattern.pattern.converters
    }
    if name == "retry":
        given["kind"] = "outbound"
    return reverse(f"console:{name}", kwargs=given)


def is_refused(client: Client, name: str, url: str, *, may_be_missing: bool) -> bool:
    """Whether the address is refused: by the log-in page, or as forbidden or unknown.

    With `may_be_missing`, the row that the address names does not exist, and only *forbidden* is a refusal.
    """
    answer = client.get(url)
    if answer.status_code == 405:
        answer = client.post(url)
    if answer.streaming:
        b"".join(answer)  # a file is closed when it has been read
    if answer.status_code == 302 and answer["Location"].startswith("/log-in/"):
        return name != "log_out"
    return answer.status_code == 403 or (answer.status_code == 404 and not may_be_missing)


def test_the_table_has_every_address_and_no_other() -> None:
    assert sorted(TABLE) == NAMES
    assert set(OURS) == set(Who) - {Who.EVERYONE, Who.USERS, Who.PARTICIPANTS}


@pytest.mark.parametrize("name", NAMES)
def test_each_role_gets_what_the_table_says(us: Organisation, world: World, name: str) -> None:
    who, url = TABLE[name], address(name, world)
    found: dict[str, bool] = {}
    expected: dict[str, bool] = {}
    people: dict[str, tuple[User | None, str, bool, bool]] = {
        role: (factories.member(role, us), role, True, True)
        for role in ALL_ROLES
        if role not in (Membership.Role.VENDOR, Membership.Role.REQUESTER)
    }
    people["engaged vendor"] = (world.engaged, "vendor", False, True)
    people["other vendor"] = (world.stranger, "vendor", False, False)
    people["requester"] = (world.requester, "requester", False, True)
    people["nobody"] = (None, "", False, False)
    for label, (user, role, is_ours, sees_ticket) in people.items():
        client = log_in(user) if user is not None else Client()
        expected[label] = is_allowed(who, role=role, is_ours=is_ours, sees_ticket=sees_ticket)
        found[label] = not is_refused(client, name, url, may_be_missing=expected[label])
    assert found == expected


def test_a_superuser_may_map_values_and_an_agent_may_not(us: Organisation, world: World) -> None:
    url = address("give_meaning", world)
    assert log_in(factories.UserFactory(is_superuser=True)).post(url).status_code == 404  # there is no such value
    assert log_in(factories.member("agent", us)).post(url).status_code == 403


def test_the_table_is_a_page(us: Organisation) -> None:
    page = log_in(factories.member("auditor", us)).get("/permissions/").content.decode()
    assert "tickets/&lt;str:public_id&gt;/hand-over/" in page
    assert "admin, agent, manager" in page
    assert log_in(factories.member("vendor", factories.OrganisationFactory())).get("/permissions/").status_code == 403
