"""The page of a vendor with no tool: one leg, no log-in, every use an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from hub.domain import history, ledger, tickets
from hub.domain.actors import Actor
from hub.models import Event, Leg, Message, Stage, Ticket
from tests import factories
from workflows.handoffs import comments, engagements, guest_links
from workflows.models import GuestLink

pytestmark = pytest.mark.django_db


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def leg(agent: Actor) -> Leg:
    cabler = factories.OrganisationFactory(name="Cable & Co")
    ticket = tickets.open_ticket(
        title="Socket 4.12 is dead", description="Since noon", priority="P3", actor=agent, at=now()
    )
    return engagements.offer(ticket=ticket, organisation=cabler, actor=agent, at=now())


@pytest.fixture
def url(leg: Leg) -> str:
    return f"/v/{guest_links.token(guest_links.open_for(leg, at=now()))}/"


def post(url: str, act: str, text: str = "", *, name: str = "Kai Cable", **more: Any) -> Any:
    return Client().post(url, {"act": act, "name": name, "text": text, **more}, follow=True)


def test_a_verb_in_the_address_opens_the_page_at_it_and_does_nothing(leg: Leg, url: str) -> None:
    page = Client().get(f"{url}?do=resolve").content.decode()

    assert "You chose “Resolve”" in page
    assert page.index('value="resolve"') < page.index('value="accept"')
    assert stage(leg) == Stage.OFFERED
    post(url, "resolve", "New cable")
    assert stage(leg) == Stage.DONE
    assert Client().get(f"{url}?do=%3Cscript%3E").status_code == 200


def stage(leg: Leg) -> str:
    return str(Leg.objects.get(pk=leg.pk).stage)


def test_the_whole_work_is_done_on_the_page(leg: Leg, url: str, agent: Actor) -> None:
    page = Client().get(url)
    assert page.status_code == 200
    assert b"Socket 4.12 is dead" in page.content
    assert stage(leg) == Stage.OFFERED

    assert "was recorded" in post(url, "accept").content.decode()
    assert stage(leg) == Stage.ACCEPTED
    post(url, "ask", "Which floor?")
    waiting = Leg.objects.get(pk=leg.pk)
    assert (waiting.stage, waiting.waits_on) == (Stage.WAITING, "us")
    comments.comment(ticket=leg.ticket, body="The fourth", legs=[waiting], actor=agent, at=now())
    assert "The fourth" in Client().get(url).content.decode()
    post(url, "resume")
    photo = SimpleUploadedFile("../photo.jpg", b"JPEG", content_type="image/jpeg")
    post(url, "note", "Cable was cut", file=photo)
    post(url, "resolve", "New cable laid")

    done = Leg.objects.get(pk=leg.pk)
    ticket = Ticket.objects.get(pk=leg.ticket_id)
    assert (done.stage, done.resolution) == (Stage.DONE, "New cable laid")
    theirs = Message.objects.filter(author_organisation=leg.organisation).order_by("pk")
    assert [(m.body, m.author_name) for m in theirs] == [
        ("Which floor?", "Kai Cable"),
        ("Cable was cut", "Kai Cable"),
        ("New cable laid", "Kai Cable"),
    ]
    [file] = ticket.attachments.all()
    answer = Client().get(f"{url}files/{file.public_id}/")
    assert b"".join(answer.streaming_content) == b"JPEG"  # type: ignore[attr-defined]
    assert (file.name, answer["Content-Disposition"]) == ("photo.jpg", 'attachment; filename="photo.jpg"')
    assert b"nothing left to do here" in Client().get(url).content
    assert history.verify(ticket) is None
    assert ledger.verify(ticket) == []


def test_declining_needs_a_reason_and_gives_the_ball_back(leg: Leg, url: str) -> None:
    assert b"Please enter a text" in post(url, "decline").content
    assert stage(leg) == Stage.OFFERED

    post(url, "decline", "No crew before May")
    declined = Leg.objects.get(pk=leg.pk)
    assert (declined.stage, declined.reason) == (Stage.DECLINED, "No crew before May")


def test_what_was_taken_is_given_back_on_the_page_with_a_coded_reason(leg: Leg, url: str) -> None:
    post(url, "accept")
    page = Client().get(url).content.decode()
    assert 'value="return"' in page
    assert 'value="decline"' not in page

    post(url, "return", "It is the switch, not the cable", code="not_ours")

    back = Leg.objects.get(pk=leg.pk)
    assert (back.stage, back.reason_code, back.reason) == (
        Stage.RETURNED,
        "not_ours",
        "It is the switch, not the cable",
    )


def test_until_when_to_answer_is_told_in_their_own_zone(agent: Actor) -> None:
    cabler = factories.OrganisationFactory(name="Cable & Co", time_zone="Asia/Kolkata")
    ticket = tickets.open_ticket(title="Socket", priority="P3", actor=agent, at=now())
    leg = engagements.offer(
        ticket=ticket, organisation=cabler, actor=agent, at=now(), accept_within=timedelta(minutes=30)
    )
    page = Client().get(f"/v/{guest_links.token(guest_links.open_for(leg, at=now()))}/").content.decode()

    assert leg.deadline_at is not None
    there = leg.deadline_at.astimezone(ZoneInfo("Asia/Kolkata"))
    assert f"please answer by {there.day} {there:%B %H:%M} IST" in page


def test_opening_the_page_does_nothing_but_is_an_event(leg: Leg, url: str) -> None:
    for _ in range(3):
        assert Client().get(f"{url}?act=accept").status_code == 200

    assert stage(leg) == Stage.OFFERED
    assert Event.objects.filter(kind="door.opened").count() == 1
    GuestLink.objects.update(opened_at=now() - timedelta(hours=1))
    Client().get(url)
    assert Event.objects.filter(kind="door.opened").count() == 2


@pytest.mark.parametrize(
    "token",
    ["x", "0" * 26 + "." + "a" * 26, "{id}." + "a" * 26, "{id}.", "{other}.{mac}", "{id}.{mac}x", "..", "%00", "é"],
)
def test_a_made_up_address_opens_nothing(leg: Leg, url: str, token: str, agent: Actor) -> None:
    mine = url.split("/")[2]
    given = token.format(id=mine.split(".")[0], mac=mine.split(".")[1], other="01jzzzzzzzzzzzzzzzzzzzzzzz")

    assert Client().get(f"/v/{given}/").status_code == 404
    assert Client().post(f"/v/{given}/", {"act": "accept", "name": "x"}).status_code == 404
    assert stage(leg) == Stage.OFFERED


def test_a_closed_or_ended_page_opens_nothing_and_a_new_one_does(leg: Leg, url: str, agent: Actor) -> None:
    guest_links.close(leg=leg, actor=agent, at=now())
    assert Client().get(url).status_code == 410
    assert post(url, "accept").status_code == 410
    assert Event.objects.filter(kind="door.closed").count() == 1

    fresh = guest_links.open_for(leg, at=now())
    assert Client().get(f"/v/{guest_links.token(fresh)}/").status_code == 200
    GuestLink.objects.filter(pk=fresh.pk).update(expires_at=now() - timedelta(seconds=1))
    assert Client().get(f"/v/{guest_links.token(fresh)}/").status_code == 410
    assert stage(leg) == Stage.OFFERED


def test_one_address_shows_one_leg_and_nothing_of_others(leg: Leg, url: str, agent: Actor) -> None:
    other = engagements.offer(
        ticket=leg.ticket, organisation=factories.OrganisationFactory(name="Other"), actor=agent, at=now()
    )
    comments.comment(ticket=leg.ticket, body="canary for us", actor=agent, at=now())
    said = comments.comment(ticket=leg.ticket, body="canary for other", legs=[other], actor=agent, at=now())
    from hub.domain import messages

    file = messages.attach(message=said, name="canary.txt", content=b"canary", actor=agent, at=now())

    assert b"canary" not in Client().get(url).content
    assert Client().get(f"{url}files/{file.public_id}/").status_code == 404


def test_it_takes_only_so_many_uses_an_hour(leg: Leg, url: str) -> None:
    GuestLink.objects.update(window_at=now(), window_uses=guest_links.USES_AN_HOUR - 1)
    assert Client().get(url).status_code == 200
    refused = Client().get(url)
    assert (refused.status_code, refused["Retry-After"]) == (429, "600")

    GuestLink.objects.update(window_at=now() - timedelta(hours=1))
    assert Client().get(url).status_code == 200


def test_what_cannot_be_done_any_more_is_refused_in_words(leg: Leg, url: str) -> None:
    assert b"This is no longer possible" in post(url, "resume", "done").content
    assert b"required" in Client().post(url, {"act": "accept"}).content
    assert stage(leg) == Stage.OFFERED


def test_markup_is_text_and_nothing_of_the_page_is_kept_elsewhere(leg: Leg, url: str) -> None:
    post(url, "note", "<script>alert(1)</script>", name="<b>Kai</b>")
    page = Client().get(url)

    assert b"<script>alert" not in page.content
    assert b"&lt;script&gt;" in page.content
    assert (page["Referrer-Policy"], page["X-Robots-Tag"]) == ("same-origin", "noindex, nofollow")
    assert "no-store" in page["Cache-Control"]


def test_forms_of_other_sites_are_refused(leg: Leg, url: str) -> None:
    strict = Client(enforce_csrf_checks=True)

    assert strict.post(url, {"act": "accept", "name": "x"}).status_code == 403
    assert stage(leg) == Stage.OFFERED


def test_an_agent_makes_and_closes_the_page(leg: Leg, agent: Actor) -> None:
    client = Client()
    client.force_login(factories.member("agent", tickets.us(), email="a@example.test"))
    where = f"/tickets/{leg.ticket.public_id}/legs/{leg.public_id}/door/"

    made = client.post(where, follow=True)
    assert f"/v/{guest_links.token(GuestLink.objects.get())}/".encode() in made.content
    client.post(where, {"close": "1"})
    assert GuestLink.objects.get().revoked_at is not None
    stranger = Client()
    stranger.force_login(factories.member("vendor", leg.organisation, email="b@example.test"))
    assert stranger.post(where).status_code in (403, 404)
