"""Mentions, watching, assignments, tasks: whom of ours is told of what, and how one is told less."""

from __future__ import annotations

from datetime import datetime, timedelta
from html import unescape

import pytest

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation, Team, Ticket, User
from tests import factories
from tests.console.test_pages import log_in
from worker import dispatcher
from workflows.handoffs import comments, engagements
from workflows.lifecycle import tasks, transitions
from workflows.models import Follow, Notice, NoticePreference, Task
from workflows.notifications import following

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(us: Organisation) -> User:
    return factories.member("agent", us, name="Anna Agent", email="anna@northwind.example")


@pytest.fixture
def bea(us: Organisation) -> User:
    return factories.member("agent", us, name="Bea Manager", email="bea.m@northwind.example")


@pytest.fixture
def ticket(us: Organisation, agent: Actor, at: datetime) -> Ticket:
    return tickets.open_ticket(title="No network", actor=agent, at=at)


def told(user: User) -> list[str]:
    """The kinds of notices of a person, in order."""
    rows = Notice.objects.filter(user=user, channel="console").order_by("pk")
    return list(rows.values_list("kind", flat=True))


def say(ticket: Ticket, by: User, body: str, at: datetime) -> None:
    comments.comment(ticket=ticket, body=body, actor=Actor.person(by), at=at)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@Bea can you look?", ["Bea Manager"]),
        ("ask @bea manager, please", ["Bea Manager"]),
        ("(@bea.m)", ["Bea Manager"]),
        ("mail bea@northwind.example or x@bea", []),
        ("@nobody", []),
        ("@Anna and @Bea.", ["Anna Agent", "Bea Manager"]),
        ("@", []),
    ],
)
def test_who_is_mentioned(ada: User, bea: User, text: str, names: list[str]) -> None:
    assert [user.name for user in following.mentioned_in(text)] == names


def test_a_name_of_several_and_people_of_vendors_are_not_mentioned(ada: User, us: Organisation) -> None:
    factories.member("agent", us, name="Anna Other", email="other@northwind.example")
    factories.member("vendor", factories.OrganisationFactory(), name="Kai Host", email="kai@hostwerk.example")
    assert following.mentioned_in("@Anna and @Kai") == []
    assert [user.name for user in following.mentioned_in("@Anna Other")] == ["Anna Other"]


def test_a_mention_is_told_once_and_makes_one_follow(ticket: Ticket, ada: User, bea: User, at: datetime) -> None:
    say(ticket, ada, "@Bea @bea look", at)
    assert told(bea) == ["mention"]
    assert Notice.objects.get(user=bea, channel="console").body.startswith("Anna Agent mentioned you")
    say(ticket, ada, "and another thing", at)
    assert told(bea) == ["mention", "followed"]
    say(ticket, bea, "I am on it", at)
    assert told(bea) == ["mention", "followed"]  # one's own words are no news
    assert told(ada) == []


def test_who_has_muted_a_ticket_is_told_of_mentions_alone(ticket: Ticket, ada: User, bea: User, at: datetime) -> None:
    following.mute(user=bea, ticket=ticket)
    tickets.assign(ticket=ticket, assignee=bea, actor=Actor.person(ada), at=at)
    say(ticket, ada, "news", at)
    assert told(bea) == []
    say(ticket, ada, "@Bea!", at)
    assert told(bea) == ["mention"]
    assert Follow.objects.get().is_muted


def test_the_assignee_is_told_of_the_assignment_and_what_follows(
    ticket: Ticket, ada: User, bea: User, at: datetime
) -> None:
    vendor = factories.OrganisationFactory(name="Hostwerk")
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=Actor.person(ada), at=at)
    tickets.assign(ticket=ticket, assignee=bea, actor=Actor.person(ada), at=at)
    comments.comment(ticket=ticket, body="We look", legs=[leg], actor=Actor.vendor(vendor, "Kai"), at=at)
    assert told(bea) == ["assigned", "followed"]
    tickets.assign(ticket=ticket, assignee=ada, actor=Actor.person(ada), at=at)
    assert told(ada) == []  # she took it herself


