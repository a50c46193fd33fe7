"""Correcting a ticket's fields, choosing rows by typing, and where the values come from."""

from __future__ import annotations

from datetime import datetime
from html import unescape

import pytest
from django.test import Client

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Event, Organisation, Ticket
from hub.queries.pickers import PICKERS, NotChosen
from tests import factories
from tests.console.test_pages import log_in

pytestmark = pytest.mark.django_db


def form_of(client: Client, ticket: Ticket) -> dict[str, str]:
    """The entries of the edit page as a browser would send them without a change."""
    form = client.get(f"{ticket.get_absolute_url()}edit/").context["form"]
    values = {name: form[name].value() or "" for name in form.fields}
    return values | {f"initial-{name}": value for name, value in values.items()}


@pytest.fixture
def ticket(us: Organisation, agent: Actor, at: datetime) -> Ticket:
    ada = factories.PersonFactory(name="Ada Meyer", organisation=us, email="ada@northwind.example")
    return tickets.open_ticket(title="Printer", description="It\nsmokes", requester=ada, actor=agent, at=at)


def test_only_what_was_changed_on_the_page_is_saved(us: Organisation, ticket: Ticket) -> None:
    client, url = log_in(factories.member("agent", us, name="Bea")), f"/tickets/{ticket.public_id}/edit/"
    factories.ServiceFactory(name="Print")
    form = form_of(client, ticket)

    count = Event.objects.count()
    assert (
        client.post(url, form | {"description": "It\r\nsmokes", "initial-description": "It\r\nsmokes"}).status_code
        == 302
    )
    assert Event.objects.count() == count

    client.post(url, form | {"title": "Printer on fire", "service": "print", "site": ""})
    ticket = Ticket.objects.get()
    assert (ticket.title, ticket.service.name if ticket.service else "", ticket.description) == (
        "Printer on fire",
        "Print",
        "It\nsmokes",
    )
    assert Event.objects.latest("pk").payload["fields"] == ["service", "title"]


def test_two_people_who_edit_at_once_are_both_told(us: Organisation, ticket: Ticket) -> None:
    one, other = log_in(factories.member("agent", us, name="Bea")), log_in(factories.member("agent", us, name="Cem"))
    url = f"/tickets/{ticket.public_id}/edit/"
    first, second = form_of(one, ticket), form_of(other, ticket)
    one.post(url, first | {"title": "Printer on fire"})

    answer = other.post(url, second | {"title": "Printer burns", "description": "It burns"})
    page = unescape(answer.content.decode())
    assert answer.status_code == 409
    assert "Nothing was saved." in page
    assert "Printer on fire" in page
    assert "Bea" in page
    assert 'value="Printer burns"' in page
    assert "It burns" in page
    assert Ticket.objects.get().title == "Printer on fire"

    one.post(url, form_of(one, ticket) | {"title": "Printer is out"})
    again = other.post(url, second | {"title": "Printer burns", "anyway": answer.context["seen"]})
    assert "Printer is out" in unescape(again.content.decode())  # which nobody had seen when they said anyway
    other.post(url, second | {"title": "Printer burns", "anyway": again.context["seen"]})
    assert Ticket.objects.get().title == "Printer burns"
    # The same value from both is no conflict, nor is a change of another field.
    assert other.post(url, second | {"title": "Printer burns"}).status_code == 302
    assert one.post(url, first | {"description": "New"}).status_code == 302


def test_who_may_not_work_may_not_edit(us: Organisation, ticket: Ticket) -> None:
    url = f"/tickets/{ticket.public_id}/"
    for role in ("executive", "auditor"):
        client = log_in(factories.member(role, us))
        assert client.get(f"{url}edit/").status_code == 403
        assert client.get("/pick/person/?requester=a").status_code == 403
        assert client.get(f"{url}fields/").status_code == 200
        assert "Edit" not in client.get(url).content.decode()
    vendor = log_in(factories.member("vendor", factories.OrganisationFactory()))
    assert vendor.get(f"{url}fields/").status_code == 404


