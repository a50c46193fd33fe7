"""Versions: what cannot work is not published, documents come in whole or not at all, tickets move with a preview."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.domain.policies import NotPublishable
from hub.models import Organisation, State, Team, Ticket, User, Workflow, WorkflowVersion
from tests import factories
from tests.workflows.building import AT, STATES, act, document, draft, guard, published, rule, way_through
from workflows.authoring import comparison, publishing, serialization, validation
from workflows.authoring.serialization import BadDocument
from workflows.handoffs import engagements, stages
from workflows.lifecycle import transitions
from workflows.models import PolicyRecord
from workflows.rules import execution, parameters

pytestmark = pytest.mark.django_db


def said(version: WorkflowVersion) -> str:
    return "\n".join(str(fault) for fault in validation.faults(version))


def state(slug: str, phase: str, **more: Any) -> dict[str, Any]:
    return {"slug": slug, "name": slug.capitalize(), "phase": phase, "position": 9, "is_default": False, **more}


def test_a_version_that_is_whole_has_no_faults(us: Organisation) -> None:
    assert said(draft()) == ""


@pytest.mark.parametrize(
    ("rules", "more", "expected"),
    [
        ([], {"states": [*STATES, state("lost", "active")]}, "Status “Lost”: No transition leads to this status."),
        (
            [rule("in", ["new"], "stuck")],
            {"states": [*STATES, state("stuck", "active")]},
            "Status “Stuck”: No transition leaves this status",
        ),
        (
            [rule("in", ["new"], "a"), rule("ab", ["a"], "b"), rule("ba", ["b"], "a")],
            {"states": [*STATES, state("a", "active"), state("b", "active")]},
            "Status “A”: A ticket in this status can never be resolved",
        ),
        ([rule("bad", ["closed"], "waiting")], {}, "Transition “Bad”: A ticket cannot go from “Closed” (closed)"),
        ([rule("bad", ["cancelled"], "new")], {}, "A ticket cannot go from “Cancelled”"),
        (
            [
                rule("a", ["new"], "working", trigger="vendor", trigger_params={"did": ["accepted"]}),
                rule("b", ["new"], "waiting", trigger="vendor", trigger_params={"did": ["accepted"]}),
            ],
            {},
            "Transition “B”: “A” is already triggered when a vendor “accepts” in: New. ",
        ),
        (
            [
                rule("a", ["new"], "working", trigger="timer", trigger_params={"minutes": 0}),
                rule("b", ["working"], "waiting", trigger="timer", trigger_params={"minutes": 0}),
                rule("c", ["waiting"], "working", trigger="timer", trigger_params={"minutes": 0}),
            ],
            {},
            "Timers of zero minutes form a loop through this status.",
        ),
        (
            [
                rule(
                    "a",
                    None,
                    "",
                    trigger="event",
                    trigger_params={"kinds": ["message.added"]},
                    actions=[act("comment", text="x")],
                )
            ],
            {},
            "The transition's own actions trigger it again",
        ),
        ([rule("a", None, "", guards=[guard("service_tier", most=9)])], {}, "tier: 9 is not between 1 and 4."),
        (
            [rule("a", None, "", guards=[guard("priority_in", priorities=["P9"])])],
            {},
            "“P9” is not one of: P1, P2, P3, P4.",
        ),
        (
            [
                rule(
                    "a",
                    None,
                    "",
                    guards=[
                        guard("priority_in", priorities=["P1"]),
                        guard("priority_in", priorities=["P1"], is_negated=True),
                    ],
                )
            ],
            {},
            "and its negation can never both be true.",
        ),
        ([rule("a", None, "", guards=[guard("expression", expression="false")])], {}, "can never be true"),
        ([rule("a", None, "", guards=[guard("expression", expression="tickets.x")])], {}, "Unknown name “tickets”"),
        ([rule("a", None, "", guards=[guard("bounce_count", number=200_000)])], {}, "can never be true"),
        ([rule("a", None, "", actions=[act("move", verb="nowhere")])], {}, "This version has no transition “nowhere”"),
        ([rule("a", None, "", actions=[act("move", verb="a")])], {}, "The transition would trigger itself endlessly."),
        ([rule("a", None, "", actions=[act("comment", text="{ticket.label")])], {}, "There is a { without a }"),
        ([rule("a", None, "", actions=[act("hand_over")])], {}, "organisation: A value is required."),
        ([rule("a", None, "", actions=[act("raise_priority", steps="x")])], {}, "Expected a whole number."),
        ([rule("a", None, "", trigger="timer", trigger_params={})], {}, "minutes: A value is required."),
        (
            [rule("a", None, "", trigger="vendor", trigger_params={"did": ["sleeps"]})],
            {},
            "“sleeps” is not one of: accepted",
        ),
        ([rule("a", None, "", required=["shoe_size"])], {}, "“shoe_size” cannot be required"),
        ([rule("a", None, "", roles=["king"])], {}, "There is no role “king”."),
        (
            [],
            {"escalations": [{"slug": "e", "name": "E", "trigger": "clock", "trigger_params": {}, "steps": []}]},
            "Escalation “E”: The escalation has no steps.",
        ),
        (
            [],
            {
                "escalations": [
                    {
                        "slug": "e",
                        "name": "E",
                        "trigger": "clock",
                        "trigger_params": {},
                        "steps": [{"wait_minutes": 0, "actions": []}],
                    }
                ]
            },
            "Step 1 does nothing.",
        ),
        (
            [],
            {"states": STATES[:-1] + [{**STATES[-1], "is_default": False}]},
            "The phase “cancelled” needs exactly one first status.",
        ),
        (
            [],
            {"states": [*STATES[:1], {**STATES[1], "wait_reason": "parts"}, *STATES[2:]]},
            "Only a status of the phase “waiting” can wait for something.",
        ),
        ([], {"priority_matrix": {"7": {}}}, "Impact and urgency must be 1 to 3"),
        ([], {"most_organisations": 0}, "Allow at least one."),
    ],
)
def test_what_cannot_work_is_not_published_and_says_where(
    us: Organisation, rules: list[Any], more: dict[str, Any], expected: str
) -> None:
    made = draft(*rules, **more)
    assert expected in said(made)
    with pytest.raises(publishing.Faulty):
        publishing.publish(made, user=None, why="", at=AT)
    assert WorkflowVersion.objects.get(pk=made.pk).status == "draft"


def test_a_ticket_in_flight_follows_its_leg_within_its_own_version(us: Organisation, agent: Actor) -> None:
    """A vendor's act moves it by the law alone: to a state of the version it is on, not of the newest one."""
    vendor = factories.OrganisationFactory()
    first = published()
    ticket = tickets.open_ticket(title="VPN down", requester=factories.PersonFactory(), actor=agent, at=AT)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=AT)
    renamed = [{**each, "slug": f"{each['slug']}-2", "name": f"{each['name']} 2"} for each in STATES]
    ways = [
        {**each, "sources": [f"{one}-2" for one in each["sources"]], "target": f"{each['target']}-2"}
        for each in way_through()
    ]
    second = published(*ways, states=renamed)
    assert (first.pk, Ticket.objects.get().status.version_id) == (ticket.status.version_id, first.pk)

    stages.accept(leg=leg, actor=Actor.vendor(vendor), at=AT)

    ticket = Ticket.objects.get()
    assert (ticket.phase, ticket.status.slug, ticket.status.version_id) == ("active", "working", first.pk)
    for name in ("resolve", "close", "reopen"):
        if name == "resolve":
            stages.finish(leg=leg.ticket.legs.get(), actor=Actor.vendor(vendor), at=AT)
        transitions.move(ticket=ticket, name=name, actor=agent, at=AT)
        assert Ticket.objects.get().status.version_id == first.pk != second.pk