def test_a_task_is_added_completed_and_reminded_of_once(ticket: Ticket, ada: User, bea: User, at: datetime) -> None:
    client, url = log_in(ada), f"/tickets/{ticket.public_id}/tasks/"
    client.post(url, {"title": "Order a cable", "assignee": "bea", "due_at": "2026-03-16T10:00"})
    task = Task.objects.get()
    assert (task.assignee, task.ticket) == (bea, ticket)
    assert "Enter what has to be done" in unescape(client.post(url, {"title": " "}, follow=True).content.decode()) or (
        Task.objects.count() == 1
    )
    Task.objects.update(due_at=at - timedelta(minutes=1))
    dispatcher.run(dispatcher.Job("tasks", task.pk))
    dispatcher.run(dispatcher.Job("tasks", task.pk))
    assert told(bea) == ["task"]
    assert tasks.due(at=at) == []

    page = unescape(client.get(ticket.get_absolute_url()).content.decode())
    assert "task added – Order a cable" in page
    answer = log_in(bea).post(f"/tasks/{task.public_id}/done/", {"back": "work"})
    assert answer["Location"] == "/work/"
    events = list(ticket.events.filter(kind__startswith="task.").order_by("seq").values_list("kind", flat=True))
    log_in(bea).post(f"/tasks/{task.public_id}/done/")
    assert events == ["task.added", "task.done"]
    assert ticket.events.filter(kind="task.done").count() == 1


def test_my_work_shows_my_tickets_tasks_mentions_and_what_my_teams_have(
    us: Organisation, ticket: Ticket, ada: User, bea: User, agent: Actor, at: datetime
) -> None:
    team = Team.objects.create(organisation=us, name="Network")
    team.members.add(ada)
    mine = tickets.open_ticket(title="Mine", actor=agent, at=at)
    tickets.assign(ticket=mine, assignee=ada, actor=agent, at=at)
    tickets.assign(ticket=ticket, team=team, actor=agent, at=at)
    tasks.add(ticket=mine, title="Call back", assignee=ada, due_at=at, actor=agent, at=at)
    say(mine, bea, "@Anna?", at)

    page = unescape(log_in(ada).get("/work/").content.decode())
    for words in ("Mine", "No network", "Call back", "Bea Manager mentioned you", "Take it"):
        assert words in page
    other = unescape(log_in(bea).get("/work/").content.decode())
    assert "Call back" not in other
    assert "You belong to no team" in other
    vendor = log_in(factories.member("vendor", factories.OrganisationFactory()))
    assert vendor.get("/work/").status_code == 403


def test_a_notice_is_read_in_every_tab_says_why_and_can_be_switched_off(
    ticket: Ticket, ada: User, bea: User, at: datetime
) -> None:
    say(ticket, ada, "@Bea", at)
    client = log_in(bea)
    page = unescape(client.get("/notices/").content.decode())
    assert "Mentions: somebody mentioned you" in page
    assert "http://" not in page.split("<main", 1)[1]  # the subject leads to the ticket
    assert 'data-fresh="1"' in client.get("/notices/unread/").content.decode()
    notice = Notice.objects.get(user=bea, channel="console")
    assert log_in(ada).post(f"/notices/{notice.public_id}/open/").status_code == 404
    assert client.post(f"/notices/{notice.public_id}/open/")["Location"] == ticket.get_absolute_url()
    assert 'data-fresh="0"' in client.get("/notices/unread/").content.decode()

    client.post("/notices/kinds/", {"kind": "followed", "mail": "never"})
    assert not NoticePreference.objects.get(user=bea).console
    say(ticket, ada, "more", at)
    assert told(bea) == ["mention"]
    client.post("/notices/kinds/", {"kind": "nonsense", "mail": "never"})
    client.post("/notices/kinds/", {"kind": "task", "mail": "nonsense"})
    assert NoticePreference.objects.count() == 1


def test_watching_is_said_and_ends(ticket: Ticket, ada: User, bea: User, at: datetime) -> None:
    client, url = log_in(bea), f"/tickets/{ticket.public_id}/follow/"
    client.post(url, {"do": "watch"})
    say(ticket, ada, "news", at)
    assert told(bea) == ["followed"]
    assert "Stop watching" in client.get(ticket.get_absolute_url()).content.decode()
    client.post(url, {"do": "unfollow"})
    client.post(url, {"do": "nonsense"})
    assert not Follow.objects.exists()


def test_a_change_of_the_team_is_no_assignment_of_the_assignee(
    us: Organisation, ticket: Ticket, ada: User, bea: User, at: datetime
) -> None:
    tickets.assign(ticket=ticket, assignee=bea, actor=Actor.person(ada), at=at)
    team = Team.objects.create(organisation=us, name="Network")
    tickets.assign(ticket=ticket, team=team, actor=Actor.person(ada), at=at)
    assert told(bea) == ["assigned", "followed"]


def test_no_reminder_is_sent_for_a_cancelled_ticket(ticket: Ticket, ada: User, at: datetime) -> None:
    task = tasks.add(ticket=ticket, title="Call", assignee=ada, due_at=at, actor=Actor.person(ada), at=at)
    transitions.move(ticket=ticket, name="cancel", actor=Actor.person(ada), at=at)
    tasks.remind(task_id=task.pk, at=at)
    assert told(ada) == []
