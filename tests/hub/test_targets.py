"""Every kind of promise a contract can make is measured: from what, until what, and what it pauses for."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hub.domain import clock_rows, event_loader, history, messages, tickets
from hub.domain.actors import Actor
from hub.models import Clock, Contract, Leg, Organisation, Target, Ticket
from hub.queries import tickets as questions
from tests import factories
from workflows.handoffs import comments, engagements, stages
from workflows.incidents import triage_decisions
from workflows.lifecycle import transitions, triage
from workflows.rules.scheduling import reaches

pytestmark = pytest.mark.django_db
AT = datetime.fromisoformat("2026-03-16T09:00:00+00:00")
EVERY = {kind: {"P3": 3600} for kind in Target.Kind.values}


def after(minutes: int) -> datetime:
    return AT + timedelta(minutes=minutes)


@pytest.fixture
def vendor(us: Organisation) -> Organisation:
    made: Organisation = factories.OrganisationFactory(name="Hostwerk")
    return made


def opened(agent: Actor) -> Ticket:
    return tickets.open_ticket(title="VPN", requester=factories.PersonFactory(), actor=agent, at=AT)


def engaged(ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime) -> Leg:
    return engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)


def cycles(ticket: Ticket, target: str, at: datetime) -> list[tuple[str, int]]:
    """State and minutes used of every cycle, the oldest first."""
    clock_rows.refold(ticket, event_loader.load(ticket), as_of=at)
    rows = Clock.objects.filter(ticket=ticket, target=target).order_by("cycle")
    return [(row.state, row.used_seconds // 60) for row in rows]


@pytest.mark.parametrize("kind", ["sla", "uc"])
def test_no_promise_goes_unmeasured(kind: str, us: Organisation, vendor: Organisation, agent: Actor) -> None:
    contract = factories.contract(us if kind == "sla" else vendor, kind=kind, goals=EVERY)
    ticket = opened(agent)
    leg = engaged(ticket, vendor, agent, AT)
    stages.accept(leg=leg, actor=Actor.vendor(vendor), at=after(1))
    messages.say(ticket=ticket, body="We look", is_for_requester=True, actor=agent, at=after(2))
    asks(ticket, after(3))

    measured = set(Clock.objects.filter(ticket=ticket, contract=contract).values_list("target", flat=True))

    assert measured == set(Target.Kind.values)


def test_we_acknowledge_when_somebody_takes_it_up_and_a_reopen_changes_nothing(us: Organisation, agent: Actor) -> None:
    factories.contract(us, goals={"acknowledge": {"P3": 3600}})
    ticket = opened(agent)
    assert cycles(ticket, "acknowledge", after(4)) == [("active", 4)]
    transitions.move(ticket=ticket, name="activate", actor=agent, at=after(5))
    transitions.move(ticket=ticket, name="resolve", actor=agent, at=after(20))
    transitions.move(ticket=ticket, name="reopen", actor=agent, at=after(30))

    assert cycles(ticket, "acknowledge", after(60)) == [("stopped", 5)]


def asks(ticket: Ticket, at: datetime) -> None:
    assert ticket.requester is not None
    actor = Actor.system("portal")
    fresh = Ticket.objects.get(pk=ticket.pk)
    comments.requester_says(ticket=fresh, requester=ticket.requester, body="And now?", actor=actor, at=at)


def test_each_word_of_the_requester_waits_for_ours_after_the_first_response(us: Organisation, agent: Actor) -> None:
    factories.contract(us, goals={"first_response": {"P3": 3600}, "next_update": {"P3": 1800}})
    ticket = opened(agent)
    asks(ticket, after(5))
    assert cycles(ticket, "next_update", after(39)) == []  # the first response is still due
    said = messages.say(ticket=ticket, body="We look", is_for_requester=True, actor=agent, at=after(40))
    assert cycles(ticket, "next_update", after(99)) == []  # nobody has asked since
    asks(ticket, after(100))
    asks(ticket, after(110))
    messages.say(ticket=ticket, body="ours alone", actor=agent, at=after(112))
    messages.say(ticket=ticket, body="We look at", is_for_requester=True, supersedes=said, actor=agent, at=after(113))
    assert cycles(ticket, "next_update", after(115)) == [("active", 15)]  # from the oldest that is unanswered
    messages.say(ticket=ticket, body="Found it", is_for_requester=True, actor=agent, at=after(140))
    asks(ticket, after(150))
    assert cycles(ticket, "next_update", after(155)) == [("stopped", 40), ("active", 5)]
    assert list(Clock.objects.filter(target="next_update").order_by("cycle").values_list("is_breached", flat=True)) == [
        True,
        False,
    ]


def test_a_word_on_a_resolved_ticket_waits_from_its_reopening(us: Organisation, agent: Actor) -> None:
    factories.contract(us, goals={"next_update": {"P3": 1800}})
    ticket = opened(agent)
    transitions.move(ticket=ticket, name="activate", actor=agent, at=after(1))
    transitions.move(ticket=Ticket.objects.get(pk=ticket.pk), name="resolve", actor=agent, at=after(60))
    assert cycles(ticket, "next_update", after(99)) == []
    asks(ticket, after(100))
    assert Ticket.objects.get(pk=ticket.pk).phase == "active"
    assert cycles(ticket, "next_update", after(103)) == [("active", 3)]
    transitions.move(ticket=Ticket.objects.get(pk=ticket.pk), name="resolve", actor=agent, at=after(110))
    assert cycles(ticket, "next_update", after(199)) == [("stopped", 10)]
    assert history.verify(Ticket.objects.get(pk=ticket.pk)) is None


def test_a_vendors_first_word_and_its_next(vendor: Organisation, agent: Actor) -> None:
    factories.contract(vendor, kind="uc", goals={"first_response": {"P3": 600}, "next_update": {"P3": 600}})
    ticket, them = opened(agent), Actor.vendor(vendor)
    leg = engaged(ticket, vendor, agent, AT)
    stages.confirm_delivery(leg=leg, actor=Actor.system("delivery"), at=after(1))
    stages.accept(leg=leg, actor=them, at=after(3))
    messages.say(ticket=ticket, body="Looking", legs=[leg], actor=agent, at=after(4))  # ours is not theirs
    assert cycles(ticket, "first_response", after(5)) == [("active", 5)]
    messages.say(ticket=ticket, body="Looking", legs=[leg], actor=them, at=after(7))
    assert cycles(ticket, "first_response", after(9)) == [("stopped", 7)]
    assert cycles(ticket, "next_update", after(9)) == [("stopped", 4), ("active", 2)]

    stages.finish(leg=leg, actor=them, at=after(10))
    messages.say(ticket=ticket, body="By the way", legs=[leg], actor=them, at=after(30))
    assert cycles(ticket, "next_update", after(40)) == [("stopped", 4), ("stopped", 3)]


@pytest.mark.parametrize(
    ("pauses", "used"), [(["waiting_us"], 50), (["waiting_us", "contested"], 20), (["contested"], 20), ([], 50)]
)
def test_a_contract_says_whether_a_dispute_pauses_its_clock(
    pauses: list[str], used: int, vendor: Organisation, agent: Actor
) -> None:
    contract: Contract = factories.contract(vendor, kind="uc", goals={"resolve": {"P3": 7200}}, pause_reasons=pauses)
    ticket, them = opened(agent), Actor.vendor(vendor)
    stages.accept(leg=engaged(ticket, vendor, agent, AT), actor=them, at=AT)
    found = triage.start(ticket=ticket, cause="person", reason="whose?", actor=agent, at=after(10))
    expected = "paused" if "contested" in pauses else "active"
    assert cycles(ticket, "resolve", after(20))[0][0] == expected
    triage_decisions.decide(found=found, organisation=vendor, decision="theirs", actor=agent, at=after(40))

    assert cycles(ticket, "resolve", after(50)) == [("active", used)]
    assert Clock.objects.get().contract == contract


def test_what_waits_for_us_is_paused_in_a_dispute_as_before(vendor: Organisation, agent: Actor) -> None:
    factories.contract(vendor, kind="uc", goals={"resolve": {"P3": 7200}}, pause_reasons=["waiting_us"])
    ticket, them = opened(agent), Actor.vendor(vendor)
    leg = stages.accept(leg=engaged(ticket, vendor, agent, AT), actor=them, at=AT)
    stages.wait(leg=stages.start(leg=leg, actor=them, at=AT), waits_on="us", actor=them, at=after(5))
    triage.start(ticket=ticket, cause="person", reason="whose?", actor=agent, at=after(10))

    assert cycles(ticket, "resolve", after(30)) == [("paused", 5)]


def test_a_priority_with_hours_of_its_own_is_told_by_them(us: Organisation, agent: Actor) -> None:
    """Monday 09:00 in the office's morning: the contract's own calendar is closed then, P3's is not."""
    evening = factories.CalendarFactory(weekly={"mon": [["18:00", "20:00"]]})
    always = factories.CalendarFactory()
    contract = factories.contract(us, goals={"resolve": {"P3": 7200}}, calendar=evening)
    contract.targets.update(calendar=always)
    ticket = opened(agent)

    clock = Clock.objects.get(ticket=ticket)
    assert clock.hours == always
    assert questions.badge(clock, at=after(30)).used == 1800
    assert reaches(clock, 50) == after(60)
    tickets.set_priority(ticket=ticket, priority="P1", reason="worse", actor=agent, at=after(30))
    assert Clock.objects.get(ticket=ticket).hours == evening


def test_what_was_cancelled_is_neither_met_nor_missed(us: Organisation, agent: Actor) -> None:
    factories.contract(us, goals={"resolve": {"P3": 7200}})
    ticket = opened(agent)
    transitions.move(ticket=ticket, name="cancel", actor=agent, at=after(5))

    assert questions.badge(Clock.objects.get(ticket=ticket), at=after(9)).state == "cancelled"
