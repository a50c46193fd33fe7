"""What a person has just done can be undone for ten seconds; what it sends is held for so long."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connectors.autotask.simulator import Simulator
from connectors.models import Connection, Link, Outbound
from hub.core import jobs
from hub.core.clock import now
from hub.domain import history, ledger, messages, tickets, undo
from hub.domain.actors import Actor
from hub.models import (
    Checkpoint,
    Clock,
    Event,
    EventKind,
    LedgerSegment,
    Leg,
    Message,
    Organisation,
    Stage,
    Team,
    Ticket,
    UndoWindow,
    User,
)
from hub.queries import permissions, provenance, timeline
from tests import factories
from tests.connectors.test_engine import DOMAIN, offered, work
from tests.console.pages import BACKEND, fresh, opened, post
from tests.factories import RESOLVED
from workflows.bulk import running
from workflows.handoffs import engagements, stages
from workflows.models import BulkAction, Notice, Pending
from workflows.rules import runner

__all__ = ["offered"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(agent: Actor) -> Ticket:
    made = tickets.open_ticket(
        title="VPN down", requester=factories.PersonFactory(), actor=agent, at=now() - timedelta(minutes=5)
    )
    return Ticket.objects.get(pk=made.pk)


def press(client: Client, name: str = "undo") -> str:
    """Press the button of the newest offer; the page that follows."""
    action = client.session["undo"]["action"]
    answer = client.post(reverse(f"console:{name}", args=[action]), {"back": "/work/"}, follow=True)
    assert answer.redirect_chain[-1][0] == "/work/"
    return unescape(answer.content.decode())


def let_time_pass(seconds: float = 10) -> None:
    """Let the window run out: everything in it was done so much earlier."""
    UndoWindow.objects.update(
        until_at=timezone.now() - timedelta(seconds=1), made_at=now() - timedelta(seconds=seconds)
    )


def facts(ticket: Ticket) -> dict[str, Any]:
    """Everything about the ticket that undoing must restore."""
    columns = [f.attname for f in Ticket._meta.concrete_fields]
    own = {"last_seq", "chain_head", "changed_at", "is_indexed"}
    of_leg = [f.attname for f in Leg._meta.concrete_fields]
    of_clock = [f.attname for f in Clock._meta.concrete_fields if f.name not in ("id", "as_of", "used_seconds")]
    of_segment = [f.attname for f in LedgerSegment._meta.concrete_fields if f.name != "id"]
    return {
        "ticket": Ticket.objects.filter(pk=ticket.pk).values(*(name for name in columns if name not in own)).get(),
        "legs": list(Leg.objects.filter(ticket=ticket).order_by("pk").values(*of_leg)),
        "clocks": list(Clock.objects.filter(ticket=ticket).order_by("contract", "target", "cycle").values(*of_clock)),
        "ledger": list(LedgerSegment.objects.filter(ticket=ticket).order_by("from_at").values(*of_segment)),
    }


def is_sound(ticket: Ticket) -> bool:
    return history.verify(fresh(ticket)) is None and ledger.verify(fresh(ticket)) == []


# -- one ticket


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

    assert "Undone. Nothing of it was sent." in press(client)

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


# -- what is sent


def test_nothing_reaches_the_vendor_before_the_time_is_up(client: Client, connection: Connection, agent: Actor) -> None:
    ticket = opened(agent)
    post(client, "hand_over", ticket, organisation=connection.organisation.public_id, reason="theirs")
    item = Outbound.objects.get()
    assert timedelta(seconds=9) < item.next_attempt_at - timezone.now() <= timedelta(seconds=10)
    held = fresh(ticket)
    assert (held.holder.is_us, held.hold_reason) == (True, "to_send")

    press(client)
    assert not Outbound.objects.exists()
    assert not Link.objects.exists()
    assert not Leg.objects.exists()


def test_ten_seconds_are_charged_to_who_acted_and_then_it_is_transport(
    client: Client, connection: Connection, agent: Actor
) -> None:
    ticket = opened(agent)
    post(client, "hand_over", ticket, organisation=connection.organisation.public_id)
    window = UndoWindow.objects.get()
    late = window.made_at + timedelta(seconds=45)  # the worker was away for a while
    undo.close(window_id=window.pk, at=late)
    rows = [
        (row.reason, row.charge, int((row.until_at - row.from_at).total_seconds()) if row.until_at else None)
        for row in LedgerSegment.objects.filter(ticket=ticket, from_at__gte=window.made_at).order_by("from_at")
    ]
    assert rows[-2:] == [("to_send", "holder", 10), ("transport", "hub", None)]
    assert Outbound.objects.get().undo_window == ""
    assert is_sound(ticket)
    assert not undo.close(window_id=window.pk, at=late)


def test_an_organisation_without_a_system_gets_it_when_the_time_is_up(
    client: Client, ticket: Ticket, vendor: Organisation
) -> None:
    Organisation.objects.filter(pk=vendor.pk).update(contact_email="desk@hostwerk.test")
    post(client, "hand_over", ticket, organisation=vendor.public_id)
    assert fresh(ticket).holder.is_us
    assert not Notice.objects.filter(kind="offer").exists()
    until = UndoWindow.objects.get().made_at + timedelta(seconds=10)
    let_time_pass()
    UndoWindow.objects.update(until_at=until)
    undo.close(window_id=UndoWindow.objects.get().pk, at=until + timedelta(seconds=3))
    leg = Leg.objects.get()
    assert leg.delivered_at == until
    assert fresh(ticket).holder == vendor
    assert Notice.objects.get(kind="offer").to == "desk@hostwerk.test"


def test_send_now_ends_the_window(client: Client, connection: Connection, agent: Actor) -> None:
    ticket = opened(agent)
    page = post(client, "hand_over", ticket, organisation=connection.organisation.public_id)
    assert "Send now</button>" in page
    assert "It is being sent." in press(client, "send_now")
    assert Outbound.objects.get().next_attempt_at <= timezone.now()
    assert fresh(ticket).hold_reason == "transport"
    assert not UndoWindow.objects.exists()
    assert not undo.of(action="", user=User.objects.get(name="Mona Manager"), session="").exists()


def test_the_worker_closes_windows_whose_time_is_up(client: Client, ticket: Ticket) -> None:
    post(client, "assign", ticket, take="1")
    job = jobs.registered()["undo"]
    assert list(job.due()) == []
    let_time_pass()
    assert job in jobs.with_work()
    [pk] = job.due()
    job.run(pk)
    assert not UndoWindow.objects.exists()


def test_what_is_being_sent_is_not_undone(client: Client, connection: Connection, agent: Actor) -> None:
    ticket = opened(agent)
    post(client, "hand_over", ticket, organisation=connection.organisation.public_id)
    Outbound.objects.update(intent_at=timezone.now())
    assert "It is already being sent, so it can no longer be undone." in press(client)
    assert Outbound.objects.exists()
    assert Leg.objects.exists()
    assert not Event.objects.filter(kind=EventKind.ACTION_UNDONE).exists()


def test_a_change_of_others_is_sent_although_the_change_before_was_held(
    client: Client, connection: Connection, agent: Actor
) -> None:
    ticket = opened(agent)
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    Outbound.objects.update(state="done", next_attempt_at=None)
    Link.objects.update(agreed={"title": {"theirs": "VPN down", "ours": "VPN down"}})
    post(client, "edit", ticket, title="VPN is down", **{"initial-title": "VPN down"})
    held = Outbound.objects.get(kind="fields")
    assert held.undo_window
    tickets.edit_ticket(ticket=fresh(ticket), changes={"title": "No VPN"}, actor=agent, at=now())
    held.refresh_from_db()
    assert held.undo_window == ""
    assert held.next_attempt_at <= timezone.now()
    assert leg.pk == held.link.leg_id


def test_a_change_that_waits_is_not_sent_with_values_that_can_be_undone(
    client: Client, connection: Connection, agent: Actor
) -> None:
    ticket = opened(agent)
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    Outbound.objects.update(state="done", next_attempt_at=None)
    Link.objects.update(agreed={"title": {"theirs": "VPN down", "ours": "VPN down"}})
    tickets.edit_ticket(ticket=fresh(ticket), changes={"title": "No VPN"}, actor=agent, at=now())
    post(client, "edit", ticket, title="VPN is down", **{"initial-title": "No VPN"})
    waiting = Outbound.objects.get(kind="fields")
    assert waiting.undo_window == ""
    assert waiting.next_attempt_at > timezone.now() + timedelta(seconds=8)
    press(client)
    assert fresh(ticket).title == "No VPN"
    assert Outbound.objects.filter(kind="fields").exists()


def test_notices_and_rules_wait_and_are_dropped(client: Client, ticket: Ticket, us: Organisation) -> None:
    colleague = factories.member("agent", us, name="Ada Agent")
    post(client, "assign", ticket, assignee=colleague.public_id)
    notice = Notice.objects.filter(kind="assigned").first()
    assert notice is not None
    assert notice.due_at is not None
    assert notice.due_at > timezone.now() + timedelta(seconds=8)
    Pending.objects.create(
        ticket=ticket, rule="verb", key="k", due_at=now(), made_at=now(), undo_window=notice.undo_window
    )
    assert not runner.due_pending(at=now())
    press(client)
    assert not Notice.objects.exists()
    assert not Pending.objects.exists()


def test_a_message_is_sent_when_the_time_is_up_and_not_before(
    client: Client, offered: Link, simulator: Simulator
) -> None:
    ticket, legs = offered.leg.ticket, [offered.leg.public_id]
    post(client, "comment", ticket, body="Try the other cable", legs=legs)
    press(client)
    post(client, "comment", ticket, body="Try the other port", legs=legs)
    work()
    assert not simulator.tenants[DOMAIN].notes
    let_time_pass()
    Outbound.objects.filter(state="ready").update(next_attempt_at=timezone.now())
    work()
    [note] = simulator.tenants[DOMAIN].notes.values()
    assert "Try the other port" in str(note)
    assert not UndoWindow.objects.exists()


# -- many tickets


@pytest.fixture
def three(us: Organisation, agent: Actor) -> list[Ticket]:
    return [opened(agent) for _n in range(3)]


def start(client: Client, chosen: list[Ticket], verb: str, **given: Any) -> BulkAction:
    data = {"verb": verb, "tickets": ",".join(t.public_id for t in chosen), **given}
    page = client.post(reverse("console:bulk"), data | {"step": "preview"})
    data |= {"step": "apply", "previewed": page.context["previewed"], "once": page.context["once"]}
    client.post(reverse("console:bulk"), data)
    return BulkAction.objects.get()


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
