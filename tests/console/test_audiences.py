"""What each reader sees, and what is said before something is sent."""

from __future__ import annotations

from datetime import datetime
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from connectors.models import Link, Outbound
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Message, Organisation, Ticket
from tests import factories
from tests.connectors.test_delivery_states import texts
from tests.connectors.test_engine import offered, work
from tests.console.test_pages import log_in
from workflows.handoffs import comments, engagements

__all__ = ["offered"]

pytestmark = pytest.mark.django_db

SECRET = "The password is hunter2 for the print server."


@pytest.fixture
def client(us: Organisation) -> Client:
    return log_in(factories.member("agent", us, name="Ada"))


@pytest.fixture
def ticket(us: Organisation, agent: Actor, at: datetime) -> Ticket:
    requester = factories.PersonFactory(name="Priya")
    return tickets.open_ticket(title="Printing", description="It fails", requester=requester, actor=agent, at=at)


def words(page: bytes) -> str:
    return " ".join(unescape(page.decode()).split())


def section_of(page: str, name: str) -> str:
    """The part of the page about one reader."""
    return next(part for part in page.split("<section ")[1:] if name in part.split("</h2>")[0])


def test_each_reader_has_exactly_what_it_may_read(client: Client, ticket: Ticket, agent: Actor, at: datetime) -> None:
    one, other = (factories.OrganisationFactory(name=name) for name in ("Hostwerk", "Print Fleet"))
    comments.comment(ticket=ticket, body="for later ones", is_for_all=True, actor=agent, at=at)
    first = engagements.offer(ticket=ticket, organisation=one, actor=agent, at=at)
    engagements.offer(ticket=ticket, organisation=other, is_lead=False, actor=agent, at=at)
    comments.comment(ticket=ticket, body="for Hostwerk", legs=[first], actor=agent, at=at)
    comments.comment(ticket=ticket, body="for Priya", is_for_requester=True, actor=agent, at=at)
    comments.comment(ticket=ticket, body="only for us", actor=agent, at=at)

    page = words(client.get(f"{ticket.get_absolute_url()}audiences/").content)
    assert "only for us" not in page
    hostwerk, fleet, priya = (section_of(page, name) for name in ("Hostwerk", "Print Fleet", "Priya"))
    assert "for Hostwerk" in hostwerk
    assert "for later ones" in hostwerk
    assert "for Priya" not in hostwerk
    assert "for Hostwerk" not in fleet
    assert "for later ones" in fleet
    assert "for Priya" in priya
    assert "for Hostwerk" not in priya
    # The same as the readers' own pages show.
    theirs = words(log_in(factories.member("vendor", one)).get(ticket.get_absolute_url()).content)
    assert "for Hostwerk" in theirs
    assert "for Priya" not in theirs


def test_only_who_sees_everything_sees_the_audiences(us: Organisation, ticket: Ticket) -> None:
    url = f"{ticket.get_absolute_url()}audiences/"
    assert log_in(factories.member("auditor", us)).get(url).status_code == 200
    assert log_in(factories.member("vendor", factories.OrganisationFactory())).get(url).status_code == 404
    ticket.requester.user = factories.UserFactory()  # type: ignore[union-attr]
    ticket.requester.save()  # type: ignore[union-attr]
    assert log_in(ticket.requester.user).get(url).status_code == 403  # type: ignore[union-attr, arg-type]


