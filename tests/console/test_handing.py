"""Organisations of a ticket on its page: returns, joint triage, who leads, whose clocks are shown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from hub.core.clock import now
from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import Event, Leg, Message, Organisation, Stage, WorkflowVersion
from hub.queries import permissions
from tests import factories
from tests.console.pages import BACKEND, fresh, opened, post
from tests.workflows.building import published, rule
from workflows.handoffs import engagements, returns, stages
from workflows.handoffs import transitions as handoff_transitions
from workflows.lifecycle import transitions, triage
from workflows.models import Notice, Triage

pytestmark = pytest.mark.django_db


# -- organisations


def test_completion_is_approved_or_not_done_after_all(client: Client, agent: Actor, vendor: Organisation) -> None:
    ticket = opened(agent)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
    post(client, "leg", ticket, leg.public_id, act="accept")
    post(client, "leg", ticket, leg.public_id, act="finish", reason="replaced the disk")
    post(client, "leg", ticket, leg.public_id, act="approve")
    assert Leg.objects.get().approved_at is not None
    post(client, "leg", ticket, leg.public_id, act="reopen")

    assert Leg.objects.get().stage == Stage.WORKING


def test_a_return_says_why_in_a_code(client: Client, agent: Actor, vendor: Organisation) -> None:
    ticket = opened(agent)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
    post(client, "leg", ticket, leg.public_id, act="decline", reason="is the network's", code="not_ours")
    assert (Leg.objects.get().reason_code, Leg.objects.get().stage) == ("not_ours", "declined")
    assert "not our responsibility: is the network&#x27;s" in client.get(ticket.get_absolute_url()).content.decode()


def test_nobody_declines_for_them_without_saying_why(client: Client, agent: Actor, vendor: Organisation) -> None:
    ticket = opened(agent)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())

    assert "Choose or enter a reason" in post(client, "leg", ticket, leg.public_id, act="decline")
    assert Leg.objects.get().stage == Stage.OFFERED


def test_a_return_that_is_one_too_many_is_explained(client: Client, agent: Actor, vendor: Organisation) -> None:
    published(bounce_budget=0)
    ticket = opened(agent)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
    post(client, "leg", ticket, leg.public_id, act="accept")

    page = post(client, "leg", ticket, leg.public_id, act="give_back", code="not_ours")
    assert "It stays with Hostwerk until joint triage decides" in page


# -- joint triage and the lead


def test_triage_is_begun_and_decided_on_the_page(client: Client, agent: Actor, vendor: Organisation) -> None:
    ticket = opened(agent)
    post(client, "start_triage", ticket, reason="storage or network?")
    assert fresh(ticket).hold_reason == "contested"
    assert "Enter the decision and the reason for it" in post(client, "decide", ticket, organisation=vendor.public_id)
    post(client, "decide", ticket, organisation=vendor.public_id, decision="It is their storage")

    assert "Hostwerk: It is their storage" in client.get(ticket.get_absolute_url()).content.decode()
    assert Triage.objects.get().decided_for == vendor
    assert Leg.objects.get(ticket=ticket).organisation == vendor
    assert triage.is_open(ticket) is None


def test_triage_for_us_takes_the_ball_back_and_for_an_engaged_one_gives_it_the_lead(
    client: Client, agent: Actor, us: Organisation, vendor: Organisation
) -> None:
    other = factories.OrganisationFactory(name="Desk")
    ticket = opened(agent)
    lead = stages.accept(
        leg=engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now()),
        actor=Actor.vendor(vendor),
        at=now(),
    )
    beside = engagements.offer(ticket=ticket, organisation=other, actor=agent, at=now(), is_lead=False)
    triage.start(ticket=ticket, cause="person", reason="whose?", actor=agent, at=now())
    post(client, "decide", ticket, organisation=other.public_id, decision="It is the desk's", accept_minutes="5")
    assert [Leg.objects.get(pk=each.pk).is_lead for each in (lead, beside)] == [False, True]
    assert (fresh(ticket).holder, fresh(ticket).hold_reason) == (other, "to_accept")

    triage.start(ticket=ticket, cause="person", reason="whose now?", actor=agent, at=now())
    post(client, "decide", ticket, organisation=us.public_id, decision="It is ours")
    assert Leg.objects.get(pk=beside.pk).stage == Stage.RECALLED
    assert (fresh(ticket).holder, fresh(ticket).hold_reason) == (us, "to_assign")


def test_a_decision_that_cannot_be_carried_out_decides_nothing(
    client: Client, agent: Actor, vendor: Organisation
) -> None:
    ticket = opened(agent)
    triage.start(ticket=ticket, cause="person", reason="whose?", actor=agent, at=now())
    WorkflowVersion.objects.filter(pk=ticket.status.version_id).update(most_organisations=0)

    page = post(client, "decide", ticket, organisation=vendor.public_id, decision="theirs")

    assert "may be engaged at the same time" in page
    assert triage.is_open(ticket) is not None


def test_the_decision_owner_and_managers_decide_and_nobody_else(agent: Actor, us: Organisation) -> None:
    director, someone = factories.member("executive", us, name="Ida"), factories.member("agent", us, name="Anton")
    ticket = opened(agent)
    triage.start(ticket=ticket, cause="person", reason="whose?", actor=agent, at=now(), owner=director)
    theirs, own = Client(), Client()
    theirs.force_login(someone, backend=BACKEND)
    own.force_login(director, backend=BACKEND)

    page = theirs.get(ticket.get_absolute_url()).content.decode()
    assert "The decision owner or a manager decides" in page
    where = reverse("console:decide", args=[ticket.public_id])
    assert theirs.post(where, {"decision": "mine"}).status_code == 403
    assert 'id="decision_decision"' in own.get(ticket.get_absolute_url()).content.decode()
    assert own.post(where, {"decision": "It stays"}).status_code == 302
    assert triage.is_open(ticket) is None


def test_nobody_goes_round_a_dispute_that_somebody_else_decides(
    agent: Actor, us: Organisation, vendor: Organisation
) -> None:
    other, theirs = factories.OrganisationFactory(name="Desk"), Client()
    theirs.force_login(factories.member("agent", us, name="Anton"), backend=BACKEND)
    director = factories.member("executive", us, name="Ida Director")
    ticket = opened(agent)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
    assert "Enter what needs to be decided" in post(theirs, "start_triage", ticket, reason=" ")
    triage.start(ticket=ticket, cause="person", reason="whose?", actor=agent, at=now(), owner=director)

    told = "This ticket is in joint triage: Ida Director decides who takes it."
    assert told in post(theirs, "hand_over", ticket, organisation=other.public_id)
    assert told in post(theirs, "leg", ticket, leg.public_id, act="recall")
    assert [row.stage for row in Leg.objects.filter(ticket=ticket)] == [Stage.OFFERED]


def test_triage_ends_with_its_ticket(client: Client, agent: Actor) -> None:
    ticket = opened(agent)
    triage.start(ticket=ticket, cause="person", reason="whose?", actor=agent, at=now())
    transitions.move(ticket=fresh(ticket), name="cancel", actor=agent, at=now(), reason="nobody needs it")

    assert triage.is_open(ticket) is None
    assert Triage.objects.get().decision == "The ticket was resolved or cancelled before a decision was made."
    assert Event.objects.filter(ticket=ticket, kind="triage.decided").count() == 1
    assert history.verify(fresh(ticket)) is None
    assert triage.due(at=now() + timedelta(days=1)) == []


def test_an_end_that_is_learned_of_late_leaves_nothing_contested(agent: Actor, vendor: Organisation) -> None:
    published(
        rule("vendor_done", ["working", "waiting"], "resolved", trigger="vendor", trigger_params={"did": ["done"]})
    )
    began = now() - timedelta(hours=2)
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=began)
    them = Actor.vendor(vendor)
    leg = stages.accept(
        leg=engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=began), actor=them, at=began
    )
    leg = stages.start(leg=leg, actor=them, at=began)
    triage.start(ticket=ticket, cause="person", reason="whose?", actor=agent, at=began + timedelta(minutes=13))
    stages.finish(
        leg=leg, actor=them, at=began + timedelta(minutes=15), occurred_at=began + timedelta(minutes=10), origin="x"
    )
    assert (fresh(ticket).hold_reason, triage.is_open(ticket)) == ("resolved", None)
    transitions.move(ticket=fresh(ticket), name="reopen", actor=agent, at=began + timedelta(minutes=30))
    assert fresh(ticket).hold_reason != "contested"


def test_the_owner_hears_that_it_is_overdue_and_one_that_is_gone_blocks_nobody(us: Organisation, agent: Actor) -> None:
    director = factories.member("executive", us, name="Ida")
    someone = factories.member("agent", us, name="Anton")
    found = triage.start(
        ticket=opened(agent), cause="person", reason="?", actor=agent, at=now(), owner=director, minutes=1
    )
    assert not permissions.may_decide(someone, director)
    triage.remind(triage_id=found.pk, at=now() + timedelta(hours=1))
    assert Notice.objects.filter(user=director, key__contains="overdue").exists()

    director.is_active = False
    assert permissions.may_decide(someone, director)


def test_a_decision_is_read_by_whom_it_is_for_and_not_by_who_is_recalled(
    client: Client, agent: Actor, us: Organisation, vendor: Organisation
) -> None:
    ticket = opened(agent)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
    triage.start(ticket=ticket, cause="person", reason="whose?", actor=agent, at=now())
    post(client, "decide", ticket, organisation=vendor.public_id, decision="Yours: see the plan", accept_minutes="5")
    assert list(Message.objects.get(body="Yours: see the plan").legs.all()) == [leg]
    assert Leg.objects.get(pk=leg.pk).deadline_at is not None

    triage.start(ticket=ticket, cause="person", reason="again?", actor=agent, at=now())
    post(client, "decide", ticket, organisation=us.public_id, decision="They never get it done")
    assert Leg.objects.get(pk=leg.pk).reason == "Joint triage decided that we handle this ticket ourselves."


def test_who_takes_the_lead_is_waited_for(client: Client, agent: Actor, vendor: Organisation) -> None:
    ticket, them = opened(agent), Actor.vendor(vendor)
    other = factories.OrganisationFactory(name="Desk")
    lead = stages.start(
        leg=stages.accept(
            leg=engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now()), actor=them, at=now()
        ),
        actor=them,
        at=now(),
    )
    stages.wait(leg=lead, waits_on="requester", actor=them, at=now())
    beside = engagements.offer(
        ticket=ticket, organisation=other, actor=agent, at=now(), is_lead=False, is_blocking=False
    )
    post(client, "leg", ticket, beside.public_id, act="lead", reason="the wiring is theirs")
    assert "the wiring is theirs" in client.get(ticket.get_absolute_url()).content.decode()
    assert (fresh(ticket).phase, fresh(ticket).hold_reason) == ("active", "to_accept")
    engagements.recall(leg=lead, reason="x", actor=agent, at=now())
    assert "Still open: the engagement of Desk" in transitions.why_not(fresh(ticket), "resolve", at=now())

    engagements.recall(leg=beside, reason="x", actor=agent, at=now())
    late = engagements.offer(ticket=ticket, organisation=other, actor=agent, at=now(), is_lead=False, is_blocking=False)
    transitions.move(ticket=fresh(ticket), name="resolve", actor=agent, at=now())
    with pytest.raises(handoff_transitions.HandoffRefused, match="is no longer open; reopen it"):
        engagements.give_lead(leg=late, actor=agent, at=now())


def test_the_hand_over_form_sets_the_deadline_and_whether_it_blocks(
    client: Client, agent: Actor, vendor: Organisation
) -> None:
    ticket = opened(agent)
    post(client, "hand_over", ticket, organisation=vendor.public_id, accept_minutes="15", is_blocking="on")
    leg = Leg.objects.get(ticket=ticket)
    assert leg.deadline_at == leg.offered_at + timedelta(minutes=15)
    other = factories.OrganisationFactory(name="Desk")
    assert "Choose an organisation" in post(
        client, "hand_over", ticket, organisation=other.public_id, accept_minutes="soon"
    )
    post(client, "hand_over", ticket, organisation=other.public_id, is_parallel="on")
    beside = Leg.objects.get(ticket=ticket, organisation=other)
    assert (beside.is_lead, beside.is_blocking) == (False, False)

    post(client, "leg", ticket, beside.public_id, act="lead")
    assert Leg.objects.get(pk=beside.pk).is_lead
    assert "takes the lead" in client.get(ticket.get_absolute_url()).content.decode()


# -- clocks


def test_an_organisations_clocks_stand_at_its_newest_engagement(
    client: Client, agent: Actor, vendor: Organisation
) -> None:
    factories.contract(vendor, kind="uc", goals={"acknowledge": {"P3": 3600}})
    ticket = opened(agent)
    first = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
    returns.decline(leg=first, reason="no", actor=Actor.vendor(vendor), at=now())
    engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())

    legs = client.get(ticket.get_absolute_url()).context["engagements"]

    assert [len(leg.badges) for leg in legs] == [1, 0]


def test_who_did_not_do_it_is_shown_no_promise_but_to_answer(
    client: Client, agent: Actor, vendor: Organisation
) -> None:
    factories.contract(vendor, kind="uc", goals={"acknowledge": {"P3": 3600}, "resolve": {"P3": 3600}})
    ticket = opened(agent)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
    shown = client.get(ticket.get_absolute_url()).context["engagements"]
    assert [badge.clock.target for badge in shown[0].badges] == ["acknowledge", "resolve"]
    returns.decline(leg=leg, reason="not ours", actor=Actor.vendor(vendor), at=now())
    transitions.move(ticket=fresh(ticket), name="resolve", actor=agent, at=now())

    shown = client.get(ticket.get_absolute_url()).context["engagements"]

    assert [badge.clock.target for badge in shown[0].badges] == ["acknowledge"]
