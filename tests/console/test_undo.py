"""What a person has just done can be undone for ten seconds, and is as if it had not happened then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hub.core.clock import now
from hub.domain import messages, tickets, undo
from hub.domain.actors import Actor
from hub.models import (
    Checkpoint,
    Event,
    EventKind,
    Leg,
    Message,
    Organisation,
    Stage,
    Ticket,
    UndoWindow,
    User,
)
from hub.queries import permissions, provenance, timeline
from tests import factories
from tests.console.pages import BACKEND, fresh, opened, post
from tests.console.undoing import facts, is_sound, let_time_pass, press
from tests.factories import RESOLVED
from workflows.handoffs import engagements, stages

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(agent: Actor) -> Ticket:
    made = tickets.open_ticket(
        title="VPN down", requester=factories.PersonFactory(), actor=agent, at=now() - timedelta(minutes=5)
    )
    return Ticket.objects.get(pk=made.pk)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("priority", {"impact": 1, "urgency": 1}),
        ("assign", {"take": "1"}),
        ("move", {"move": "activate"}),
        ("move", {"move": "resolve", **RESOLVED}),
        ("comment", {"body": "hello", "for_requester": "on"}),
        ("reply", {"body": "they called"}),
        ("edit", {"title": "Another title", "initial-title": "VPN down"}),
        ("hand_over", {"organisation": "VENDOR", "reason": "theirs"}),
    ],
)
def test_everything_is_as_it_was(
    client: Client, us: Organisation, agent: Actor, vendor: Organisation, name: str, given: dict[str, Any]
) -> None:
    goals = {target: {f"P{n}": 3600 * n for n in (1, 2, 3, 4)} for target in ("first_response", "resolve")}
    factories.contract(us, kind="sla", goals=goals)
    factories.contract(vendor, kind="uc", goals={"acknowledge": {"P3": 900}, "resolve": goals["resolve"]})
    ticket = opened(agent, requester=factories.PersonFactory())
    before = facts(ticket)
    assert before["clocks"]
    page = post(client, name, ticket, **{k: vendor.public_id if v == "VENDOR" else v for k, v in given.items()})
    assert facts(ticket) != before or name == "reply"
    assert fresh(ticket).last_seq > 1
    assert "Undo</button>" in page

    assert "Undone." in press(client)

    assert facts(ticket) == before
    assert is_sound(ticket)
    newest = Event.objects.filter(ticket=ticket).order_by("-seq").first()
    assert newest is not None
    assert newest.kind == EventKind.ACTION_UNDONE
    assert newest.payload["events"] == list(range(2, newest.seq))
    assert "Undo</button>" not in client.get(ticket.get_absolute_url()).content.decode()


def test_a_leading_engagement_that_was_recalled_leads_again(
    client: Client, ticket: Ticket, agent: Actor, vendor: Organisation
) -> None:
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now() - timedelta(minutes=3))
    stages.accept(leg=leg, actor=agent, at=now() - timedelta(minutes=2))
    before = facts(ticket)
    other = factories.OrganisationFactory(name="Printfix")
    post(client, "hand_over", ticket, organisation=other.public_id, reason="theirs")
    assert Leg.objects.get(pk=leg.pk).stage == Stage.RECALLED
    press(client)
    assert facts(ticket) == before
    assert Leg.objects.get(pk=leg.pk).is_lead
    assert not permissions.visible_tickets(factories.member("vendor", other)).exists()


def test_a_long_ticket_is_folded_anew(client: Client, agent: Actor, vendor: Organisation) -> None:
    ticket = opened(agent)
    for n in range(70):
        tickets.set_priority(ticket=ticket, priority=f"P{1 + n % 2}", actor=agent, at=now())
    assert Checkpoint.objects.filter(ticket=ticket).exists()
    before = facts(ticket)
    post(client, "hand_over", ticket, organisation=vendor.public_id)
    press(client)
    assert facts(ticket) == before
    tickets.set_priority(ticket=ticket, priority="P4", actor=agent, at=now())
    assert is_sound(ticket)


def test_nobody_else_reads_a_message_that_was_undone(
    client: Client, ticket: Ticket, agent: Actor, vendor: Organisation, us: Organisation
) -> None:
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now() - timedelta(minutes=1))
    theirs = factories.member("vendor", vendor)
    post(client, "comment", ticket, body="the password is on the door", legs=[leg.public_id], for_all="on")
    assert permissions.visible_messages(theirs, ticket).count() == 1
    press(client)
    assert not permissions.visible_messages(theirs, ticket).exists()
    assert not permissions.messages_for_requester(ticket).exists()
    assert not any(line.is_undone or line.kind == "action.undone" for line in timeline.lines(theirs, ticket))
    message = Message.objects.get()
    assert message.withdrawn_at is not None
    assert not message.is_for_later_legs
    ours = timeline.lines(factories.member("auditor", us), ticket)
    assert [line.is_undone for line in ours if line.message] == [True]
    assert [line.detail for line in ours if line.kind == "action.undone"] == ["message"]
    page = client.get(ticket.get_absolute_url()).content.decode()
    assert "the password is on the door" in page  # we keep the record


def test_two_actions_are_undone_one_after_the_other(client: Client, ticket: Ticket) -> None:
    before = facts(ticket)
    post(client, "assign", ticket, take="1")
    first = client.session["undo"]["action"]
    post(client, "priority", ticket, impact=1, urgency=1)
    press(client)
    client.post(reverse("console:undo", args=[first]))
    assert facts(ticket) == before
    assert is_sound(ticket)


def test_what_others_have_built_on_is_not_undone(client: Client, ticket: Ticket, agent: Actor) -> None:
    post(client, "assign", ticket, take="1")
    messages.say(ticket=fresh(ticket), body="I am waiting", actor=agent, at=now())  # builds on nothing
    tickets.set_priority(ticket=fresh(ticket), priority="P1", actor=agent, at=now())
    page = press(client)
    assert f"{ticket.label} has changed since (priority changed), so this can no longer be undone." in page
    assert fresh(ticket).assignee is not None


def test_a_later_message_keeps_nothing_from_being_undone(client: Client, ticket: Ticket, agent: Actor) -> None:
    post(client, "assign", ticket, take="1")
    messages.say(ticket=fresh(ticket), body="I am waiting", actor=agent, at=now())
    assert "Undone." in press(client)
    assert fresh(ticket).assignee is None
    assert Message.objects.get().withdrawn_at is None


def test_only_the_same_person_in_the_same_session_undoes(
    client: Client, ticket: Ticket, user: User, us: Organisation
) -> None:
    post(client, "assign", ticket, take="1")
    url = reverse("console:undo", args=[client.session["undo"]["action"]])
    for someone in (user, factories.member("manager", us)):
        other = Client()
        other.force_login(someone, backend=BACKEND)
        assert "This can no longer be undone." in other.post(url, {"back": "/work/"}, follow=True).content.decode()
    assert fresh(ticket).assignee == user
    assert client.get(url).status_code == 405
    press(client)
    assert fresh(ticket).assignee is None


def test_it_is_too_late_after_ten_seconds(client: Client, ticket: Ticket, user: User) -> None:
    post(client, "assign", ticket, take="1")
    let_time_pass()
    assert "This can no longer be undone." in press(client)
    assert fresh(ticket).assignee == user


def test_a_second_press_undoes_nothing_more(client: Client, ticket: Ticket) -> None:
    post(client, "assign", ticket, take="1")
    url = reverse("console:undo", args=[client.session["undo"]["action"]])
    client.post(url)
    client.post(url)
    assert Event.objects.filter(kind=EventKind.ACTION_UNDONE).count() == 1


def test_the_way_back_never_leads_elsewhere(client: Client, ticket: Ticket) -> None:
    post(client, "assign", ticket, take="1")
    url = reverse("console:undo", args=[client.session["undo"]["action"]])
    for back in ("https://elsewhere.test/", "//elsewhere.test/", "javascript:alert(1)", ""):
        assert client.post(url, {"back": back})["Location"] == "/"


def test_what_changes_nothing_offers_nothing(client: Client, ticket: Ticket) -> None:
    post(client, "assign", ticket, take="1")
    let_time_pass()
    [pk] = undo.due()
    undo.close(window_id=pk, at=now())
    post(client, "assign", ticket, take="1")
    assert not UndoWindow.objects.exists()


def test_a_change_of_several_tickets_is_sent_at_once(client: Client, ticket: Ticket, agent: Actor) -> None:
    child = opened(agent)
    at = now()
    with undo.window(ticket=ticket, user=User.objects.get(name="Mona Manager"), session="s", at=at) as window:
        tickets.relate(ticket=ticket, other=child, kind="parent", actor=agent, at=at)
    assert window.pk is None
    assert not UndoWindow.objects.exists()


def test_where_values_come_from_leaves_out_what_was_undone(client: Client, ticket: Ticket) -> None:
    post(client, "priority", ticket, impact=1, urgency=1)
    press(client)
    assert [change.after for change in provenance.changes(fresh(ticket)) if change.field == "priority"] == ["P3"]
