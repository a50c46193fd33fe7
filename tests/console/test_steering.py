"""Steering a ticket from its page: verbs of its workflow, priority, triage, escalations, major incidents."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from connectors.models import Connection, Difference, Link
from hub.core.clock import now
from hub.domain import messages
from hub.domain.actors import Actor
from hub.models import Event, Leg, Message, Organisation, Stage, State, Ticket, User
from tests import factories
from tests.console.pages import BACKEND, fresh, opened, post
from tests.workflows.building import act, guard, published, rule
from workflows.handoffs import engagements
from workflows.incidents import major_incidents
from workflows.lifecycle import priorities, transitions
from workflows.models import Escalation, EscalationRun, FailedAction, Notice, Pending
from workflows.rules import execution

pytestmark = pytest.mark.django_db


# -- verbs


def test_the_page_shows_the_workflow_s_verbs_and_why_not_the_others(client: Client, agent: Actor) -> None:
    published(
        rule("begin", ["new"], "working", guards=[guard("requester_is_vip")]),
        rule("ask", ["new"], "waiting", required=["reason"], help="Say what you need to know."),
    )
    ticket = opened(agent)

    page = client.get(ticket.get_absolute_url()).content.decode()
    assert "<strong>Begin</strong>: The requester is not a VIP." in page
    assert "Say what you need to know." in page
    refused = post(client, "move", ticket, move="begin")
    assert "The requester is not a VIP." in refused
    assert "Fill in first: a reason." in post(client, "move", ticket, move="ask")
    post(client, "move", ticket, move="ask", reason="Which office?")

    assert fresh(ticket).status.slug == "waiting"


def test_an_action_that_fails_is_told_and_can_be_tried_again(
    client: Client, agent: Actor, vendor: Organisation
) -> None:
    published(rule("begin", ["new"], "working", actions=[act("hand_over", organisation=vendor.public_id)]))
    ticket = opened(agent)
    Organisation.objects.filter(pk=vendor.pk).update(archived_at=now())
    page = post(client, "move", ticket, move="begin")
    failed = FailedAction.objects.get()
    assert failed.why in page.replace("&#x27;", "'")
    # Nobody else may look at the ticket for hours: managers are told.
    assert failed.why in Notice.objects.get(channel="console").body

    sync = client.get(reverse("console:sync")).content.decode()
    assert "“hand over” could not be run" in sync
    client.post(reverse("console:retry", args=["action", failed.pk]))
    assert FailedAction.objects.get().resolved_at is None
    Organisation.objects.filter(pk=vendor.pk).update(archived_at=None)
    client.post(reverse("console:retry", args=["action", failed.pk]))

    assert FailedAction.objects.get().resolved_at is not None
    assert Leg.objects.get(ticket=ticket).organisation == vendor


def test_what_a_rule_could_not_do_is_left_out_with_a_reason(client: Client, agent: Actor) -> None:
    failed = FailedAction.objects.create(ticket=opened(agent), rule="x", kind="comment", why="no", at=now())
    url = reverse("console:dismiss", args=[failed.pk])
    client.post(url, {"reason": " "})
    assert FailedAction.objects.get().resolved_at is None
    client.post(url, {"reason": "told by telephone"})
    assert FailedAction.objects.get().resolution == "Mona Manager: told by telephone"


def test_a_rule_that_broke_runs_again(client: Client, agent: Actor) -> None:
    row = Pending.objects.create(
        ticket=opened(agent), rule="verb", key="k", due_at=now(), state="failed", outcome="boom", made_at=now()
    )
    assert "boom" in client.get(reverse("console:sync")).content.decode()
    client.post(reverse("console:retry", args=["rule", row.pk]))
    assert Pending.objects.get().state == "waiting"


@pytest.mark.parametrize(("role", "expected"), [("manager", "Working"), ("requester", "We are on it")])
def test_everybody_reads_the_name_of_a_state_that_is_for_them(
    us: Organisation, agent: Actor, role: str, expected: str
) -> None:
    published(rule("begin", ["new"], "working"))
    State.objects.filter(slug="working").update(requester_name="We are on it")
    requester = factories.PersonFactory()
    user = factories.member(role, us if role == "manager" else requester.organisation)
    requester.user = user
    requester.save()
    ticket = opened(agent, requester=requester)
    execution.fire(ticket=ticket, verb="begin", actor=agent, at=now())
    client = Client()
    client.force_login(user, backend=BACKEND)

    page = client.get(ticket.get_absolute_url()).content.decode()

    assert f">{expected}</span>" in page.split('id="story"')[0]


def test_a_requester_uses_the_verbs_that_are_theirs_and_no_other(us: Organisation, agent: Actor) -> None:
    requester = factories.PersonFactory()
    user = factories.member("requester", requester.organisation)
    requester.user = user
    requester.save()
    client = Client()
    client.force_login(user, backend=BACKEND)
    plain = opened(agent, requester=requester)
    published(rule("withdraw", ["new", "working"], "cancelled", roles=["requester"]))
    own = opened(agent, requester=requester)

    for ticket, verb in ((plain, "cancel"), (own, "begin")):
        url = reverse("console:move", args=[ticket.public_id])
        assert client.post(url, {"move": verb}).status_code == 403
    page = client.get(own.get_absolute_url()).content.decode()
    assert ('value="withdraw"' in page, 'value="begin"' in page) == (True, False)
    post(client, "move", own, move="withdraw")

    assert (fresh(plain).phase, fresh(own).phase) == ("new", "cancelled")


# -- priority


@pytest.mark.parametrize(
    ("impact", "urgency", "tier", "expected"),
    [(1, 1, 2, "P1"), (1, 1, 1, "P1"), (2, 2, 2, "P3"), (2, 2, 1, "P2"), (3, 3, 3, "P4"), (3, 3, 1, "P3")],
)
def test_priority_follows_from_impact_urgency_and_tier(
    client: Client, agent: Actor, impact: int, urgency: int, tier: int, expected: str
) -> None:
    ticket = opened(agent, service=factories.ServiceFactory(tier=tier))
    post(client, "priority", ticket, impact=impact, urgency=urgency)
    assert fresh(ticket).priority == expected


def test_a_priority_by_hand_needs_a_reason_and_stays(client: Client, agent: Actor) -> None:
    ticket = opened(agent)
    refused = post(client, "priority", ticket, impact=3, urgency=3, priority="P1")
    assert "Enter a reason: the priority differs from the one that impact and urgency give" in refused
    assert fresh(ticket).priority == "P3"  # what is refused changes nothing
    post(client, "priority", ticket, impact=3, urgency=3, priority="P1", reason="the board meets")
    post(client, "priority", ticket, impact=2, urgency=3, priority="P1", reason="still")
    assert (fresh(ticket).priority, fresh(ticket).is_priority_set) == ("P1", True)
    post(client, "priority", ticket, impact=2, urgency=3)

    assert (fresh(ticket).priority, fresh(ticket).is_priority_set) == ("P4", False)


def test_a_ticket_is_opened_by_its_weight_and_a_workflow_has_a_matrix_of_its_own(
    client: Client, us: Organisation
) -> None:
    published(priority_matrix={"2": {"2": "P1"}})
    client.post(reverse("console:open"), {"title": "a", "impact": 2, "urgency": 2})
    client.post(reverse("console:open"), {"title": "b", "impact": 1, "urgency": 1, "priority": "P4"})
    client.post(reverse("console:open"), {"title": "c"})

    assert dict(Ticket.objects.values_list("title", "priority")) == {"a": "P1", "b": "P4", "c": "P3"}
    assert Ticket.objects.get(title="b").is_priority_set
    assert priorities.derived(impact=1, urgency=None, service=None, version=None) == ""


# -- escalations, major incidents


def test_an_escalation_is_acknowledged_once(client: Client, agent: Actor, user: User) -> None:
    version = published()
    ticket = opened(agent)
    escalation = Escalation.objects.create(version=version, name="Half time", slug="half", trigger="clock")
    run = EscalationRun.objects.create(ticket=ticket, escalation=escalation, key="1", cause="50 %", began_at=now())
    assert "Acknowledge" in client.get(ticket.get_absolute_url()).content.decode()
    for _ in range(2):
        post(client, "acknowledge", ticket, run.public_id)

    assert EscalationRun.objects.get().acknowledged_by == user
    assert Event.objects.filter(ticket=ticket, kind="escalation.acknowledged").count() == 1


def test_a_major_incident_speaks_with_one_voice_and_hears_each_vendor(
    client: Client, agent: Actor, vendor: Organisation
) -> None:
    parent, child = opened(agent), opened(agent)
    leg = engagements.offer(ticket=child, organisation=vendor, actor=agent, at=now())
    post(client, "major", parent, do="declare")
    assert "There is no ticket TH-9" in post(client, "major", parent, do="gather", tickets="TH-9")
    post(client, "major", parent, do="gather", tickets=child.label)
    assert f"{parent.label} is already a parent of {child.label}" in post(
        client, "major", child, do="gather", tickets=parent.label
    )
    post(client, "major", parent, do="broadcast", body="The core switch is down.")
    messages.say(ticket=child, body="We see it, too.", actor=Actor.vendor(vendor), legs=[leg], at=now())

    page = client.get(parent.get_absolute_url()).content.decode()

    assert "We see it, too." in page.split('id="steer"')[1]
    assert Message.objects.filter(body="The core switch is down.").count() == 2
    assert [answer.leg.organisation for answer in major_incidents.answers(parent)] == [vendor]


def test_a_ticket_of_the_page_has_somebody_who_asks_and_nothing_stands_below_what_is_over(
    client: Client, agent: Actor, us: Organisation
) -> None:
    who = factories.PersonFactory(name="Priya")
    page = client.post(reverse("console:open"), {"title": "No VPN", "requester": who.public_id}, follow=True)
    ticket = Ticket.objects.get(title="No VPN")
    assert ticket.requester == who
    assert "Priya" in page.content.decode()
    assert "cannot be its own child ticket" in post(client, "major", ticket, do="gather", tickets=ticket.label)
    transitions.move(ticket=fresh(ticket), name="cancel", actor=agent, at=now())
    below = opened(agent)
    assert "is no longer open and takes no new child tickets" in post(
        client, "major", ticket, do="gather", tickets=below.label
    )


def test_notices_are_read_by_whom_they_are_for(client: Client, user: User, agent: Actor) -> None:
    row = Notice.objects.create(
        key="k",
        kind="escalation",
        channel="console",
        to=user.public_id,
        user=user,
        subject="Half time",
        body="Look",
        made_at=now() - timedelta(minutes=1),
        state="sent",
    )
    page = client.get(reverse("console:notices")).content.decode()
    assert "Half time" in page
    client.post(reverse("console:read_notices"), {"upto": row.pk})
    assert Notice.objects.get().read_at is not None


# -- what the workflow refused


def test_an_executive_reads_notices_and_sees_to_an_escalation(us: Organisation, agent: Actor) -> None:
    version = published()
    director = factories.member("executive", us, name="Ida Director")
    client = Client()
    client.force_login(director, backend=BACKEND)
    ticket = opened(agent)
    row = Escalation.objects.create(version=version, name="Half time", slug="half", trigger="clock")
    run = EscalationRun.objects.create(escalation=row, ticket=ticket, cause="50 %", key="k", began_at=now())

    assert client.get(reverse("console:notices")).status_code == 200
    page = client.get(ticket.get_absolute_url()).content.decode()
    assert "Acknowledge" in page
    assert 'name="decision"' not in page
    post(client, "acknowledge", ticket, run.public_id)

    run.refresh_from_db()
    assert run.acknowledged_by == director
    assert client.post(reverse("console:decide", args=[ticket.public_id])).status_code == 403


@pytest.fixture
def refused(connection: Connection, agent: Actor) -> Difference:
    """Hostwerk said “Complete”; the workflow wants evidence first."""
    published(
        rule(
            "done",
            None,
            "resolved",
            trigger="vendor",
            trigger_params={"did": ["done"]},
            guards=[guard("has_evidence", what="attachments", least=1)],
        ),
    )
    leg = engagements.offer(ticket=opened(agent), organisation=connection.organisation, actor=agent, at=now())
    link = Link.objects.get(leg=leg)
    return Difference.objects.create(link=link, field="status", value="5", why="It has 0 attachments", heard_at=now())


def test_a_refused_status_becomes_a_comment(client: Client, refused: Difference) -> None:
    client.post(reverse("console:difference", args=[refused.pk]))
    said = Message.objects.get()
    assert "“Complete”" in said.body
    assert Difference.objects.get().is_dealt_with


def test_a_refused_status_is_taken_by_whom_may_with_a_reason(
    client: Client, refused: Difference, us: Organisation
) -> None:
    url = reverse("console:difference", args=[refused.pk])
    ordinary = Client()
    ordinary.force_login(factories.member("agent", us), backend=BACKEND)
    ordinary.post(url, {"do": "force", "reason": "they said so"})
    client.post(url, {"do": "force", "reason": ""})
    assert Difference.objects.get().resolved_at is None
    assert "Accept their status" in client.get(reverse("console:sync")).content.decode()
    assert "Accept their status" not in ordinary.get(reverse("console:sync")).content.decode()

    client.post(url, {"do": "force", "reason": "they proved it by telephone"})

    leg = Leg.objects.get()
    assert leg.stage == Stage.DONE
    assert fresh(leg.ticket).phase == "resolved"
    assert Difference.objects.get().resolved_at is not None
    assert Link.objects.get().agreed["status"]["theirs"] == "5"
    assert "they proved it by telephone" in Message.objects.get().body


def test_the_law_holds_against_force_too(client: Client, refused: Difference, agent: Actor) -> None:
    ticket = fresh(refused.link.leg.ticket)
    engagements.recall(leg=refused.link.leg, reason="", actor=agent, at=now())
    execution.fire(ticket=ticket, verb="drop", reason="no longer needed", actor=agent, at=now())
    page = client.post(
        reverse("console:difference", args=[refused.pk]), {"do": "force", "reason": "all the same"}, follow=True
    ).content.decode()
    assert "fixed rules do not allow it" in page
