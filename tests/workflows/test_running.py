"""Rules that nobody sets off by hand: timers, clock levels, silence, events; escalations step by step, each once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from hub.domain import history, tickets, undo
from hub.domain.actors import Actor
from hub.models import Event, EventKind, Leg, Membership, Organisation, Stage, Ticket, User, WaitsOn
from tests import factories
from tests.workflows.building import AT, act, guard, published, rule
from workflows.handoffs import comments, engagements, expiry, returns, stages
from workflows.lifecycle import transitions, triage
from workflows.models import EscalationRun, Notice, Pending, Triage
from workflows.rules import execution, runner

pytestmark = pytest.mark.django_db


def opened(agent: Actor, **more: Any) -> Ticket:
    made = tickets.open_ticket(title="VPN down", requester=factories.PersonFactory(), actor=agent, at=AT, **more)
    return Ticket.objects.get(pk=made.pk)


def minutes(number: int) -> datetime:
    return AT + timedelta(minutes=number)


def pass_until(number: int) -> None:
    """Everything that is due until then, in its order, each at its own instant."""
    for _ in range(200):
        row = Pending.objects.filter(state="waiting", due_at__lte=minutes(number)).order_by("due_at", "pk").first()
        if row is None:
            return
        runner.run(pending_id=row.pk, at=max(row.due_at, AT))
    raise AssertionError("it never rests")


def status(ticket: Ticket) -> str:
    return str(Ticket.objects.get(pk=ticket.pk).status.slug)


@pytest.fixture
def vendor(us: Organisation) -> Organisation:
    made: Organisation = factories.OrganisationFactory(name="Hostwerk")
    return made


@pytest.fixture
def director(us: Organisation) -> User:
    return factories.member("executive", us, name="Ida Director", email="ida@us.test")


# -- timers


def timer(slug: str, sources: list[str], target: str, number: int, **more: Any) -> dict[str, Any]:
    return rule(slug, sources, target, trigger="timer", trigger_params={"minutes": number, **more})


def test_a_resolved_ticket_closes_itself_after_a_while(agent: Actor) -> None:
    published(timer("auto_close", ["resolved"], "closed", 120))
    ticket = opened(agent)
    execution.fire(ticket=ticket, verb="solve", given=factories.RESOLVED, actor=agent, at=minutes(10))
    pass_until(129)
    assert status(ticket) == "resolved"
    pass_until(130)

    assert status(ticket) == "closed"
    assert Pending.objects.get().state == "done"
    assert Event.objects.filter(ticket=ticket).latest("seq").actor_kind == "timer"


def test_a_timer_for_a_ticket_that_moved_on_does_nothing_and_says_so(agent: Actor) -> None:
    published(timer("auto_close", ["resolved"], "closed", 120))
    ticket = opened(agent)
    execution.fire(ticket=ticket, verb="solve", given=factories.RESOLVED, actor=agent, at=minutes(10))
    execution.fire(ticket=ticket, verb="again", actor=agent, at=minutes(20))
    pass_until(200)

    row = Pending.objects.get()
    assert (row.state, row.outcome) == ("dropped", f"The status of {ticket.label} has changed to “Working”.")
    assert status(ticket) == "working"


def test_working_hours_count_where_a_rule_says_so(agent: Actor, us: Organisation) -> None:
    us.calendar = factories.CalendarFactory(weekly=factories.OFFICE)
    us.save()
    published(timer("remind", ["new"], "", 600, hours="ours"))
    opened(agent)

    assert Pending.objects.get().due_at == datetime(2026, 3, 17, 11, 0, tzinfo=AT.tzinfo)


# -- clocks


def level(percent: int, **more: Any) -> dict[str, Any]:
    return {"target": "resolve", "contract": "sla", "percent": percent, **more}


def escalation(slug: str, trigger: str, params: dict[str, Any], *steps: tuple[int, list[Any]], **more: Any) -> Any:
    return {
        "slug": slug,
        "name": slug.replace("_", " ").capitalize(),
        "trigger": trigger,
        "trigger_params": params,
        "guards": [],
        "steps": [{"wait_minutes": wait, "hours": "always", "actions": actions} for wait, actions in steps],
        **more,
    }


def test_the_director_is_told_when_half_of_the_time_is_used_and_only_once(
    agent: Actor, us: Organisation, director: User
) -> None:
    factories.contract(us, goals={"resolve": {"P3": 7200}})
    tell = [act("notify", whom="executive", text="{why}: {ticket.title}")]
    published(escalations=[escalation("half", "clock", level(50), (0, tell))])
    ticket = opened(agent)
    pass_until(59)
    assert not Notice.objects.exists()
    pass_until(60)
    pass_until(600)

    notice = Notice.objects.get(channel="console", user=director)
    assert "50% of the time to resolution is used: VPN down" in notice.body
    run = EscalationRun.objects.get()
    assert (run.steps_done, run.cause) == (1, "50% of the time to resolution is used")
    assert Event.objects.filter(ticket=ticket, kind=EventKind.ESCALATED).count() == 1
    assert history.verify(Ticket.objects.get(pk=ticket.pk)) is None


def test_a_clock_that_pauses_puts_its_level_off(agent: Actor, us: Organisation, director: User) -> None:
    factories.contract(us, goals={"resolve": {"P3": 7200}})
    published(escalations=[escalation("half", "clock", level(50), (0, [act("notify", whom="executive", text="x")]))])
    ticket = opened(agent)
    comments.comment(ticket=ticket, body="Which one?", is_for_requester=True, actor=agent, at=minutes(30))
    execution.fire(ticket=ticket, verb="ask", actor=agent, at=minutes(30))
    pass_until(300)
    assert not Notice.objects.exists()
    comments.requester_says(ticket=ticket, requester=ticket.requester, body="That", actor=agent, at=minutes(330))  # type: ignore[arg-type]
    pass_until(359)
    assert not Notice.objects.exists()
    pass_until(360)
    assert Notice.objects.filter(user=director).exists()


def test_a_level_beyond_the_goal_and_a_guard_of_its_own(agent: Actor, us: Organisation, director: User) -> None:
    factories.contract(us, goals={"resolve": {"P1": 3600, "P3": 3600}})
    late = escalation(
        "late",
        "clock",
        level(150),
        (0, [act("raise_priority", steps=1)]),
        guards=[guard("priority_in", priorities=["P3"])],
    )
    published(escalations=[late])
    ticket, urgent = opened(agent), opened(agent, priority="P1")
    pass_until(90)

    assert Ticket.objects.get(pk=ticket.pk).priority == "P2"
    assert Pending.objects.get(ticket=urgent).outcome == "The priority is P1, not P3."


# -- people who write, and people who have left


def test_a_requester_who_writes_on_a_resolved_ticket_stops_its_closing(agent: Actor) -> None:
    published(timer("auto_close", ["resolved"], "closed", 120))
    ticket = opened(agent)
    execution.fire(ticket=ticket, verb="solve", given=factories.RESOLVED, actor=agent, at=minutes(10))
    fresh = Ticket.objects.get(pk=ticket.pk)
    assert fresh.requester is not None
    comments.requester_says(ticket=fresh, requester=fresh.requester, body="No.", actor=agent, at=minutes(60))
    pass_until(600)
    assert Ticket.objects.get(pk=ticket.pk).phase == "active"
    assert "has changed to" in Pending.objects.get().outcome


@pytest.mark.parametrize("has_left", ["account", "seat"])
def test_an_assignee_who_has_left_counts_as_none(agent: Actor, us: Organisation, has_left: str) -> None:
    factories.contract(us, goals={"resolve": {"P3": 7200}})
    gone, boss = factories.member("agent", us, name="Gone"), factories.member("manager", us, name="Mona")
    published(escalations=[escalation("warn", "clock", level(50), (0, [act("notify", whom="assignee", text="look")]))])
    ticket = opened(agent)
    tickets.assign(ticket=ticket, assignee=gone, actor=agent, at=minutes(1))
    if has_left == "account":
        User.objects.filter(pk=gone.pk).update(is_active=False)
    else:
        Membership.objects.filter(user=gone).delete()
    pass_until(65)
    told = Notice.objects.filter(channel="console").exclude(kind="assigned")  # which came before they left
    assert set(told.values_list("user", flat=True)) == {boss.pk}


# -- escalations


def test_steps_follow_until_somebody_acknowledges(agent: Actor, director: User, us: Organisation) -> None:
    steps = [(wait, [act("notify", whom="executive", text=f"after {wait}")]) for wait in (0, 30, 30)]
    published(escalations=[escalation("unassigned", "timer", {"minutes": 15, "statuses": ["new"]}, *steps)])
    ticket = opened(agent)
    pass_until(45)
    run = EscalationRun.objects.get()
    assert run.steps_done == 2
    runner.acknowledge(run=run, user=director, actor=Actor.person(director, us), at=minutes(50))
    runner.acknowledge(run=run, user=director, actor=Actor.person(director, us), at=minutes(51))
    pass_until(500)

    assert EscalationRun.objects.get().steps_done == 2
    assert "acknowledged by Ida Director" in Pending.objects.filter(rule="step").latest("pk").outcome
    assert Event.objects.filter(ticket=ticket, kind=EventKind.ESCALATION_ACKNOWLEDGED).count() == 1


def test_an_escalation_ends_with_its_ticket_and_waits_for_the_morning(
    agent: Actor, director: User, us: Organisation
) -> None:
    us.calendar = factories.CalendarFactory(weekly=factories.OFFICE)
    us.save()
    steps = [(0, [act("notify", whom="executive", text="x")]), (600, [act("notify", whom="executive", text="y")])]
    params = {"kinds": ["ticket.opened"]}
    published(escalations=[escalation("calm", "event", params, *steps, is_quiet_at_night=True)])
    ticket = opened(agent)
    pass_until(1)
    following = Pending.objects.get(rule="step", state="waiting")
    assert following.due_at == datetime(2026, 3, 17, 9, 0, tzinfo=AT.tzinfo)
    execution.fire(ticket=ticket, verb="solve", given=factories.RESOLVED, actor=agent, at=minutes(60))
    runner.run(pending_id=following.pk, at=following.due_at)
    assert EscalationRun.objects.get().state == "ended"
    assert Pending.objects.get(pk=following.pk).outcome.endswith("is no longer open; its escalation has ended.")


def test_silence_is_broken_by_a_word_of_whoever_was_silent(agent: Actor, vendor: Organisation) -> None:
    quiet = rule(
        "chase",
        None,
        "",
        trigger="silence",
        trigger_params={"minutes": 60, "who": "vendor"},
        actions=[act("ask_update")],
    )
    published(quiet)
    ticket = opened(agent)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=AT)
    them = Actor.vendor(vendor, "Hugo")
    stages.start(leg=stages.accept(leg=leg, actor=them, at=minutes(30)), actor=them, at=minutes(30))
    comments.comment(ticket=ticket, body="ours", legs=[leg], actor=agent, at=minutes(80))
    pass_until(89)
    assert ticket.messages.count() == 1
    pass_until(90)
    assert "send us an update" in ticket.messages.latest("pk").body
    pass_until(1000)
    assert ticket.messages.count() == 2


def test_a_silence_that_an_undone_end_has_ended_goes_on(agent: Actor, vendor: Organisation, us: Organisation) -> None:
    quiet = rule("chase", None, "", trigger="silence", trigger_params={"minutes": 60, "who": "vendor"}, actions=[])
    published(quiet, rule("solve", None, "resolved"))
    ticket = opened(agent)
    assert Pending.objects.filter(key__startswith="silence:").count() == 1
    user = factories.member("manager", us)
    with undo.window(ticket=ticket, user=user, session="s", at=minutes(5)) as window:
        execution.fire(ticket=ticket, verb="solve", given=factories.RESOLVED, actor=agent, at=minutes(5))
    assert not Pending.objects.filter(key__startswith="silence:").exists()
    undo.undo(action=window.action, user=user, session="s", at=minutes(6))
    assert Pending.objects.filter(key__startswith="silence:", state="waiting").count() == 1


# -- the whole of it


def test_p1_on_payroll_goes_to_the_second_vendor_and_the_second_bounce_opens_triage(
    agent: Actor, us: Organisation, vendor: Organisation, director: User
) -> None:
    second = factories.OrganisationFactory(name="Second Hosting")
    factories.member("manager", us, name="Mona")
    factories.contract(us, goals={"resolve": {"P1": 7200}})
    listed = [vendor.public_id, second.public_id]
    critical = [guard("priority_in", priorities=["P1"])]
    published(
        rule(
            "to_hosting",
            None,
            "",
            trigger="event",
            trigger_params={"kinds": ["ticket.opened"]},
            guards=critical,
            actions=[act("offer_next", organisations=listed, accept_minutes=15)],
        ),
        rule(
            "else_next",
            None,
            "",
            trigger="vendor",
            trigger_params={"did": ["declined", "expired", "returned"]},
            guards=[*critical, guard("bounce_count", operator="at_most", number=1)],
            actions=[act("offer_next", organisations=listed, accept_minutes=15)],
        ),
        escalations=[escalation("half", "clock", level(50), (0, [act("notify", whom="executive", text="{why}")]))],
        bounce_budget=1,
    )
    ticket = opened(agent, priority="P1")
    pass_until(0)
    first = Leg.objects.get(ticket=ticket)
    assert (first.organisation, first.deadline_at) == (vendor, minutes(15))
    assert expiry.due_legs(at=minutes(15)) == [first.pk]
    expiry.expire(leg_id=first.pk, at=minutes(15))
    leg = Leg.objects.filter(ticket=ticket).latest("number")
    assert (leg.organisation, Ticket.objects.get(pk=ticket.pk).bounces) == (second, 1)

    leg = stages.accept(leg=leg, actor=Actor.vendor(second), at=minutes(20))
    back = returns.give_back(leg=leg, reason="not ours", code="not_ours", actor=Actor.vendor(second), at=minutes(40))
    assert back.stage == Stage.ACCEPTED  # blocked: it stays with them until it is decided
    assert Triage.objects.get().cause == "bounces"
    assert Ticket.objects.get(pk=ticket.pk).hold_reason == "contested"
    pass_until(60)
    assert Notice.objects.filter(user=director, channel="console").exists()

    triage.decide(
        triage=Triage.objects.get(), organisation=second, decision="It is their storage", actor=agent, at=minutes(70)
    )
    fresh = Ticket.objects.get(pk=ticket.pk)
    assert (fresh.holder, fresh.hold_reason) == (second, "working")
    contested = fresh.ledger.get(charge="contested")
    assert (contested.from_at, contested.until_at) == (minutes(40), minutes(70))
    assert history.verify(fresh) is None


def test_a_decline_too_many_opens_triage_unless_a_rule_has_found_somebody(
    agent: Actor, us: Organisation, vendor: Organisation
) -> None:
    second, third = (factories.OrganisationFactory(name=name) for name in ("Second", "Third"))
    listed = [vendor.public_id, second.public_id]
    published(
        rule(
            "else_next",
            None,
            "",
            trigger="vendor",
            trigger_params={"did": ["declined"]},
            actions=[act("offer_next", organisations=listed)],
        ),
        bounce_budget=0,
    )
    ticket = opened(agent)
    first = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=AT)
    returns.decline(leg=first, reason="not ours", actor=Actor.vendor(vendor), at=minutes(1))
    leg = ticket.legs.get(organisation=second)
    assert leg.stage == Stage.OFFERED
    assert not Triage.objects.exists()

    engagements.offer(ticket=ticket, organisation=third, is_lead=False, actor=agent, at=minutes(2))
    beside = returns.decline(
        leg=ticket.legs.get(organisation=third), reason="no", actor=Actor.vendor(third), at=minutes(3)
    )
    assert not beside.is_lead
    assert not Triage.objects.exists()
    returns.decline(leg=leg, reason="not ours either", actor=Actor.vendor(second), at=minutes(4))

    assert Triage.objects.get().reason == "Second declines: not ours either"
    fresh = Ticket.objects.get(pk=ticket.pk)
    assert (fresh.hold_reason, fresh.bounces) == ("contested", 3)


def test_triage_that_nobody_decides_is_overdue_once(agent: Actor, us: Organisation) -> None:
    factories.member("manager", us, name="Mona")
    made = triage.start(ticket=opened(agent), cause="person", reason="whose?", actor=agent, at=AT)
    assert triage.due(at=minutes(59)) == []
    assert triage.due(at=minutes(60)) == [made.pk]
    for _ in range(2):
        triage.remind(triage_id=made.pk, at=minutes(61))
    assert Notice.objects.filter(body__contains="overdue", channel="console").count() == 1
    with pytest.raises(triage.TriageRefused, match="Enter the decision and its reason"):
        triage.decide(triage=made, organisation=None, decision=" ", actor=agent, at=minutes(62))


def test_rules_wait_for_a_requester_only_as_long_as_the_ticket_waits(agent: Actor, vendor: Organisation) -> None:
    """A waiting state of another reason pauses only the clocks whose contract names it."""
    from tests.workflows.building import STATES

    us = Organisation.objects.get(is_us=True)
    factories.contract(us, goals={"resolve": {"P3": 7200}}, pause_reasons=["waiting_parts"])
    parts = {
        "slug": "parts",
        "name": "Parts",
        "phase": "waiting",
        "position": 9,
        "is_default": False,
        "wait_reason": "parts",
    }
    published(rule("order", ["working"], "parts"), rule("came", ["parts"], "working"), states=[*STATES, parts])
    ticket = opened(agent)
    for verb, at in (("begin", 10), ("order", 20), ("came", 80)):
        execution.fire(ticket=ticket, verb=verb, actor=agent, at=minutes(at))
    execution.fire(ticket=ticket, verb="solve", given=factories.RESOLVED, actor=agent, at=minutes(90))

    assert ticket.clocks.get().used_seconds == 30 * 60


def test_a_rule_that_breaks_parks_itself_and_nothing_else(
    agent: Actor, monkeypatch: pytest.MonkeyPatch, vendor: Organisation
) -> None:
    published(timer("remind", ["new"], "", 5), timer("other", ["new"], "working", 10))
    ticket = opened(agent)
    row = Pending.objects.order_by("due_at")[0]
    Pending.objects.filter(pk=row.pk).update(rule="verb", params={})
    for number in range(6):
        Pending.objects.filter(pk=row.pk).update(due_at=AT)
        runner.run(pending_id=row.pk, at=minutes(number))
    assert Pending.objects.get(pk=row.pk).state == "failed"
    assert "KeyError" in Pending.objects.get(pk=row.pk).outcome
    pass_until(10)
    assert status(ticket) == "working"


# -- once


@pytest.fixture
def reminding(us: Organisation, agent: Actor) -> Pending:
    """A rule that is due and can be seen to run: it says something, and moves nothing that would stop it."""
    published(timer("remind", ["new"], "", 5) | {"actions": [act("comment", text="Still new")]})
    opened(agent)
    return Pending.objects.get()


def said() -> list[str]:
    return list(Ticket.objects.get().messages.values_list("body", flat=True))


def test_a_rule_that_was_done_is_not_done_again(reminding: Pending) -> None:
    for _ in range(3):
        runner.run(pending_id=reminding.pk, at=minutes(5))

    row = Pending.objects.get()
    assert (said(), row.attempts, row.lease_until) == (["Still new"], 1, None)


def test_a_rule_in_somebodys_hands_is_left_to_them(reminding: Pending) -> None:
    Pending.objects.filter(pk=reminding.pk).update(lease_until=timezone.now() + timedelta(seconds=60))
    assert runner.due_pending(at=minutes(5)) == []
    runner.run(pending_id=reminding.pk, at=minutes(5))

    assert said() == []


def test_who_was_frozen_for_longer_than_its_lease_does_nothing_a_second_time(
    reminding: Pending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between claiming the row and locking the ticket somebody else claims it, and does it."""
    real, calls = tickets.locked, []

    def frozen(ticket: Ticket) -> Ticket:
        calls.append(ticket)
        if len(calls) == 1:
            Pending.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
            runner.run(pending_id=reminding.pk, at=minutes(6))
        return real(ticket)

    monkeypatch.setattr(runner.tickets, "locked", frozen)
    runner.run(pending_id=reminding.pk, at=minutes(5))

    row = Pending.objects.get()
    assert said() == ["Still new"]
    assert (row.state, row.ended_at) == ("done", minutes(6))


def test_a_wait_on_the_requester_still_rolls_up_by_law(agent: Actor, vendor: Organisation) -> None:
    published()
    leg = engagements.begin_there(ticket=opened(agent), organisation=vendor, actor=agent, at=AT)
    stages.wait(leg=leg, waits_on=WaitsOn.REQUESTER, actor=Actor.vendor(vendor), at=AT)
    assert Ticket.objects.get(pk=leg.ticket_id).status.slug == "waiting"
    assert transitions.LAW["waiting", "active"] == "activate"