def test_a_message_with_a_password_is_sent_only_after_a_warning(
    client: Client, ticket: Ticket, agent: Actor, at: datetime
) -> None:
    leg = engagements.offer(
        ticket=ticket, organisation=factories.OrganisationFactory(name="Hostwerk"), actor=agent, at=at
    )
    url = f"{ticket.get_absolute_url()}comment/"
    answer = client.post(url, {"body": SECRET, "legs": [leg.public_id]})
    page, sealed = words(answer.content), answer.context["sealed"]
    assert "Nothing has been sent yet" in page
    assert "a password" in page
    assert "Hostwerk" in page
    assert SECRET in page  # nothing typed is lost
    assert not Message.objects.exists()

    for other in ("1", ""):
        client.post(url, {"body": SECRET, "legs": [leg.public_id], "confirmed": other})
    changed = {"body": f"{SECRET} PIN: 4711", "legs": [leg.public_id], "confirmed": sealed}
    assert "Nothing has been sent yet" in words(client.post(url, changed).content)
    assert not Message.objects.exists()
    client.post(url, {"body": SECRET, "legs": [leg.public_id], "confirmed": sealed})
    assert Message.objects.get().body == SECRET


def test_what_stays_with_us_is_not_asked_about(client: Client, ticket: Ticket) -> None:
    client.post(f"{ticket.get_absolute_url()}comment/", {"body": SECRET})
    assert Message.objects.get().body == SECRET


def test_a_file_is_looked_at_as_well(client: Client, ticket: Ticket, agent: Actor, at: datetime) -> None:
    leg = engagements.offer(ticket=ticket, organisation=factories.OrganisationFactory(), actor=agent, at=at)
    file = SimpleUploadedFile("config.txt", SECRET.encode())
    given = {"body": "See the file", "legs": [leg.public_id], "attached": file}
    answer = client.post(f"{ticket.get_absolute_url()}comment/", given)
    page = words(answer.content)
    assert "in config.txt" in page
    assert "Choose these files again" in page
    assert not Message.objects.exists()
    other = SimpleUploadedFile("config.txt", SECRET.replace("hunter2", "hunter3").encode())
    confirmed = given | {"attached": other, "confirmed": answer.context["sealed"]}
    assert "Nothing has been sent yet" in words(client.post(f"{ticket.get_absolute_url()}comment/", confirmed).content)
    assert not Message.objects.exists()
    harmless = SimpleUploadedFile("photo.png", b"\x89PNG\0password: hunter2")
    client.post(f"{ticket.get_absolute_url()}comment/", given | {"attached": harmless})
    assert Message.objects.get().attachments.get().size == harmless.size


def test_a_preview_shows_what_each_receiver_gets_and_sends_nothing(
    client: Client, ticket: Ticket, agent: Actor, at: datetime
) -> None:
    leg = engagements.offer(
        ticket=ticket, organisation=factories.OrganisationFactory(name="Hostwerk"), actor=agent, at=at
    )
    given = {"body": "Please restart", "legs": [leg.public_id], "for_requester": "on", "preview": "1"}
    page = words(client.post(f"{ticket.get_absolute_url()}comment/", given).content)
    assert "Hostwerk receives" in page
    assert "Priya receives" in page
    assert "Nothing has been sent yet" not in page
    assert not Message.objects.exists()


def test_a_hand_over_is_previewed_with_its_pack(client: Client, ticket: Ticket, agent: Actor, at: datetime) -> None:
    comments.comment(ticket=ticket, body=SECRET, is_for_all=True, actor=agent, at=at)
    vendor = factories.OrganisationFactory(name="Hostwerk")
    url, given = f"{ticket.get_absolute_url()}hand-over/", {"organisation": vendor.public_id, "reason": "Yours"}
    answer = client.post(url, given)
    page = words(answer.content)
    assert "Hostwerk receives" in page
    assert "hunter2" in page
    assert "a password" in page
    assert not Leg.objects.exists()
    client.post(url, given | {"confirmed": answer.context["sealed"]})
    assert Leg.objects.get().organisation == vendor


