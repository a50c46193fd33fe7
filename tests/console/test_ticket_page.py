"""A ticket on its page: assigning it, files with a message, and what stands where no clock runs."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory

from console import access
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Clock, Message, Organisation, Ticket
from tests import factories
from tests.console.test_pages import log_in
from workflows.handoffs import engagements

pytestmark = pytest.mark.django_db


def test_a_ticket_is_taken_and_assigned(us: Organisation, agent: Actor, at: datetime) -> None:
    ticket = tickets.open_ticket(title="Whose?", actor=agent, at=at)
    mona, ada = factories.member("manager", us, name="Mona"), factories.member("agent", us, name="Ada")
    vendor = factories.member("vendor", factories.OrganisationFactory(), name="Kai")
    client, url = log_in(mona), f"/tickets/{ticket.public_id}/assign/"

    assert "nobody" in client.get(ticket.get_absolute_url()).content.decode()
    client.post(url, {"take": "1"})
    assert Ticket.objects.get().assignee == mona
    assert "Take it" not in client.get(ticket.get_absolute_url()).content.decode()
    client.post(url, {"assignee": ada.public_id})
    assert Ticket.objects.get().assignee == ada
    for wrong, why in (
        ({}, "Choose a person or a team."),
        ({"assignee": vendor.public_id}, "Nothing matches"),
        ({"team": "x"}, "Nothing matches “x”."),
    ):
        assert why in client.post(url, wrong, follow=True).content.decode()
    assert Ticket.objects.get().assignee == ada
    assert log_in(vendor).post(url, {"take": "1"}).status_code == 403
    Ticket.objects.update(phase="closed")
    assert "The ticket is no longer open." in client.post(url, {"take": "1"}, follow=True).content.decode()


def test_files_come_with_a_message_for_the_same_audience(us: Organisation, agent: Actor, at: datetime) -> None:
    ticket = tickets.open_ticket(title="Broken", actor=agent, at=at)
    vendor = factories.OrganisationFactory(name="Hostwerk")
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)
    client, url = log_in(factories.member("agent", us)), f"/tickets/{ticket.public_id}/comment/"
    files = [SimpleUploadedFile("../trace.txt", b"abc", "text/plain"), SimpleUploadedFile("empty.log", b"")]

    client.post(url, {"body": "See the trace", "legs": [leg.public_id], "attached": files})
    said = Message.objects.get()
    assert [(each.name, each.size, each.content_type) for each in said.attachments.order_by("pk")] == [
        ("trace.txt", 3, "text/plain"),
        ("empty.log", 0, "text/plain"),
    ]
    theirs = log_in(factories.member("vendor", vendor))
    assert b"".join(theirs.get(f"/files/{said.attachments.first().public_id}/")) == b"abc"  # type: ignore[union-attr]
    client.post(url, {"body": "", "attached": [SimpleUploadedFile("photo.png", b"x")]})
    assert Message.objects.latest("pk").body == "Attached: photo.png"


def test_too_many_or_too_large_files_are_refused_and_nothing_is_said(
    us: Organisation, agent: Actor, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.forms.files.LARGEST", 10)
    ticket = tickets.open_ticket(title="Broken", actor=agent, at=at)
    client, url = log_in(factories.member("agent", us)), f"/tickets/{ticket.public_id}/comment/"
    for files, why in (
        ([SimpleUploadedFile("a", b"123456"), SimpleUploadedFile("b", b"123456")], "at most 20 MB together"),
        ([SimpleUploadedFile(f"{n}", b"") for n in range(11)], "at most 10 files"),
        ([], "Enter a message."),
    ):
        page = client.post(url, {"body": "", "attached": files}, follow=True).content.decode()
        assert why in page
    assert not Message.objects.exists()


def test_a_large_body_is_read_only_from_who_works_for_us(us: Organisation) -> None:
    vendor = factories.member("vendor", factories.OrganisationFactory())
    answers = {}
    for name, user in (("agent", factories.member("agent", us)), ("vendor", vendor), ("nobody", None)):
        request = RequestFactory().post("/tickets/x/comment/")
        if user is not None:
            request.COOKIES = {key: morsel.value for key, morsel in log_in(user).cookies.items()}
        refused = access.comment_refused_unread(request)
        answers[name] = None if refused is None else refused.status_code
    assert answers == {"agent": None, "vendor": 302, "nobody": 302}


def test_a_ticket_without_a_service_level_says_so(us: Organisation, agent: Actor, at: datetime) -> None:
    service = factories.ServiceFactory(name="Payroll")
    factories.contract(us, goals={"resolve": {"P1": 3600}}, service=service)
    client = log_in(factories.member("manager", us))
    without = tickets.open_ticket(title="None", priority="P1", actor=agent, at=at)
    covered = tickets.open_ticket(title="Covered", priority="P1", service=service, actor=agent, at=at)
    other = tickets.open_ticket(title="P4", priority="P4", service=service, actor=agent, at=at)

    def page(ticket: Ticket) -> str:
        return " ".join(client.get(ticket.get_absolute_url()).content.decode().split())

    assert "no clock: no service level applies without a service" in page(without)
    assert "no clock: no service level" not in page(covered)
    assert "no goal" in page(other)
    assert client.get("/tickets/").content.decode().count("no service level") == 1
    Clock.objects.filter(ticket=other).delete()
    assert "no clock: no service level applies to Payroll with P4" in page(other)
