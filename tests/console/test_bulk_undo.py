"""A bulk action is undone as one, ticket by ticket."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connectors.models import Connection, Link, Outbound
from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import (
    Leg,
    Organisation,
    Team,
    Ticket,
    UndoWindow,
    User,
)
from tests import factories
from tests.console.pages import fresh, opened
from tests.console.undoing import facts, press
from workflows.bulk import running
from workflows.handoffs import engagements
from workflows.models import BulkAction, Notice, NoticePreference

pytestmark = pytest.mark.django_db


def start(client: Client, chosen: list[Ticket], verb: str, **given: Any) -> BulkAction:
    data = {"verb": verb, "tickets": ",".join(t.public_id for t in chosen), **given}
    page = client.post(reverse("console:bulk"), data | {"step": "preview"})
    data |= {"step": "apply", "previewed": page.context["previewed"], "once": page.context["once"]}
    client.post(reverse("console:bulk"), data)
    return BulkAction.objects.get()


@pytest.fixture
def three(us: Organisation, agent: Actor) -> list[Ticket]:
    return [opened(agent) for _n in range(3)]


def test_a_bulk_action_is_undone_as_one(client: Client, three: list[Ticket], us: Organisation) -> None:
    team = Team.objects.create(organisation=us, name="Network")
    before = [facts(ticket) for ticket in three]
    action = start(client, three, "assign", team=team.public_id)
    assert set(Ticket.objects.values_list("team__name", flat=True)) == {"Network"}
    page = client.get(reverse("console:bulk_action", args=[action.public_id])).content.decode()
    assert "Assign: 3 tickets." in page
    assert "Undone on 3 tickets." in press(client)
    assert [facts(ticket) for ticket in three] == before


def test_a_bulk_action_is_undone_where_nobody_has_changed_the_ticket(
    client: Client, three: list[Ticket], us: Organisation, agent: Actor
) -> None:
    team = Team.objects.create(organisation=us, name="Network")
    action = start(client, three, "assign", team=team.public_id)
    tickets.set_priority(ticket=fresh(three[1]), priority="P1", actor=agent, at=now())
    client.get(reverse("console:bulk_action", args=[action.public_id]))
    page = press(client)
    assert "Undone on 2 tickets." in page
    assert f"{three[1].label} has changed since" in page
    assert [fresh(ticket).team_id for ticket in three] == [None, team.pk, None]


def test_in_the_background_everything_is_held_until_all_is_done(
    client: Client, three: list[Ticket], connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "AT_ONCE", 1)
    action = start(client, three, "hand_over", organisation=connection.organisation.public_id)
    assert running.run(action_id=action.pk, at=now(), seconds=0) == 0
    running._run_next(action.pk, now())
    early = Outbound.objects.get()
    assert early.next_attempt_at > timezone.now() + timedelta(seconds=60)
    running.run(action_id=action.pk, at=now(), seconds=30)
    times = set(Outbound.objects.values_list("next_attempt_at", flat=True))
    assert len(times) == 1
    assert timedelta(seconds=8) < times.pop() - timezone.now() <= timedelta(seconds=10)
    client.get(reverse("console:bulk_action", args=[action.public_id]))
    press(client)
    assert not Outbound.objects.exists()
    assert not Leg.objects.exists()


def test_what_changes_other_tickets_too_is_not_offered(client: Client, three: list[Ticket], user: User) -> None:
    parent, *children = three
    action = start(client, children, "gather", parent=parent.label)
    assert action.items.filter(state="done").exists()
    assert not UndoWindow.objects.exists()


def test_quiet_hours_of_notices_are_kept(client: Client, three: list[Ticket], us: Organisation) -> None:
    colleague = factories.member("agent", us, name="Ada Agent")
    NoticePreference.objects.create(user=colleague, kind="", mail="daily")
    start(client, three, "assign", assignee=colleague.public_id)
    due = {notice.channel: notice.due_at for notice in Notice.objects.filter(kind="assigned")}
    assert due["console"] <= timezone.now() + timedelta(seconds=10)
    assert due["mail"] > timezone.now() + timedelta(minutes=5)


def test_a_change_of_fields_that_waited_already_waits_no_longer_than_the_others(
    client: Client, agent: Actor, connection: Connection
) -> None:
    ticket = opened(agent)
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    Outbound.objects.update(state="done", next_attempt_at=None)
    agreed = {"priority": {"theirs": "2", "ours": "P3"}}
    Link.objects.update(agreed=agreed)
    tickets.set_priority(ticket=fresh(ticket), priority="P2", actor=agent, at=now())
    start(client, [ticket], "priority", priority="P1", reason="the board meets")
    assert Outbound.objects.get(kind="fields").next_attempt_at <= timezone.now() + timedelta(seconds=10)