def test_publishing_is_written_down_with_who_why_and_what_changed(us: Organisation) -> None:
    admin: User = factories.member("admin", us)
    first = published()
    second = publishing.new_draft(first)
    second.transitions.filter(slug="begin").update(name="Start")
    publishing.publish(second, user=admin, why="Says it better", at=AT)

    record = PolicyRecord.objects.get(version=second)
    assert (record.user, record.why, record.verb) == (admin, "Says it better", "published")
    assert record.details["changes"] == [["Transition “Start”, name", "Begin", "Start"]]
    assert WorkflowVersion.objects.get(pk=first.pk).status == "fading"
    with pytest.raises(NotPublishable, match="is superseded and cannot be changed"):
        publishing.publish(first, user=admin, why="", at=AT)


def test_a_document_goes_out_and_comes_in_the_same(us: Organisation) -> None:
    vendor = factories.OrganisationFactory(name="Hostwerk")
    made = draft(
        rule(
            "give",
            None,
            "",
            actions=[act("hand_over", organisation=vendor.public_id)],
            guards=[guard("party_is", organisation=vendor.public_id, is_negated=True)],
        )
    )
    text = serialization.text(made)
    assert vendor.name in text
    again = serialization.taken_in(text)

    assert serialization.digest(again) == serialization.digest(made)
    assert comparison.differences(made, again) == []


