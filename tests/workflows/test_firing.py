"""One way to use a verb: who may, what it needs, guards, the law, what follows; people, timers and vendors alike."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hub.domain import history, ledger, messages, tickets
from hub.domain.actors import Actor
from hub.models import Event, EventKind, Leg, Message, Organisation, Phase, Relation, Stage, Ticket, User
from tests import factories
from tests.workflows.building import AT, act, guard, published, rule
from workflows.handoffs import comments, engagements, returns, stages, vendor_status
from workflows.lifecycle.transitions import MoveRefused
from workflows.models import Endpoint, FailedAction, Notice, Pending, Triage
from workflows.rules import compiled, context
from workflows.rules import verbs as rule_verbs
from workflows.rules.execution import DEEPEST, ActionRefused, Execution, carry_out, fire

pytestmark = pytest.mark.django_db


def opened(agent: Actor, **more: Any) -> Ticket:
    made = tickets.open_ticket(title="VPN down", requester=factories.PersonFactory(), actor=agent, at=AT, **more)
    return Ticket.objects.get(pk=made.pk)


def use(ticket: Ticket, verb: str, actor: Actor, **more: Any) -> Ticket:
    fire(ticket=ticket, verb=verb, actor=actor, at=AT, **more)
    return Ticket.objects.get(pk=ticket.pk)


@pytest.fixture
def vendor(us: Organisation) -> Organisation:
    made: Organisation = factories.OrganisationFactory(name="Hostwerk")
    return made


def test_where_an_admin_has_no_verbs_those_of_the_law_are_used(agent: Actor) -> None:
    ticket = opened(agent)
    assert [verb.slug for verb in rule_verbs.available(context.context(ticket, at=AT), roles=frozenset({"agent"}))] == [
        "activate",
        "wait",
        "resolve",
        "close",
        "reopen",
        "cancel",
    ]
    assert use(ticket, "activate", agent).phase == Phase.ACTIVE


def test_a_verb_leads_to_its_state_and_the_history_names_it(agent: Actor) -> None:
    published()
    ticket = use(opened(agent), "begin", agent, reason="on it")

    assert (ticket.phase, ticket.status.slug) == (Phase.ACTIVE, "working")
    event = Event.objects.filter(ticket=ticket, kind=EventKind.TICKET_MOVED).get()
    assert (event.payload["rule"], event.payload["verb"], event.payload["reason"]) == ("begin", "activate", "on it")
    assert history.verify(ticket) is None


def test_a_status_within_its_phase_changes_without_a_move(agent: Actor) -> None:
    from tests.workflows.building import STATES

    more = [*STATES, {"slug": "looking", "name": "Looking", "phase": "active", "position": 9, "is_default": False}]
    published(rule("look", ["working"], "looking"), rule("back", ["looking"], "working"), states=more)
    ticket = use(use(opened(agent), "begin", agent), "look", agent)

    assert (ticket.phase, ticket.status.slug) == (Phase.ACTIVE, "looking")
    assert Event.objects.filter(ticket=ticket).latest("seq").kind == EventKind.STATUS_CHANGED
    assert ledger.verify(ticket) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"guards": [guard("priority_in", priorities=["P1"])]}, "The priority is P3, not P1."),
        (
            {"guards": [guard("priority_in", priorities=["P3"], is_negated=True)]},
            "Not allowed at this priority.",
        ),
        ({"guards": [guard("service_tier", most=1)]}, "The ticket has no service."),
        ({"guards": [guard("requester_is_vip")]}, "The requester is not a VIP."),
        ({"guards": [guard("has_evidence", what="attachments", least=1)]}, "Too few attachments: 0 of 1."),
        ({"guards": [guard("bounce_count", operator="at_least", number=2)]}, "Number of returns: 0, not"),
        ({"guards": [guard("fields_filled", fields=["service", "asset"])]}, "Fill in first: service, asset."),
        ({"guards": [guard("reason_given")]}, "Enter a reason."),
        ({"guards": [guard("kind_is", kinds=["request"])]}, "Not allowed for tickets of the kind “incident”."),
        ({"guards": [guard("clock_used", number=50)]}, "The ticket has no such clock."),
        (
            {"guards": [guard("field_is", field="title", operator="contains", value="printer")]},
            "The field “title” is vpn down",
        ),
        ({"guards": [guard("expression", expression="ticket.tier == 1", says="Only for tier 1")]}, "Only for tier 1"),
        ({"guards": [guard("expression", expression="ticket.title > 3")]}, "ticket.title > 3"),
        ({"guards": [guard("reopened", least=1)]}, "Number of times reopened: 0; required: at least 1."),
        ({"required": ["reason", "service"]}, "Fill in first: a reason, service."),
        ({"roles": ["executive"]}, "is reserved for: executive"),
        ({"trigger": "timer", "trigger_params": {"minutes": 5}}, "is triggered by time in a status"),
    ],
)
def test_a_verb_that_is_refused_says_why_and_changes_nothing(agent: Actor, more: dict[str, Any], said: str) -> None:
    published(rule("special", ["new"], "working", **more))
    ticket = opened(agent)
    with pytest.raises(MoveRefused) as refused:
        use(ticket, "special", agent)

    assert said in str(refused.value)
    assert ticket.events.count() == 1


def test_what_is_filled_in_with_the_verb_counts(agent: Actor) -> None:
    published(
        rule(
            "special",
            ["new"],
            "working",
            required=["reason", "impact"],
            guards=[guard("fields_filled", fields=["impact"]), guard("reason_given")],
        )
    )
    ticket = use(opened(agent), "special", agent, reason="because", given={"impact": 1})

    assert (ticket.status.slug, ticket.impact) == ("working", 1)


def test_the_law_holds_whatever_policy_says(agent: Actor, vendor: Organisation) -> None:
    published()
    ticket = opened(agent)
    engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=AT)
    with pytest.raises(MoveRefused, match="Still open: the engagement of Hostwerk"):
        use(ticket, "solve", agent)
    with pytest.raises(MoveRefused, match="Still open: the engagement of Hostwerk"):
        carry_out(Execution(ticket=ticket, actor=agent, at=AT, is_forced=True), "solve")


def test_the_second_of_two_is_told_who_was_quicker(agent: Actor) -> None:
    published()
    ticket = opened(agent)
    use(ticket, "begin", agent)
    with pytest.raises(MoveRefused, match=r"TH-\d+ is “Working”.*Ada Agent changed the status at 2026-03-16 09:00 UTC"):
        use(ticket, "begin", agent)


def test_in_flight_work_keeps_its_version(agent: Actor) -> None:
    published()
    before = opened(agent)
    published(rule("begin", ["new"], "working", guards=[guard("priority_in", priorities=["P1"])]))
    after = opened(agent)

    assert use(before, "begin", agent).status.version.number == 2
    with pytest.raises(MoveRefused):
        use(after, "begin", agent)


def test_a_service_has_its_own_workflow(agent: Actor) -> None:
    from tests.workflows.building import document
    from workflows.authoring import publishing, serialization

    plan = document(rule("rush", ["new"], "working"))
    plan["workflow"] = "Payroll"
    own = publishing.publish(serialization.taken_in(plan), user=None, why="", at=AT)
    payroll = factories.ServiceFactory(workflow=own.workflow)

    assert use(opened(agent, service=payroll), "rush", agent).status.version == own
    assert opened(agent).status.version.workflow.name == "Standard"


# -- what follows


def test_every_action_does_what_its_plan_says(agent: Actor, vendor: Organisation, us: Organisation) -> None:
    second = factories.OrganisationFactory(name="Second")
    manager: User = factories.member("manager", us, name="Mona", email="mona@us.test")
    team = us.teams.create(name="Network")
    Endpoint.objects.create(name="Chat", channel="slack", url="https://chat.example.org/x")
    actions = [
        act("set_field", field="impact", value="1"),
        act("set_priority", priority="P2"),
        act("raise_priority", steps=1),
        act("assign_team", team=team.public_id),
        act("assign_person", email="MONA@us.test"),
        act("hand_over", organisation=vendor.public_id, accept_minutes=15, reason="look"),
        act("offer", organisation=us.public_id, is_blocking=False),
        act("comment", text="Priority {ticket.priority}, {why}", audience="legs"),
        act("ask_update"),
        act("notify", whom="manager", text="{ticket.label} needs you"),
        act("call_webhook", endpoint="Chat", text="x"),
        act("open_child", title="Below {ticket.label}", organisation=second.public_id),
        act("set_major", is_major=True),
        act("broadcast", text="We are at it"),
        act("schedule", verb="solve", minutes=30),
        act("start_triage", reason="whose?"),
        act("resume_legs"),
    ]
    published(rule("all", ["new"], "working", actions=actions))
    ticket = opened(agent)
    policy = compiled.policy_of(ticket.status.version)
    plans = [each.kind.plan(context.context(ticket, at=AT), each.params) for each in policy.transitions[0].actions]
    assert all(plan.says and not plan.why_not for plan in plans)
    assert ticket.events.count() == 1  # a plan does nothing

    fired = fire(ticket=ticket, verb="all", actor=agent, at=AT, reason="storm")

    assert fired.failed == []
    ticket = Ticket.objects.get(pk=ticket.pk)
    assert (ticket.impact, ticket.priority, ticket.team, ticket.assignee) == (1, "P1", team, manager)
    assert ticket.is_major
    lead = Leg.objects.get(ticket=ticket, is_lead=True)
    assert (lead.organisation, lead.deadline_at, lead.reason) == (vendor, AT + timedelta(minutes=15), "look")
    assert "Priority P1, storm" in Message.objects.filter(ticket=ticket).values_list("body", flat=True)
    assert {notice.channel for notice in Notice.objects.all()} >= {"console", "mail", "slack"}
    child = Relation.objects.get(from_ticket=ticket, kind="parent").to_ticket
    assert (child.title, child.legs.get().organisation) == (f"Below {ticket.label}", second)
    assert Message.objects.filter(ticket=child, body="We are at it").exists()
    assert Pending.objects.get(rule="verb").due_at == AT + timedelta(minutes=30)
    assert Triage.objects.get().owner == manager
    assert history.verify(ticket) is None
    assert ledger.verify(ticket) == []


def test_the_next_vendor_is_the_first_who_was_not_asked_yet(agent: Actor, vendor: Organisation) -> None:
    second = factories.OrganisationFactory(name="Second")
    listed = [vendor.public_id, second.public_id]
    published(rule("next", None, "", actions=[act("offer_next", organisations=listed, accept_minutes=15)]))
    ticket = opened(agent)
    names = []
    for _ in range(2):
        use(ticket, "next", agent)
        leg = Leg.objects.filter(ticket=ticket).latest("number")
        names.append(leg.organisation.name)
        returns.decline(leg=leg, reason="no", code="no_capacity", actor=Actor.vendor(leg.organisation), at=AT)
    assert names == ["Hostwerk", "Second"]
    fired = fire(ticket=ticket, verb="next", actor=agent, at=AT)
    assert fired.failed == ["Every organisation on the list has already been engaged; decide who to engage next."]


def test_an_action_that_cannot_be_done_stops_no_other_and_is_seen(agent: Actor, vendor: Organisation) -> None:
    vendor.archived_at = AT
    vendor.save()
    other = factories.OrganisationFactory()
    published(
        rule(
            "go",
            ["new"],
            "working",
            actions=[act("assign_person", email="nobody@us.test"), act("hand_over", organisation=other.public_id)],
        )
    )
    ticket = use(opened(agent), "go", agent)

    assert ticket.status.slug == "working"
    failed = FailedAction.objects.get()
    assert (failed.kind, failed.rule, "nobody@us.test" in failed.why) == ("assign_person", "go", True)
    assert Leg.objects.get(ticket=ticket).organisation == other


def test_verbs_that_set_each_other_off_end(agent: Actor) -> None:
    published(
        rule("ping", None, "", actions=[act("move", verb="pong")]),
        rule("pong", None, "", actions=[act("move", verb="ping")]),
    )
    ticket = use(opened(agent), "ping", agent)

    assert "circle" in FailedAction.objects.get().why
    assert ticket.events.count() < 20


# -- vendors


def test_what_a_verb_sets_off_knows_how_deep_it_is_and_is_never_forced(agent: Actor) -> None:
    ticket = opened(agent)
    outer = Execution(ticket=ticket, actor=agent, at=AT, rule="escalate", origin="c1", is_forced=True)

    inner = outer.nested(actor=Actor.system("rule escalate"))

    assert (inner.depth, inner.is_forced, inner.origin, inner.actor.name) == (1, False, "c1", "rule escalate")
    with pytest.raises(ActionRefused, match="in a circle"):
        replace(outer, depth=DEEPEST).nested(actor=agent)


@pytest.fixture
def engaged(agent: Actor, vendor: Organisation) -> Leg:
    published(
        rule(
            "vendor_begins",
            ["new", "waiting", "working"],
            "working",
            trigger="vendor",
            trigger_params={"did": ["accepted", "started"]},
            guards=[guard("has_evidence", what="messages", least=1)],
        ),
        rule(
            "vendor_gives_up",
            None,
            "",
            trigger="vendor",
            trigger_params={"did": ["declined", "expired"]},
            actions=[act("comment", text="{leg.organisation} does not take it")],
        ),
    )
    return engagements.offer(ticket=opened(agent), organisation=vendor, actor=agent, at=AT)


def test_policy_answers_what_a_vendor_does(engaged: Leg, agent: Actor, vendor: Organisation) -> None:
    messages.say(ticket=engaged.ticket, body="details", actor=agent, at=AT)
    leg = stages.accept(leg=engaged, actor=Actor.vendor(vendor), at=AT)

    assert Ticket.objects.get(pk=leg.ticket_id).status.slug == "working"


def test_what_policy_refuses_a_vendor_does_not_happen_unless_it_is_forced(engaged: Leg, vendor: Organisation) -> None:
    with pytest.raises(MoveRefused, match="Too few messages: 0 of 1"):
        stages.accept(leg=engaged, actor=Actor.vendor(vendor), at=AT)
    assert Leg.objects.get(pk=engaged.pk).stage == Stage.OFFERED

    vendor_status.follow(leg=engaged, verb="accept", actor=Actor.vendor(vendor), at=AT, is_forced=True)
    assert Leg.objects.get(pk=engaged.pk).stage == Stage.ACCEPTED


def test_a_refusal_is_answered_by_rule(engaged: Leg, vendor: Organisation) -> None:
    returns.decline(leg=engaged, reason="no", actor=Actor.vendor(vendor), at=AT)

    assert Message.objects.get(ticket=engaged.ticket).body == "Hostwerk does not take it"


# -- many at once


def test_the_verbs_of_fifty_tickets_cost_a_fixed_number_of_queries(agent: Actor, vendor: Organisation) -> None:
    published(
        rule(
            "x",
            None,
            "",
            guards=[
                guard("all_legs_done"),
                guard("clock_used", number=5, operator="at_most"),
                guard("has_evidence"),
                guard("children_closed"),
            ],
        )
    )
    counts = []
    for many in (2, 10):
        made = [opened(agent) for _ in range(many)]
        for ticket in made:
            engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=AT)
        rows = Ticket.objects.select_related(*context.RELATED).filter(pk__in=[t.pk for t in made])
        rule_verbs.available(context.contexts(rows, at=AT)[made[0].pk], roles=frozenset({"agent"}))
        with CaptureQueriesContext(connection) as queries:
            found = context.contexts(rows, at=AT)
            verbs = [rule_verbs.available(each, roles=frozenset({"agent"})) for each in found.values()]
        counts.append(len(queries))
        assert all("Not done yet: Hostwerk." in verb.why_not for each in verbs for verb in each if verb.slug == "x")
    assert counts[0] == counts[1] == 5


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_two_people_who_fire_at_once_one_wins_and_the_other_is_told_by_whom(agent: Actor) -> None:
    published()
    ticket = opened(agent)
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def begin() -> None:
        together.wait()
        try:
            fire(ticket=ticket, verb="begin", actor=agent, at=AT)
            outcomes.append("won")
        except MoveRefused as refused:
            outcomes.append(str(refused))
        finally:
            connection.close()

    threads = [threading.Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes, key=len)[0] == "won"
    assert "Ada Agent changed the status at 2026-03-16 09:00 UTC" in sorted(outcomes, key=len)[1]


def test_a_person_acts_as_what_they_are(agent: Actor, us: Organisation) -> None:
    published(rule("mine", None, "", roles=["requester"]), rule("ours", None, ""))
    requester = factories.PersonFactory(user=factories.UserFactory())
    ticket = tickets.open_ticket(title="x", requester=requester, actor=agent, at=AT)
    them = Actor.person(requester.user, requester.organisation)

    use(Ticket.objects.get(pk=ticket.pk), "mine", them)
    with pytest.raises(MoveRefused, match="is reserved for: admin, agent, manager"):
        use(ticket, "ours", them)
    with pytest.raises(MoveRefused, match="is reserved for: requester"):
        use(ticket, "mine", agent)


def test_an_answer_that_nobody_pressed_takes_the_workflow_s_own_way(agent: Actor) -> None:
    requester = factories.PersonFactory()
    published(
        rule("closed_door", ["waiting"], "working", guards=[guard("requester_is_vip")]),
        rule("go_on", ["waiting"], "working", actions=[act("comment", text="{ticket.label} goes on")]),
    )
    ticket = tickets.open_ticket(title="x", requester=requester, actor=agent, at=AT)
    use(ticket, "ask", agent)

    comments.requester_says(ticket=ticket, requester=requester, body="Here.", actor=agent, at=AT)

    assert Ticket.objects.get(pk=ticket.pk).status.slug == "working"
    assert Message.objects.filter(ticket=ticket, body=f"{ticket.label} goes on").exists()
    assert Event.objects.filter(ticket=ticket, kind="ticket.moved").latest("seq").payload["rule"] == "go_on"


def test_where_no_verb_leads_there_the_law_does(agent: Actor) -> None:
    requester = factories.PersonFactory()
    published(rule("begin", ["waiting"], "working", guards=[guard("requester_is_vip")]))
    ticket = tickets.open_ticket(title="x", requester=requester, actor=agent, at=AT)
    use(ticket, "ask", agent)

    comments.requester_says(ticket=ticket, requester=requester, body="Here.", actor=agent, at=AT)

    assert Ticket.objects.get(pk=ticket.pk).phase == "active"
