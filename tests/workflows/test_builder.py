"""The builder's pages: what is entered is kept, what is wrong is said next to its field, what is published stays."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation, State, Ticket, Workflow, WorkflowVersion
from tests import factories
from tests.workflows.building import AT, act, draft, guard, published, rule
from workflows.authoring import serialization
from workflows.models import Escalation, Transition

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(us: Organisation) -> Client:
    made = Client()
    made.force_login(
        factories.member("admin", us, is_staff=True, is_superuser=True),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return made


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:workflows_{name}", args=args)


def page(client: Client, name: str, *args: Any, **query: str) -> str:
    answer = client.get(url(name, *args), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_escalation_is_kept_with_its_steps_and_what_they_do(client: Client) -> None:
    version = draft()
    entered = {
        "name": "Half time",
        "slug": "",
        "kind": "hierarchical",
        "trigger": "clock",
        "trigger-kind": "clock",
        "trigger-target": "resolve",
        "trigger-contract": "sla",
        "trigger-percent": "50",
        "position": "0",
        "guard-count": "1",
        "guard0-block": "priority_in",
        "guard0-priorities": ["P1"],
        "guard0-block-negated": "1",
        "step-count": "1",
        "step0-wait_minutes": "5",
        "step0-hours": "always",
        "step0action-count": "1",
        "step0action0-block": "notify",
        "step0action0-whom": "executive",
        "step0action0-text": "{ticket.label}",
        "step0action0-kind": "escalation",
        "save": "Save",
    }

    answer = client.post(url("escalation", version.pk, "new"), entered)

    assert answer.status_code == 302, answer.content.decode()
    made = Escalation.objects.get(version=version)
    assert (made.slug, made.trigger_params["percent"]) == ("half_time", 50)
    assert [(row.kind, row.is_negated, row.params) for row in made.guards.all()] == [
        ("priority_in", True, {"priorities": ["P1"]})
    ]
    step = made.steps.get()
    assert [row.params["whom"] for row in step.actions.all()] == ["executive"]


def test_a_verb_is_kept_changed_and_taken_away(client: Client) -> None:
    version = draft()
    working = State.objects.get(version=version, slug="working")
    entered = {
        "name": "Take it over",
        "trigger": "person",
        "target": working.pk,
        "required": ["reason"],
        "position": "0",
        "roles": ["manager"],
        "guard-count": "0",
        "action-count": "1",
        "action0-block": "comment",
        "action0-text": "{ticket.label} is ours",
        "action0-audience": "us",
        "save": "Save",
    }
    client.post(url("transition", version.pk, "new"), entered)
    made = Transition.objects.get(version=version, slug="take_it_over")
    assert (made.target, made.required, made.roles) == (working, ["reason"], ["manager"])

    client.post(url("transition", version.pk, made.pk), entered | {"action0-block-remove": "1", "roles": []})
    made = Transition.objects.get(pk=made.pk)
    assert (made.actions.count(), made.roles) == (0, [])
    client.post(url("transition", version.pk, made.pk), {"delete": "1"})
    assert not Transition.objects.filter(pk=made.pk).exists()


def test_looking_at_what_a_choice_needs_marks_nothing_as_wrong(client: Client) -> None:
    version = draft()
    looks = {
        "name": "",
        "trigger": "event",
        "trigger-kind": "person",
        "position": "",
        "guard-count": "1",
        "guard0-block": "priority_in",
        "action-count": "0",
    }

    for more in ({"look": "1"}, {"action-add": "1", "action-new": "hand_over"}):
        answer = client.post(url("transition", version.pk, "new"), looks | more).content.decode()
        assert "errorlist" not in answer
        assert "messages and files" in answer
    assert not Transition.objects.filter(version=version, trigger="event").exists()


def test_a_guard_that_was_chosen_is_never_dropped(client: Client) -> None:
    """Save without having pressed the button beside it: it is asked for, or kept where it needs nothing."""
    version = draft()
    entered = {
        "name": "To them",
        "trigger": "event",
        "trigger-kind": "event",
        "trigger-kinds": ["ticket.opened"],
        "position": "0",
        "guard-count": "0",
        "action-count": "0",
        "save": "1",
    }

    asked = client.post(url("transition", version.pk, "new"), entered | {"guard-new": "priority_in"}).content.decode()
    assert "the priority is one of" in asked
    assert "errorlist" in asked
    assert not Transition.objects.filter(version=version, name="To them").exists()

    client.post(url("transition", version.pk, "new"), entered | {"guard-new": "all_legs_done"})
    assert [row.kind for row in Transition.objects.get(version=version, name="To them").guards.all()] == [
        "all_legs_done"
    ]


def test_what_a_trigger_needs_is_asked_for_when_it_was_not_looked_at(client: Client) -> None:
    version = draft()
    entered = {
        "name": "To them",
        "trigger": "event",
        "trigger-kind": "person",
        "position": "0",
        "guard-count": "0",
        "action-count": "0",
        "save": "1",
    }

    answer = client.post(url("transition", version.pk, "new"), entered).content.decode()

    assert "Correct these fields:" in answer
    assert 'href="#id_trigger-kinds' in answer
    assert "A value is required." in answer or "This field is required." in answer


def test_the_lists_say_what_a_rule_does(client: Client) -> None:
    host = factories.OrganisationFactory(name="Hostwerk")
    version = draft(
        rule(
            "to_host",
            None,
            "",
            trigger="event",
            trigger_params={"kinds": ["ticket.opened"]},
            guards=[guard("priority_in", priorities=["P1"])],
            actions=[act("hand_over", organisation=host.public_id, accept_minutes=15)],
        )
    )

    shown = page(client, "build", version.pk)

    assert "an event: opened" in shown
    assert "P1, critical" in shown
    assert "hand over: Hostwerk, minutes to accept 15" in shown


def test_only_what_somebody_presses_asks_who_may(client: Client) -> None:
    version = draft()
    entered = {
        "name": "To them",
        "trigger": "event",
        "trigger-kind": "event",
        "trigger-kinds": ["ticket.opened"],
        "position": "0",
        "roles": ["manager"],
        "required": ["reason"],
        "help": "x",
        "guard-count": "0",
        "action-count": "0",
        "save": "1",
    }

    client.post(url("transition", version.pk, "new"), entered)

    made = Transition.objects.get(version=version, name="To them")
    assert (made.trigger_params, made.roles, made.required, made.help) == (
        {"kinds": ["ticket.opened"]},
        [],
        ["reason"],
        "",
    )
    assert "Allowed roles" not in page(client, "transition", version.pk, made.pk)
    assert "Allowed roles" in page(client, "transition", version.pk, "new")


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ({"action0-block": "comment", "action0-text": "{tickets.secret}"}, "Unknown name “tickets”"),
        (
            {"action0-block": "comment", "action0-text": "{ticket.foo}"},
            "Unknown name “ticket.foo”. Available: ticket.",
        ),
        ({"action0-block": "comment", "action0-text": "{"}, "{"),
        ({"action0-block": "notify", "action0-whom": "god", "action0-text": "x"}, "god is not one of"),
        ({"action0-block": "raise_priority", "action0-steps": "9"}, "less than or equal to 3"),
        ({"action0-block": "hand_over"}, "This field is required."),
        ({"guard-count": "1", "guard0-block": "expression", "guard0-expression": "ticket.title +"}, "expression"),
    ],
)
def test_what_is_wrong_is_said_next_to_its_field_and_nothing_is_kept(
    client: Client, entered: dict[str, str], said: str
) -> None:
    version = draft()
    before = serialization.text(version)
    plain = {"name": "x", "trigger": "person", "position": "0", "guard-count": "0", "action-count": "1", "save": "1"}

    answer = client.post(url("transition", version.pk, "new"), plain | entered).content.decode()

    assert 'class="errorlist"' in answer
    assert said in answer
    assert serialization.text(version) == before


def test_what_is_published_stays_and_a_draft_of_it_begins_alike(client: Client) -> None:
    version = published(rule("begin", ["new"], "working", guards=[guard("reason_given")]))
    begin = Transition.objects.get(version=version, slug="begin")
    before = serialization.text(version)

    for name, row in (("transition", begin.pk), ("state", State.objects.filter(version=version)[0].pk)):
        assert "A published version cannot be changed" in page(client, name, version.pk, row)
        client.post(url(name, version.pk, row), {"delete": "1"})
    client.post(url("settings", version.pk), {"bounce_budget": "9"})
    assert serialization.text(version) == before

    client.post(url("draft", version.pk))
    made = WorkflowVersion.objects.get(status="draft")
    assert serialization.digest(made) == serialization.digest(version)


def test_the_priority_matrix_is_a_table_of_what_is_not_usual(client: Client) -> None:
    version = draft()
    entered = {
        "bounce_budget": "1",
        "triage_minutes": "60",
        "most_organisations": "12",
        "priority_matrix_1": "P1",
        "priority_matrix_8": "P3",
    }

    assert client.post(url("settings", version.pk), entered | {"priority_matrix_0": "P9"}).status_code == 200
    assert client.post(url("settings", version.pk), entered).status_code == 302

    version.refresh_from_db()
    assert version.priority_matrix == {"1": {"2": "P1"}, "3": {"3": "P3"}}
    shown = page(client, "settings", version.pk)
    assert "default: P4" in shown
    cell = shown[shown.index('name="priority_matrix_1"') :]
    assert '<option value="P1" selected>' in cell[: cell.index("</select>")]
    client.post(url("settings", version.pk), entered | {"priority_matrix_1": "", "priority_matrix_8": ""})
    version.refresh_from_db()
    assert version.priority_matrix == {}


def test_lists_in_order_fold_away_what_is_not_used(client: Client) -> None:
    vendors = [factories.OrganisationFactory() for _each in range(4)]
    asked = [vendor.public_id for vendor in vendors[:3]]
    version = draft(rule("next", ["new"], "", actions=[act("offer_next", organisations=asked)]))
    row = Transition.objects.get(version=version, slug="next")

    shown = page(client, "transition", version.pk, row.pk)

    open_, folded = shown.split('<details class="more">')
    assert [open_.count(f'value="{each}" selected') for each in asked] == [1, 1, 1]
    assert [text.count('<div class="in-order">') for text in (open_, folded)] == [4, 2]


def test_only_the_list_of_versions_takes_workflows_in(client: Client) -> None:
    published()
    lists = ["hub_workflowversion", "workflows_triage", "workflows_notice", "workflows_failedaction"]
    pages = [client.get(reverse(f"admin:{name}_changelist")).content.decode() for name in lists]

    assert ["Import a workflow" in page for page in pages] == [True, False, False, False]


def test_a_new_workflow_begins_like_the_standard_one(client: Client) -> None:
    standard = published()

    answer = client.post(reverse("admin:hub_workflow_add"), {"name": "Payroll"})

    made = WorkflowVersion.objects.get(workflow__name="Payroll")
    assert answer.headers["Location"] == url("build", made.pk)
    assert made.status == "draft"
    assert serialization.digest(made) == serialization.digest(standard)


def test_the_picture_shows_counts_where_a_ticket_stands_and_why_not(
    client: Client, agent: Actor, django_assert_max_num_queries: Any
) -> None:
    version = published(rule("begin", ["new"], "working", guards=[guard("requester_is_vip")]))
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=AT)

    shown = page(client, "build", version.pk, ticket=ticket.label)

    assert "is-here" in shown
    assert "The requester is not a VIP." in shown
    assert "“Begin” is not possible in this status" not in shown
    assert "There is no ticket TH-NONSENSE" in page(client, "build", version.pk, ticket="nonsense")
    with django_assert_max_num_queries(45):
        client.get(url("build", version.pk))


def test_publishing_shows_what_changes_and_what_is_wrong(client: Client) -> None:
    published()
    version = draft(rule("odd", ["closed"], "waiting"))
    shown = page(client, "publish", version.pk)
    assert "A ticket cannot go from “Closed”" in shown
    assert "disabled" in shown

    client.post(url("publish", version.pk), {"why": "all the same"})
    assert WorkflowVersion.objects.get(pk=version.pk).status == "draft"
    Transition.objects.filter(version=version, slug="odd").delete()
    client.post(url("publish", version.pk), {"why": "now it fits"})
    assert WorkflowVersion.objects.get(pk=version.pk).status == "published"


def test_a_document_goes_out_and_comes_in_whole_or_not_at_all(client: Client) -> None:
    version = published(rule("begin", ["new"], "working", actions=[act("comment", text="x")]))
    text = client.get(url("export", version.pk)).content.decode()

    client.post(url("import"), {"document": text})
    made = WorkflowVersion.objects.get(status="draft")
    assert serialization.digest(made) == serialization.digest(version)
    refused = client.post(url("import"), {"document": text.replace('"comment"', '"shell"')}).content.decode()
    assert "shell" in refused
    assert 'class="errorlist"' in refused
    assert WorkflowVersion.objects.filter(status="draft").count() == 1


def test_tickets_are_moved_after_a_look_at_the_map(client: Client, agent: Actor) -> None:
    before = published()
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=AT)
    after = published()

    assert "<td>1</td>" in page(client, "move", before.pk)
    client.post(url("move", before.pk), {"to-new": "new", "why": "all of them"})

    assert Ticket.objects.get(pk=ticket.pk).status.version == after


@pytest.mark.parametrize("name", ["build", "settings", "publish", "dry_run", "move", "differences", "export"])
def test_only_who_may_change_workflows_sees_the_builder(client: Client, us: Organisation, name: str) -> None:
    version = draft()
    assert client.get(url(name, version.pk)).status_code == 200
    staff = Client()
    staff.force_login(factories.member("agent", us, is_staff=True), backend="django.contrib.auth.backends.ModelBackend")

    assert staff.get(url(name, version.pk)).status_code == 403
    assert Client().get(url(name, version.pk)).status_code == 302
    assert Workflow.objects.exists()