def test_names_lead_to_rows_of_another_installation(us: Organisation) -> None:
    vendor = factories.OrganisationFactory(name="Hostwerk")
    given = rule("give", None, "", actions=[act("hand_over", organisation=vendor.public_id)])
    plan = json.loads(serialization.text(draft(given)))
    elsewhere = json.loads(json.dumps(plan).replace(vendor.public_id, "01ELSEWHERE000000000000000"))
    made = serialization.taken_in(elsewhere)
    assert made.transitions.get(slug="give").actions.get().params["organisation"] == vendor.public_id

    elsewhere["names"] = {"01ELSEWHERE000000000000000": "Nobody knows them"}
    with pytest.raises(BadDocument, match="There is no organisation “Nobody knows them” here"):
        serialization.taken_in(elsewhere)


def test_a_name_that_two_rows_have_leads_to_neither(us: Organisation) -> None:
    """A team of one customer is not the team of the same name of another."""
    for _ in range(2):
        Team.objects.create(organisation=factories.OrganisationFactory(), name="First line")
    given = rule("give", None, "", actions=[act("assign_team", team=Team.objects.first().public_id)])  # type: ignore[union-attr]
    plan = json.loads(serialization.text(draft(given)))
    known, name = next(iter(plan["names"].items()))
    assert name == f"{Team.objects.get(public_id=known).organisation}: First line"
    elsewhere = json.loads(json.dumps(plan).replace(known, "01ELSEWHERE000000000000000"))
    made = serialization.taken_in(elsewhere)
    assert json.loads(serialization.text(made))["names"] == plan["names"]

    # A file of an older version has the name alone.
    elsewhere["names"] = dict.fromkeys(elsewhere["names"], "First line")
    with pytest.raises(BadDocument, match="There are several of the kind team named “First line”"):
        serialization.taken_in(elsewhere)


