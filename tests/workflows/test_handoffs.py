"""Moves and hand-offs: what the law allows, who has the ball, what they are told."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Clock, Event, EventKind, Leg, Organisation, Phase, Stage, Ticket, WaitsOn
from hub.queries.clocks import seconds_used
from tests import factories
from workflows.handoffs import briefing, comments, engagements, expiry, returns, stages, vendor_status
from workflows.handoffs import transitions as handoff_transitions
from workflows.lifecycle import transitions

pytestmark = pytest.mark.django_db


@pytest.fixture
def vendor(us: Organisation) -> Organisation:
    made: Organisation = factories.OrganisationFactory(name="Hostwerk")
    return made


@pytest.fixture
def ticket(agent: Actor, at: datetime) -> Ticket:
    return tickets.open_ticket(
        title="VPN down", description="since nine", requester=factories.PersonFactory(), actor=agent, at=at
    )


def test_no_resolve_with_an_open_blocking_leg(ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime) -> None:
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)

    with pytest.raises(transitions.MoveRefused, match="Still open: the engagement of Hostwerk"):
        transitions.move(ticket=ticket, name="resolve", actor=agent, at=at)
    engagements.recall(leg=leg, reason="found it", actor=agent, at=at)

    assert transitions.move(ticket=ticket, name="resolve", actor=agent, at=at).phase == Phase.RESOLVED


def test_a_leg_that_does_not_block_lets_the_ticket_be_resolved(
    ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime
) -> None:
    engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at, is_blocking=False)

    assert transitions.move(ticket=ticket, name="resolve", actor=agent, at=at).phase == Phase.RESOLVED


def test_a_closed_ticket_is_reopened_inside_the_window_only(ticket: Ticket, agent: Actor, at: datetime) -> None:
    for name in ("resolve", "close"):
        transitions.move(ticket=ticket, name=name, actor=agent, at=at)

    with pytest.raises(transitions.MoveRefused, match="closed too long ago"):
        transitions.move(ticket=ticket, name="reopen", actor=agent, at=at + timedelta(days=15))

    assert transitions.move(ticket=ticket, name="reopen", actor=agent, at=at + timedelta(days=14)).phase == Phase.ACTIVE


@pytest.mark.parametrize("name", ["close", "reopen", "explode"])
def test_a_refused_move_says_why_and_records_nothing(ticket: Ticket, agent: Actor, at: datetime, name: str) -> None:
    with pytest.raises(transitions.MoveRefused) as refused:
        transitions.move(ticket=ticket, name=name, actor=agent, at=at)

    assert str(refused.value)
    assert ticket.events.count() == 1


def test_a_leg_without_a_system_is_delivered_at_once(
    ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime
) -> None:
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)

    assert leg.delivered_at == at
    assert Ticket.objects.get(pk=ticket.pk).holder == vendor


@pytest.mark.parametrize("act", ["decline", "expire", "give_back", "recall"])
def test_the_ball_comes_back_to_the_giver(
    ticket: Ticket, vendor: Organisation, us: Organisation, agent: Actor, at: datetime, act: str
) -> None:
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at, accept_within=timedelta(minutes=30))
    later = at + timedelta(minutes=40)
    if act == "give_back":
        leg = stages.accept(leg=leg, actor=agent, at=at)
    if act == "expire":
        assert expiry.due_legs(at=later) == [leg.pk]
        expiry.expire(leg_id=leg.pk, at=later)
    else:
        {"decline": returns.decline, "give_back": returns.give_back, "recall": engagements.recall}[act](
            leg=leg, reason="not ours", actor=agent, at=later
        )

    found = Ticket.objects.get(pk=ticket.pk)
    assert (found.holder, found.hold_reason) == (us, "to_assign")


def test_a_timer_for_an_offer_that_was_answered_does_nothing(
    ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime
) -> None:
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at, accept_within=timedelta(minutes=1))
    stages.accept(leg=leg, actor=agent, at=at)

    expiry.expire(leg_id=leg.pk, at=at + timedelta(hours=1))

    assert Leg.objects.get(pk=leg.pk).stage == Stage.ACCEPTED


def test_final_stages_are_final(ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime) -> None:
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)
    leg = returns.decline(leg=leg, reason="no", actor=agent, at=at)

    for verb in ("accept", "start", "wait", "resume", "finish", "decline", "recall", "give_back", "reopen"):
        assert handoff_transitions.why_not(leg, verb) != ""


def test_the_same_organisation_twice_is_two_legs_one_after_another(
    ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime
) -> None:
    first = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)
    with pytest.raises(handoff_transitions.HandoffRefused, match="is already engaged on this ticket"):
        engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)
    engagements.recall(leg=first, reason="wait", actor=agent, at=at)

    second = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)

    assert [leg.number for leg in (first, second)] == [1, 2]


def test_whoever_goes_from_new_to_done_has_accepted_and_worked(
    ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime
) -> None:
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)

    vendor_status.follow(leg=leg, verb="done", actor=Actor.vendor(vendor), at=at)

    assert [e.kind for e in Event.objects.filter(ticket=ticket, kind__startswith="leg.").order_by("seq")] == [
        EventKind.LEG_OFFERED,
        EventKind.LEG_DELIVERED,
        EventKind.LEG_ACCEPTED,
        EventKind.LEG_DONE,
    ]


def test_following_to_where_it_is_records_nothing(
    ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime
) -> None:
    leg = engagements.begin_there(ticket=ticket, organisation=vendor, actor=agent, at=at)
    count = Event.objects.count()

    vendor_status.follow(leg=leg, verb="work", actor=agent, at=at)

    assert Event.objects.count() == count


def test_a_new_organisation_is_told_the_story_but_nothing_internal(
    ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime
) -> None:
    other = factories.OrganisationFactory(name="Deskside")
    leg = engagements.begin_there(ticket=ticket, organisation=other, actor=agent, at=at)
    messages.say(ticket=ticket, body="canary: they are slow", actor=agent, at=at)
    messages.say(ticket=ticket, body="canary: the price", legs=[leg], actor=agent, at=at)
    comments.comment(ticket=ticket, body="canary: for Deskside alone", legs=[leg], actor=agent, at=at)
    comments.comment(ticket=ticket, body="spooler is empty", is_for_all=True, actor=agent, at=at)

    new = engagements.hand_over(ticket=ticket, organisation=vendor, reason="look at the server", actor=agent, at=at)

    assert "since nine" in new.brief
    assert "look at the server" in new.brief
    assert "Northwind IT: spooler is empty" in new.brief
    assert "another vendor (recalled)" in new.brief
    assert "Deskside" not in new.brief.replace("canary: for Deskside alone", "")
    assert "canary" not in new.brief


def test_a_message_for_the_requester_alone_is_in_no_pack_unless_the_giver_chooses_it(
    ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime
) -> None:
    said = comments.comment(ticket=ticket, body="canary: dear Rita", is_for_requester=True, actor=agent, at=at)

    assert "canary" not in briefing.brief(ticket, to=vendor)
    assert "canary" in briefing.brief(ticket, to=vendor, also=[said])


def test_earlier_vendors_are_named_only_where_the_installation_says_so(
    ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime, settings: Any
) -> None:
    engagements.begin_there(
        ticket=ticket, organisation=factories.OrganisationFactory(name="Deskside"), actor=agent, at=at
    )

    assert "Deskside" not in briefing.brief(ticket, to=vendor)
    settings.NAMES_VENDORS = True
    assert "Deskside" in briefing.brief(ticket, to=vendor)


def test_the_requesters_answer_wakes_whoever_waited(
    ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime
) -> None:
    leg = engagements.begin_there(ticket=ticket, organisation=vendor, actor=agent, at=at)
    stages.wait(leg=leg, waits_on=WaitsOn.REQUESTER, actor=agent, at=at)
    assert Ticket.objects.get(pk=ticket.pk).phase == Phase.WAITING

    comments.requester_says(
        ticket=ticket,
        requester=ticket.requester,
        body="here",
        actor=agent,
        at=at,  # type: ignore[arg-type]
    )

    assert Ticket.objects.get(pk=ticket.pk).phase == Phase.ACTIVE
    assert Leg.objects.get(pk=leg.pk).stage == Stage.WORKING


def test_each_contract_has_its_own_clock_in_its_own_hours(
    ticket: Ticket, vendor: Organisation, us: Organisation, agent: Actor, at: datetime
) -> None:
    factories.contract(us, goals={"resolve": {"P3": 7200}, "first_response": {"P3": 600}})
    factories.contract(vendor, kind="uc", goals={"acknowledge": {"P3": 300}, "resolve": {"P3": 3600}})
    ticket = tickets.open_ticket(title="VPN", requester=ticket.requester, actor=agent, at=at)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at + timedelta(minutes=10))
    them = Actor.vendor(vendor)
    leg = stages.accept(leg=leg, actor=them, at=at + timedelta(minutes=12))
    leg = stages.start(leg=leg, actor=them, at=at + timedelta(minutes=12))
    stages.wait(leg=leg, waits_on=WaitsOn.US, actor=them, at=at + timedelta(minutes=20))
    stages.resume(leg=leg, actor=agent, at=at + timedelta(minutes=40))
    stages.finish(leg=leg, actor=them, at=at + timedelta(minutes=50))

    found = {
        (clock.party.name, clock.target): (
            clock.state,
            seconds_used(clock, at=at + timedelta(minutes=50)) // 60,
            clock.is_breached,
        )
        for clock in Clock.objects.filter(ticket=ticket).select_related("party")
    }

    assert found == {
        (us.name, "first_response"): ("active", 50, True),
        (us.name, "resolve"): ("active", 50, False),
        ("Hostwerk", "acknowledge"): ("stopped", 2, False),
        ("Hostwerk", "resolve"): ("stopped", 20, False),
    }


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_two_people_who_move_at_once_one_wins_and_the_other_is_told(
    ticket: Ticket, agent: Actor, at: datetime
) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def resolve() -> None:
        together.wait()
        try:
            transitions.move(ticket=ticket, name="resolve", actor=agent, at=at)
            outcomes.append("won")
        except transitions.MoveRefused as refused:
            outcomes.append(str(refused))
        finally:
            connection.close()

    threads = [threading.Thread(target=resolve) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes, key=len)[0] == "won"
    assert "is resolved" in sorted(outcomes, key=len)[1]
    assert ticket.events.filter(kind=EventKind.TICKET_MOVED).count() == 1


def test_a_pack_that_is_too_long_says_that_something_is_left_out(
    ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime
) -> None:
    assert "left out" not in briefing.brief(ticket, to=vendor)
    Ticket.objects.filter(pk=ticket.pk).update(description="word " * 3000)
    told = briefing.brief(Ticket.objects.get(pk=ticket.pk), to=vendor)

    assert told.endswith("(Shortened because of its length. Ask us for the rest.)")
    assert len(told) == briefing.LONGEST