def test_a_bulk_action_warns_before_it_sends(client: Client, ticket: Ticket, agent: Actor, at: datetime) -> None:
    hostwerk = factories.OrganisationFactory(name="Hostwerk")
    engagements.offer(ticket=ticket, organisation=hostwerk, actor=agent, at=at)
    other = tickets.open_ticket(title="No engagement", description=SECRET, actor=agent, at=at)
    both = {"ticket": [ticket.public_id, other.public_id], "step": "preview"}

    page = words(client.post("/tickets/bulk/", {"verb": "message", "body": SECRET, **both}).content)
    assert "Nothing has been sent yet" not in page  # it stays with us
    given = {"verb": "message", "body": SECRET, "for_engaged": "on", **both}
    answer = client.post("/tickets/bulk/", given)
    assert "<strong>a password</strong> – Hostwerk: sent as it stands if you continue" in words(answer.content)
    assert not Message.objects.exists()
    client.post("/tickets/bulk/", given | {"step": "apply", "previewed": answer.context["previewed"]})
    assert Message.objects.get().ticket == ticket

    hand_over = {"verb": "hand_over", "organisation": factories.OrganisationFactory(name="Printfix").public_id, **both}
    page = words(client.post("/tickets/bulk/", hand_over).content)
    assert f"<strong>a password</strong> – Printfix: sent as it stands if you continue ({other.label})" in page


# -- the rule of the connection


def rule(link: Link, value: str) -> None:
    link.connection.sensitive_data = value
    link.connection.save()


def test_what_is_masked_leaves_masked_and_stays_whole_here(offered: Link, client: Client, simulator: object) -> None:
    rule(offered, "mask")
    ticket = offered.leg.ticket
    given = {"body": SECRET, "legs": [offered.leg.public_id]}
    answer = client.post(f"{ticket.get_absolute_url()}comment/", given)
    page = words(answer.content)
    assert "masked in what is sent" in page
    assert "The password is •••" in page
    client.post(f"{ticket.get_absolute_url()}comment/", given | {"confirmed": answer.context["sealed"]})
    client.post(reverse("console:send_now", args=[client.session["undo"]["action"]]))
    work()
    assert "The password is •••" in texts(simulator)  # type: ignore[arg-type]
    assert "hunter2" not in texts(simulator)  # type: ignore[arg-type]
    assert Message.objects.get().body == SECRET
    seen = words(client.get(f"{ticket.get_absolute_url()}audiences/").content)
    assert "The password is •••" in seen
    assert "hunter2" not in seen


def test_a_title_is_masked_once_and_not_written_again(offered: Link, agent: Actor, simulator: object) -> None:
    rule(offered, "mask")
    tickets.edit_ticket(
        ticket=offered.leg.ticket, changes={"title": "password: hunter2"}, actor=agent, at=offered.leg.offered_at
    )
    work()
    assert Link.objects.get(pk=offered.pk).agreed["title"]["theirs"] == "password: •••"
    sent = Outbound.objects.filter(state="done").count()
    work()
    assert Outbound.objects.filter(state="done").count() == sent


def test_what_is_refused_is_refused_before_and_when_it_is_sent(
    offered: Link, client: Client, agent: Actor, simulator: object
) -> None:
    rule(offered, "refuse")
    ticket = offered.leg.ticket
    given = {"body": SECRET, "legs": [offered.leg.public_id], "confirmed": "1"}
    page = words(client.post(f"{ticket.get_absolute_url()}comment/", given).content)
    assert "the connection does not send this" in page
    assert "Send anyway" not in page
    assert not Message.objects.exists()

    in_bulk = {"verb": "message", "body": SECRET, "for_engaged": "on", "ticket": [ticket.public_id]}
    answer = client.post("/tickets/bulk/", in_bulk | {"step": "preview"})
    assert "the connection does not send this" in words(answer.content)
    assert "Apply to 1 ticket" not in words(answer.content)
    client.post("/tickets/bulk/", in_bulk | {"step": "apply", "previewed": answer.context["previewed"]})
    assert not Message.objects.exists()

    comments.comment(ticket=ticket, body=SECRET, legs=[offered.leg], actor=agent, at=offered.leg.offered_at)
    work()
    item = Outbound.objects.get(kind="note")
    assert item.state == "parked"
    assert "seems to contain a password" in item.error
    assert "hunter2" not in texts(simulator)  # type: ignore[arg-type]
