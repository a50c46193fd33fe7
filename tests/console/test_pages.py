"""Pages: what they show, to whom, with how many queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from connectors.models import Connection, Link, Outbound
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Clock, Leg, Message, Organisation, Phase, Stage, Ticket, User
from tests import factories
from workflows.handoffs import engagements, stages
from workflows.lifecycle import transitions
from workflows.rules import execution

pytestmark = pytest.mark.django_db


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def log_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def client(us: Organisation) -> Client:
    return log_in(factories.member("manager", us, name="Mona"))


@pytest.fixture
def vendor(us: Organisation) -> Organisation:
    made: Organisation = factories.OrganisationFactory(name="Hostwerk")
    return made


def ticket_with(vendor: Organisation, agent: Actor, **fields: Any) -> Ticket:
    ticket = tickets.open_ticket(
        **({"title": "VPN down", "requester": factories.PersonFactory()} | fields),
        actor=agent,
        at=now() - timedelta(hours=1),
    )
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now() - timedelta(minutes=50))
    messages.say(ticket=ticket, body="for the vendor", legs=[leg], actor=agent, at=now())
    messages.say(ticket=ticket, body="canary: us only", actor=agent, at=now())
    return Ticket.objects.get(pk=ticket.pk)


@pytest.mark.parametrize("page", ["board", "tickets", "sync", "open"])
def test_a_page_is_shown_to_us_and_to_nobody_else(client: Client, page: str) -> None:
    assert client.get(reverse(f"console:{page}")).status_code == 200
    assert Client().get(reverse(f"console:{page}")).status_code == 302


def test_the_strip_says_who_has_the_ball_and_why(client: Client, vendor: Organisation, agent: Actor) -> None:
    page = client.get(ticket_with(vendor, agent).get_absolute_url()).content.decode()

    assert "<strong>Hostwerk</strong>" in page
    assert "to accept" in page


def test_a_vendor_sees_its_own_legs_and_nothing_else(vendor: Organisation, us: Organisation, agent: Actor) -> None:
    other = factories.OrganisationFactory(name="Print Fleet")
    theirs, foreign = ticket_with(vendor, agent), ticket_with(other, agent)
    engagements.offer(ticket=theirs, organisation=other, is_lead=False, reason="canary: reason", actor=agent, at=now())
    client = log_in(factories.member("vendor", vendor))

    page = client.get(theirs.get_absolute_url())

    assert page.status_code == 200
    assert "for the vendor" in page.content.decode()
    assert "canary" not in page.content.decode()
    assert "Print Fleet" not in page.content.decode()
    assert client.get(foreign.get_absolute_url()).status_code == 404
    assert foreign.label not in client.get("/tickets/?show=all").content.decode()


def test_no_page_tells_a_vendor_that_there_is_another(vendor: Organisation, us: Organisation, agent: Actor) -> None:
    """Also where the other one leads, has the ball and is late, and moved the ticket itself."""
    other = factories.OrganisationFactory(name="Print Fleet")
    factories.contract(us, goals={"resolve": {"P3": 60}})
    factories.contract(other, kind="uc", goals={"acknowledge": {"P3": 60}, "resolve": {"P3": 60}})
    ticket = ticket_with(vendor, agent)
    lead = engagements.offer(ticket=ticket, organisation=other, actor=agent, at=now() - timedelta(minutes=40))
    stages.accept(leg=lead, actor=Actor.vendor(other), at=now() - timedelta(minutes=30))
    transitions.move(ticket=ticket, name="wait", reason="Print Fleet waits", actor=Actor.vendor(other), at=now())
    execution.note(
        execution.Execution(ticket=ticket, actor=Actor.timer("r", "To Print Fleet"), at=now(), rule="r"),
        what="told",
        result="Print Fleet",
    )
    Leg.objects.filter(pk=lead.pk).update(remote_number="PF-77")
    client = log_in(factories.member("vendor", vendor))
    assert Clock.objects.filter(ticket=ticket, party=other).exists()

    for url in ("/", "/tickets/?show=all", ticket.get_absolute_url()):
        page = client.get(url).content.decode()
        assert "Print Fleet" not in page, url
    # Nor is it found out by searching and filtering.
    for query in ("show=breached", "show=all&q=PF-77", f"show=all&holder={other.public_id}"):
        assert ticket.label not in client.get(f"/tickets/?{query}").content.decode(), query
    assert "Print Fleet" in log_in(factories.member("manager", us)).get("/").content.decode()


def test_a_requester_sees_own_tickets_and_what_is_said_to_them(
    vendor: Organisation, us: Organisation, agent: Actor
) -> None:
    user = factories.UserFactory()
    asker = factories.PersonFactory(user=user)
    mine, foreign = ticket_with(vendor, agent, requester=asker), ticket_with(vendor, agent)
    messages.say(ticket=mine, body="for Priya", is_for_requester=True, actor=agent, at=now())

    page = log_in(user).get(mine.get_absolute_url()).content.decode()

    assert "for Priya" in page
    assert "for the vendor" not in page
    assert "canary" not in page
    assert log_in(user).get(foreign.get_absolute_url()).status_code == 404


@pytest.mark.parametrize("role", ["vendor", "requester", "auditor", "executive"])
@pytest.mark.parametrize("act", ["move", "hand_over", "comment", "reply"])
def test_only_our_own_people_change_anything(
    vendor: Organisation, us: Organisation, agent: Actor, role: str, act: str
) -> None:
    ticket = ticket_with(vendor, agent)
    organisation = vendor if role == "vendor" else us
    client = log_in(factories.member(role, organisation))
    events = ticket.events.count()

    answer = client.post(reverse(f"console:{act}", args=[ticket.public_id]), {"move": "cancel", "body": "x"})

    # A requester of other tickets is not even told that there is this one.
    assert answer.status_code == (404 if (role, act) == ("requester", "move") else 403)
    assert ticket.events.count() == events


def test_an_attachment_is_only_for_whoever_may_read_its_message(
    client: Client, vendor: Organisation, us: Organisation, agent: Actor
) -> None:
    ticket = ticket_with(vendor, agent)
    internal = Message.objects.get(body="canary: us only")
    file = messages.attach(message=internal, name="a.html", content=b"<script>", actor=agent, at=now())
    url = reverse("console:attachment", args=[file.public_id])

    ours = client.get(url)
    assert ours.getvalue() == b"<script>"

    assert ours["Content-Disposition"] == 'attachment; filename="a.html"'
    assert ours["Content-Type"] == "application/octet-stream"
    assert log_in(factories.member("vendor", vendor)).get(url).status_code == 404
    assert ticket.attachments.count() == 1


def test_handing_over_moving_and_commenting(client: Client, vendor: Organisation, agent: Actor) -> None:
    other = factories.OrganisationFactory(name="Print Fleet")
    ticket = ticket_with(vendor, agent)
    url = ticket.get_absolute_url()

    client.post(f"{url}hand-over/", {"organisation": other.public_id, "reason": "firmware"})
    leg = ticket.legs.get(organisation=other)
    client.post(f"{url}comment/", {"body": "please hurry", "legs": [leg.public_id]})
    client.post(f"{url}legs/{leg.public_id}/", {"act": "accept"})
    client.post(f"{url}legs/{leg.public_id}/", {"act": "finish", "reason": "updated"})
    client.post(f"{url}move/", {"move": "resolve", **factories.RESOLVED})

    assert ticket.legs.get(organisation=vendor).stage == Stage.RECALLED
    assert [leg.organisation.name for leg in Message.objects.get(body="please hurry").legs.all()] == ["Print Fleet"]
    assert Leg.objects.get(pk=leg.pk).stage == Stage.DONE
    assert Ticket.objects.get(pk=ticket.pk).phase == Phase.RESOLVED


def test_a_refused_move_is_explained(client: Client, vendor: Organisation, agent: Actor) -> None:
    ticket = ticket_with(vendor, agent)

    page = client.post(f"{ticket.get_absolute_url()}move/", {"move": "resolve"}, follow=True)

    assert "Still open: the engagement of Hostwerk" in page.content.decode()


@pytest.mark.parametrize(
    "query", ["page=-1", "page=1e9", "page=NaN", "show=secret", "holder=x", "q=%00", "priority=P9"]
)
def test_a_strange_filter_is_no_error(client: Client, query: str) -> None:
    assert client.get(f"/tickets/?{query}").status_code == 200


@pytest.mark.parametrize("text", ["{{7*7}}", "<script>alert(1)</script>", "%s ${x}", "=cmd|' /C calc'!A0"])
def test_what_people_write_is_shown_as_text(client: Client, vendor: Organisation, agent: Actor, text: str) -> None:
    ticket = ticket_with(vendor, agent, title=text, description=text)
    messages.say(ticket=ticket, body=text, actor=agent, at=now())

    page = client.get(ticket.get_absolute_url()).content.decode()

    assert "<script>alert" not in page
    assert ">49<" not in page


def test_live_answers_204_until_something_changes(client: Client, vendor: Organisation, agent: Actor) -> None:
    ticket = ticket_with(vendor, agent)
    cursor = client.get("/live/?cursor=").context["cursor"]

    assert client.get("/live/", {"cursor": cursor}).status_code == 204
    messages.say(ticket=ticket, body="news", actor=agent, at=now())

    changed = client.get("/live/", {"cursor": cursor})
    assert (changed.status_code, changed["HX-Trigger"]) == (200, "changed")


def test_every_page_forbids_foreign_scripts(client: Client) -> None:
    policy = client.get("/")["Content-Security-Policy"]

    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_a_parked_change_is_shown_with_its_reason_and_can_be_retried(
    client: Client, vendor: Organisation, agent: Actor
) -> None:
    connection = Connection.objects.create(name="Hostwerk Autotask", organisation=vendor, connector="autotask")
    ticket = ticket_with(vendor, agent)
    link = Link.objects.create(leg=ticket.legs.get(), connection=connection, reference="TH-1")
    item = Outbound.objects.create(
        link=link, lane="fields", kind="fields", seq=1, state="parked", error="no such status", queued_at=now()
    )

    for url in ("/", "/sync/"):
        assert "no such status" in client.get(url).content.decode()
    client.post(f"/sync/outbound/{item.pk}/skip/", {"reason": ""})
    assert Outbound.objects.get().state == "parked"
    client.post(f"/sync/outbound/{item.pk}/retry/")

    assert Outbound.objects.get().state == "ready"


# -- first run and log-in


@pytest.mark.django_db
def test_a_new_installation_leads_to_its_first_page_once() -> None:
    client = Client()
    assert client.get("/")["Location"] == "/first-run/"

    wrong = client.post(
        "/first-run/",
        {"organisation": "N", "time_zone": "Mars", "name": "A", "email": "a@b.example", "password": "password1234"},
    )
    assert "Unknown time zone" in wrong.content.decode()
    done = client.post(
        "/first-run/",
        {
            "organisation": "Northwind IT",
            "time_zone": "Europe/Berlin",
            "name": "Abel",
            "email": "Abel@Example.test",
            "password": "a-long-enough-one",
        },
    )

    assert done["Location"] == "/admin/connectors/connection/connect/"
    user = User.objects.get()
    assert (user.email, user.is_superuser, user.check_password("a-long-enough-one")) == (
        "abel@example.test",
        True,
        True,
    )
    assert Organisation.objects.get().is_us
    assert client.get(done["Location"]).status_code == 200
    assert Client().post("/first-run/", {})["Location"] == "/"


def test_logging_in_by_e_mail(us: Organisation) -> None:
    User.objects.create_user("ada@example.test", "a-long-enough-one", name="Ada")
    client = Client()

    wrong = client.post("/log-in/", {"username": "ada@example.test", "password": "guess"})
    right = client.post("/log-in/", {"username": "ada@example.test", "password": "a-long-enough-one"})

    assert wrong.status_code == 200
    assert right["Location"] == "/start/"


@pytest.mark.parametrize("text", ["²", "TH-²", "٣", "9" * 40, "\x00", "-1"])
def test_whatever_is_searched_for_is_answered(client: Client, text: str) -> None:
    assert client.get(reverse("console:tickets"), {"q": text}).status_code == 200
    assert client.get(reverse("console:tickets"), {"page": text}).status_code == 200
