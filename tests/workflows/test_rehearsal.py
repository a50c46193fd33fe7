"""A draft tried on what really happened: every kind of trigger is seen, at its time, and nothing is written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Event, Organisation, Ticket
from tests import factories
from tests.workflows.building import AT, act, draft, guard, rule
from workflows.authoring import dry_run
from workflows.handoffs import engagements, returns

pytestmark = pytest.mark.django_db


def after(minutes: int) -> Any:
    return AT + timedelta(minutes=minutes)


@pytest.fixture
def host(us: Organisation) -> Organisation:
    factories.contract(us, goals={"resolve": {"P1": 4 * 3600}})
    return factories.OrganisationFactory(name="Hostwerk")


@pytest.fixture
def second(us: Organisation) -> Organisation:
    return factories.OrganisationFactory(name="Beta Hosting")


@pytest.fixture
def past(agent: Actor, host: Organisation, second: Organisation) -> Ticket:
    """Hostwerk does not answer, Beta declines; our own network team, engaged beside them, is done."""
    network = factories.OrganisationFactory(name="Network")
    ticket = tickets.open_ticket(title="Payroll stops", priority="P1", actor=agent, at=AT)
    first = engagements.offer(
        ticket=ticket, organisation=host, actor=agent, at=after(1), accept_within=timedelta(minutes=15)
    )
    beside = engagements.offer(ticket=ticket, organisation=network, actor=agent, at=after(2), is_lead=False)
    returns.decline(leg=beside, reason="Not ours", actor=Actor.vendor(network), at=after(5))
    returns.expire(leg=first, actor=Actor.timer("acceptance deadline"), at=after(16))
    next_ = engagements.offer(ticket=ticket, organisation=second, actor=agent, at=after(17))
    returns.decline(leg=next_, reason="No", actor=Actor.vendor(second), at=after(40))
    messages.say(ticket=ticket, body="Anybody?", actor=agent, at=after(300))
    return Ticket.objects.get(pk=ticket.pk)


def fired(version: Any, ticket: Ticket) -> list[tuple[str, int, str]]:
    """Rule, minutes after the beginning, and why not: of everything the version would have done."""
    return [
        (each.name, int((each.at - AT).total_seconds() // 60), each.why_not)
        for moment in dry_run.rehearse(version, ticket)
        for each in moment.fired
    ]


def test_what_a_vendor_did_is_answered_once_for_the_leading_one(past: Ticket, second: Organisation) -> None:
    did = {"did": ["expired", "declined"]}
    version = draft(
        rule(
            "ask_next",
            None,
            "",
            trigger="vendor",
            trigger_params=did,
            actions=[act("offer_next", organisations=[second.public_id], accept_minutes=30)],
        ),
        rule("any_other", None, "", trigger="vendor", trigger_params={**did, "only_lead": False}),
    )

    # Of two rules for the same the first counts; the one beside the lead is for the second alone.
    assert fired(version, past) == [("Any other", 5, ""), ("Ask next", 16, ""), ("Ask next", 40, "")]
    plans = [each.says for moment in dry_run.rehearse(version, past) for each in moment.fired]
    assert plans[1] == ("hand over to Beta Hosting, the next on the list, 30 minutes to accept",)
    assert "Every organisation on the list has already been engaged" in plans[2][0]


def test_events_timers_clocks_and_silence_come_at_their_time(past: Ticket) -> None:
    version = draft(
        rule(
            "greet",
            None,
            "",
            trigger="event",
            trigger_params={"kinds": ["ticket.opened"]},
            guards=[guard("priority_in", priorities=["P1"])],
        ),
        rule(
            "p2_only",
            None,
            "",
            trigger="event",
            trigger_params={"kinds": ["ticket.opened"]},
            guards=[guard("priority_in", priorities=["P2"])],
        ),
        escalations=[
            {
                "slug": "half",
                "name": "Half",
                "kind": "hierarchical",
                "trigger": "clock",
                "guards": [],
                "trigger_params": {"target": "resolve", "percent": 50},
                "ends_with_acknowledgement": True,
                "is_quiet_at_night": False,
                "help": "",
                "position": 1,
                "steps": [
                    {
                        "wait_minutes": 0,
                        "hours": "always",
                        "actions": [
                            act("notify", whom="executive", text="{ticket.label}: half is used, {ticket.holder}")
                        ],
                    }
                ],
            },
        ],
    )

    found = fired(version, past)

    assert found[0] == ("Greet", 0, "")
    assert (found[1][0], "P1, not P2" in found[1][2]) == ("P2 only", True)
    assert found[2] == ("Half, step 1", 120, "")
    told = [says for moment in dry_run.rehearse(version, past) for each in moment.fired for says in each.says]
    # Whoever had it then: both had given it back by two hours.
    assert told == [f"notify our executives: {past.label}: half is used, {past.owner}"]


def test_what_has_not_come_yet_has_not_fired(agent: Actor, host: Organisation) -> None:
    ticket = tickets.open_ticket(title="Payroll stops", priority="P1", actor=agent, at=AT)
    version = draft(rule("late", None, "", trigger="silence", trigger_params={"minutes": 30}))

    with time_machine.travel(after(20), tick=False):
        assert fired(version, ticket) == []
    with time_machine.travel(after(31), tick=False):
        assert fired(version, ticket) == [("Late", 30, "")]


def test_nothing_is_written(past: Ticket, second: Organisation) -> None:
    before = (Event.objects.count(), past.legs.count(), past.chain_head)
    version = draft(
        rule(
            "to_second",
            None,
            "",
            trigger="event",
            trigger_params={"kinds": ["ticket.opened"]},
            actions=[act("hand_over", organisation=second.public_id)],
        )
    )

    assert fired(version, past) == [("To second", 0, "")]

    past = Ticket.objects.get(pk=past.pk)
    assert (Event.objects.count(), past.legs.count(), past.chain_head) == before