def _broken(change: Any) -> str:
    plan = json.loads(json.dumps(document()))
    change(plan)
    return json.dumps(plan)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "[" * 10_000,
        '{"format": "other/1"}',
        "x" * 1_000_001,
        _broken(lambda p: p.pop("format")),
        _broken(lambda p: p.update(extra=1)),
        _broken(lambda p: p.update(workflow="")),
        _broken(lambda p: p.update(states="x")),
        _broken(lambda p: p.update(states=[1])),
        _broken(lambda p: p["states"].append(p["states"][0])),
        _broken(lambda p: p["states"][0].update(phase="limbo")),
        _broken(lambda p: p["states"][0].update(pk=1)),
        _broken(lambda p: p["states"][0].pop("slug")),
        _broken(lambda p: p["transitions"][0].update(target="nowhere")),
        _broken(lambda p: p["transitions"][0].update(trigger="magic")),
        _broken(lambda p: p["transitions"][0].update(slug="no good slug!")),
        _broken(lambda p: p["transitions"][0].update(guards="x")),
        _broken(lambda p: p["transitions"][0].update(guards=[{"kind": "os.system", "params": {}}])),
        _broken(lambda p: p["transitions"][0].update(actions=[{"kind": "hand_over", "params": [1]}])),
        _broken(lambda p: p["transitions"][0].update(name=None)),
        _broken(lambda p: p["transitions"].append(p["transitions"][0])),
        _broken(lambda p: p.update(settings={"status": "published"})),
        _broken(lambda p: p.update(settings={"bounce_budget": "many"})),
        _broken(lambda p: p.update(escalations=[{"slug": "e", "name": "E", "trigger": "person", "steps": []}])),
        _broken(lambda p: p.update(escalations=[{"slug": "e", "name": "E", "trigger": "clock", "steps": [1]}])),
        _broken(lambda p: p.update(transitions=[{"slug": f"r{n}", "name": "r"} for n in range(501)])),
    ],
)
def test_a_damaged_or_hostile_document_is_refused_whole(us: Organisation, text: str) -> None:
    before = (Workflow.objects.count(), WorkflowVersion.objects.count(), State.objects.count())
    with pytest.raises(BadDocument) as refused:
        serialization.taken_in(text)

    assert refused.value.mistakes
    assert (Workflow.objects.count(), WorkflowVersion.objects.count(), State.objects.count()) == before


# -- moving what is in flight


def test_tickets_move_to_another_version_by_a_map_with_counts(agent: Actor) -> None:
    first = published()
    made = [tickets.open_ticket(title=str(n), actor=agent, at=AT) for n in range(3)]
    execution.fire(ticket=made[0], verb="begin", actor=agent, at=AT)
    execution.fire(ticket=made[1], verb="drop", reason="no longer needed", actor=agent, at=AT)
    renamed = [{**each, "slug": "in-work", "name": "In work"} if each["slug"] == "working" else each for each in STATES]
    rules = json.loads(json.dumps(document()["transitions"]).replace('"working"', '"in-work"'))
    plan = {**document(), "states": renamed, "transitions": rules}
    second = publishing.publish(serialization.taken_in(plan), user=None, why="", at=AT)

    rows = publishing.preview(first, second)
    shown = {each.state.slug: (each.count, each.target.slug if each.target else "") for each in rows}
    assert (shown["new"], shown["working"], shown["cancelled"]) == ((1, "new"), (1, "in-work"), (0, "cancelled"))
    with pytest.raises(NotPublishable, match="2 open tickets still use this version"):
        publishing.retire(first, user=None, why="", at=AT)
    assert publishing.move_tickets(first, second, user=None, why="renamed", at=AT) == 2
    assert publishing.move_tickets(first, second, user=None, why="again", at=AT) == 0

    moved = Ticket.objects.get(pk=made[0].pk)
    assert (moved.status.slug, moved.status.version) == ("in-work", second)
    assert history.verify(moved) is None
    assert Ticket.objects.get(pk=made[1].pk).status.version == first
    publishing.retire(first, user=None, why="", at=AT)
    with pytest.raises(NotPublishable, match="published version"):
        publishing.move_tickets(second, first, user=None, why="", at=AT)


def test_rows_named_within_an_organisation_are_exported_and_found_with_its_name() -> None:
    ours, theirs = (factories.OrganisationFactory(name=name) for name in ("Acme", "Globex"))
    gone, other = (Team.objects.create(organisation=each, name="Network") for each in (ours, theirs))
    assert parameters.row_names(Team, [gone.public_id]) == {gone.public_id: "Acme: Network"}
    assert parameters.rows_named(Team, "Acme: Network") == [gone]
    assert parameters.rows_named(Team, "Network") == [other, gone]  # as in a file of an older version: ambiguous
    gone.delete()
    assert parameters.rows_named(Team, "Acme: Network") == []
    assert parameters.rows_named(Team, "Network") == [other]


def test_a_list_that_the_form_cannot_show_is_refused() -> None:
    many = [factories.OrganisationFactory().public_id for _each in range(7)]
    field = parameters.Organisations(choices=[])
    assert field.fault(many[:6]) == ""
    assert "At most 6 entries" in field.fault(many)