def test_a_row_is_chosen_by_any_words_of_its_label(us: Organisation) -> None:
    picker = PICKERS["person"]
    ada = factories.PersonFactory(name="Ada Meyer", organisation=us, email="ada@northwind.example")
    factories.PersonFactory(name="Adalbert Huber", organisation=us, email="a.huber@northwind.example")
    label = f"Ada Meyer · {us.name} · ada@northwind.example"

    assert picker.suggestions("meyer ada") == [label]
    assert picker.suggestions("ada") == [label, f"Adalbert Huber · {us.name} · a.huber@northwind.example"]
    assert picker.chosen(label) == picker.chosen("ada@north") == picker.chosen(ada.public_id) == ada
    with pytest.raises(NotChosen, match="Several entries match “ada”: Ada Meyer"):
        picker.chosen("ada")
    with pytest.raises(NotChosen, match="Nothing matches “%”"):
        picker.chosen("%")


def test_a_name_that_is_the_beginning_of_another_can_be_chosen() -> None:
    short = factories.ServiceFactory(name="Mail")
    factories.ServiceFactory(name="Mail archive")
    odd = factories.ServiceFactory(name="Mail · old · archive")
    assert PICKERS["service"].chosen("Mail") == short
    assert PICKERS["service"].chosen("Mail · old · archive") == odd


def test_suggestions_are_options_with_their_text_escaped(client: Client, us: Organisation) -> None:
    factories.PersonFactory(name='"><script>alert(1)</script>', organisation=us, email="")
    page = client.get("/pick/person/?requester=script").content.decode()
    assert "<script>" not in page
    assert page.count("<option") == 1
    assert client.get("/pick/nothing/?x=1").status_code == 404
    assert client.get("/pick/person/").content.decode().count("<option") == 1
    assert client.get("/pick/person/?x=%00").status_code in (200, 400)


def test_a_form_with_many_people_stays_small(client: Client, us: Organisation) -> None:
    plain = len(client.get("/tickets/new/").content)
    for number in range(40):
        factories.PersonFactory(name=f"Person {number}", organisation=us)
    assert len(client.get("/tickets/new/").content) == plain
    page = client.post("/tickets/new/", {"title": "Help", "requester": "person"}).content.decode()
    assert "Several entries match “person”" in page
    assert 'value="person"' in page


def test_each_value_says_who_set_it_and_what_it_was(
    us: Organisation, ticket: Ticket, agent: Actor, at: datetime
) -> None:
    service = factories.ServiceFactory(name="Print")
    tickets.edit_ticket(ticket=ticket, changes={"title": "On fire", "service": service}, actor=agent, at=at)
    tickets.set_priority(ticket=ticket, priority="P1", actor=agent, at=at)

    page = unescape(
        log_in(factories.member("auditor", us)).get(f"/tickets/{ticket.public_id}/fields/").content.decode()
    )
    for words in ("Printer", "On fire", "Print", "P1", "P3", agent.name):
        assert words in page


def test_a_part_of_a_name_chooses_nobody(us: Organisation) -> None:
    hannah = factories.PersonFactory(name="Hannah", organisation=us, email="")
    with pytest.raises(NotChosen, match="Did you mean Hannah"):
        PICKERS["person"].chosen("ann")
    assert PICKERS["person"].chosen("hann") == hannah


def test_an_ambiguous_requester_stays_while_the_title_is_corrected(
    us: Organisation, agent: Actor, at: datetime
) -> None:
    one, _two = (factories.PersonFactory(name="Ada", organisation=us, email="") for _each in range(2))
    ticket = tickets.open_ticket(title="E-mail", requester=one, actor=agent, at=at)
    client = log_in(factories.member("agent", us))
    client.post(f"/tickets/{ticket.public_id}/edit/", form_of(client, ticket) | {"title": "Mail"})
    kept = Ticket.objects.get()
    assert (kept.title, kept.requester) == ("Mail", one)
