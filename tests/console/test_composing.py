"""Opening tickets and writing: similar tickets, a message split into a ticket, reply templates, the print view."""

from __future__ import annotations

from datetime import datetime, timedelta
from html import unescape

import pytest
from django.test import Client

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Message, Organisation, Relation, Ticket
from hub.search import indexing
from hub.search.similar import similar_tickets
from tests import factories
from tests.console.test_pages import log_in
from workflows.handoffs import comments, engagements
from workflows.lifecycle import transitions
from workflows.models import ReplyTemplate

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(us: Organisation) -> Client:
    return log_in(factories.member("agent", us, name="Bea"))


@pytest.fixture
def ticket(us: Organisation, agent: Actor, at: datetime) -> Ticket:
    requester = factories.PersonFactory(name="Priya")
    return tickets.open_ticket(title="Invoices cannot be printed", requester=requester, actor=agent, at=at)


def words(page: bytes) -> str:
    return " ".join(unescape(page.decode()).split())


def test_similar_open_tickets_are_proposed_while_the_title_is_typed(
    us: Organisation, client: Client, ticket: Ticket, agent: Actor, at: datetime
) -> None:
    other = tickets.open_ticket(title="Printing invoices in Vienna fails", actor=agent, at=at)
    old = tickets.open_ticket(title="Invoices cannot be printed", actor=agent, at=at)
    transitions.move(ticket=old, name="resolve", actor=agent, at=at)
    indexing.index()
    user = factories.member("manager", us)

    later = at + timedelta(days=15)
    found = [each.pk for each in similar_tickets(user, "Invoices cannot be printed", at=later)]
    assert found == [ticket.pk, other.pk]  # the one with all words first
    assert {each.pk for each in similar_tickets(user, "printing of invoices broken", at=later)} == {ticket.pk, other.pk}
    assert old in similar_tickets(user, "Invoices cannot be printed", at=at)
    assert similar_tickets(user, "Help me", at=at) == []
    vendor = factories.member("vendor", factories.OrganisationFactory())
    assert similar_tickets(vendor, "Invoices cannot be printed", at=at) == []
    page = words(client.get("/tickets/similar/?title=invoices+printed").content)
    assert "Is it one of these?" in page
    assert ticket.label in page
    assert client.get("/tickets/similar/").content.strip() == b""


def test_a_message_is_split_into_a_ticket_that_follows_the_first(
    us: Organisation, client: Client, ticket: Ticket, agent: Actor, at: datetime
) -> None:
    message = comments.comment(ticket=ticket, body="The VPN drops, too\nSince Monday.", actor=agent, at=at)
    url = f"/tickets/new/?message={message.public_id}"
    page = words(client.get(url).content)
    assert 'value="The VPN drops, too"' in page
    assert "Since Monday." in page
    assert "Priya" in page
    client.post(url, {"title": "VPN drops", "description": "Since Monday."})
    relation = Relation.objects.get()
    assert (relation.from_ticket.title, relation.kind, relation.to_ticket) == ("VPN drops", "follows", ticket)
    assert "Split off as a new ticket" in words(client.get(ticket.get_absolute_url()).content)
    assert client.get("/tickets/new/?message=nothing").status_code == 404
    vendor = log_in(factories.member("vendor", factories.OrganisationFactory()))
    assert vendor.get(url).status_code == 403


def test_a_template_is_filled_in_and_added_to_what_is_typed(client: Client, ticket: Ticket) -> None:
    made = ReplyTemplate.objects.create(name="Ask", body="Dear {requester}, about {ticket.label}: since when?")
    page = words(client.get(ticket.get_absolute_url()).content)
    assert "Insert a template" in page
    url = f"/tickets/{ticket.public_id}/templates/{made.public_id}/"
    field = unescape(client.post(url, {"body": "Hello <b>"}).content.decode())
    assert f"Hello <b>\n\nDear Priya, about {ticket.label}: since when?</textarea>" in field
    made.body = "{nonsense.x"
    made.save()
    assert client.post(url).status_code == 409


def test_a_template_that_cannot_be_filled_in_is_not_saved(us: Organisation) -> None:
    client = log_in(factories.UserFactory(is_staff=True, is_superuser=True))
    page = client.post("/admin/workflows/replytemplate/add/", {"name": "Ask", "body": "{ticket.colour}"})
    assert "Unknown name" in page.content.decode()
    client.post("/admin/workflows/replytemplate/add/", {"name": "Ask", "body": "{ticket.label}"})
    assert ReplyTemplate.objects.count() == 1


def test_the_print_view_has_what_its_reader_may_read(
    us: Organisation, client: Client, ticket: Ticket, agent: Actor, at: datetime
) -> None:
    vendor = factories.OrganisationFactory(name="Hostwerk")
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)
    comments.comment(ticket=ticket, body="for Hostwerk", legs=[leg], actor=agent, at=at)
    comments.comment(ticket=ticket, body="only for us", actor=agent, at=at)
    url = f"{ticket.get_absolute_url()}print/"
    ours = words(client.get(url).content)
    assert "only for us" in ours
    assert "Time by organisation" in ours
    theirs = words(log_in(factories.member("vendor", vendor)).get(url).content)
    assert "for Hostwerk" in theirs
    assert "only for us" not in theirs
    assert "Time by organisation" not in theirs
    assert log_in(factories.member("vendor", factories.OrganisationFactory())).get(url).status_code == 404
    assert Message.objects.count() == 2
