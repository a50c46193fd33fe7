"""Bulk actions: a preview that changes nothing, a result for each ticket, and the pages around them."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from hub.core import jobs
from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Event, Leg, Organisation, Team, Ticket, User
from hub.queries import permissions
from tests import factories
from tests.console.test_pages import log_in
from workflows.bulk import running, verbs
from workflows.handoffs import engagements
from workflows.incidents import major_incidents
from workflows.lifecycle import transitions
from workflows.models import BulkAction, BulkItem

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(us: Organisation) -> User:
    return factories.member("manager", us, name="Mona")


@pytest.fixture
def three(us: Organisation, agent: Actor) -> list[Ticket]:
    at = now() - timedelta(minutes=5)
    return [tickets.open_ticket(title=f"T{n}", actor=agent, at=at) for n in range(3)]


def done(verb: str, given: dict[str, Any], chosen: list[Ticket], user: User) -> list[tuple[str, str]]:
    """Run the action; the state and reason of each item."""
    action = running.start(verb=verb, given=given, tickets=chosen, user=user, at=now())
    running.run(action_id=action.pk, at=now(), seconds=30)
    return list(action.items.order_by("ticket__number").values_list("state", "why"))


def test_tickets_are_assigned(three: list[Ticket], user: User, us: Organisation) -> None:
    team = Team.objects.create(organisation=us, name="Network")
    given = {"assignee": user.public_id, "team": team.public_id}
    assert done("assign", given, three, user) == [("done", "")] * 3
    assert set(Ticket.objects.values_list("assignee__name", "team__name")) == {("Mona", "Network")}
    assert Event.objects.filter(kind="ticket.assigned", actor_name="Mona").count() == 3


def test_one_refused_ticket_keeps_no_other_from_being_handed_over(
    three: list[Ticket], user: User, agent: Actor
) -> None:
    vendor = factories.OrganisationFactory(name="Hostwerk")
    transitions.move(ticket=three[1], name="cancel", reason="gone", actor=agent, at=now())
    results = done("hand_over", {"organisation": vendor.public_id, "reason": "yours"}, three, user)
    assert [state for state, _why in results] == ["done", "refused", "done"]
    assert results[1][1]
    assert Leg.objects.filter(organisation=vendor).count() == 2


def test_a_message_reaches_the_chosen_audience(three: list[Ticket], user: User, agent: Actor) -> None:
    vendor = factories.OrganisationFactory()
    engagements.offer(ticket=three[0], organisation=vendor, actor=agent, at=now())
    results = done("message", {"body": "News", "for_engaged": True}, three, user)
    assert results == [("done", ""), *[("refused", "No organisation is engaged on the ticket.")] * 2]
    said = three[0].messages.get()
    assert [leg.organisation for leg in said.legs.all()] == [vendor]
    results = done("message", {"body": "News", "for_requester": True}, three[:1], user)
    assert results == [("refused", "The ticket has no requester.")]


def test_priorities_and_statuses_change(three: list[Ticket], user: User) -> None:
    assert done("priority", {"priority": "P1", "reason": "storm"}, three, user) == [("done", "")] * 3
    assert set(Ticket.objects.values_list("priority", flat=True)) == {"P1"}
    results = done("transition", {"transition": "resolve", **factories.RESOLVED}, three, user)
    assert [state for state, _why in results] == ["done"] * 3, results
    again = done("transition", {"transition": "resolve"}, three, user)
    assert {state for state, _why in again} == {"refused"}


def test_tickets_become_children_of_a_major_incident(three: list[Ticket], user: User, agent: Actor) -> None:
    major_incidents.declare(ticket=three[0], is_major=True, actor=agent, at=now())
    results = done("gather", {"parent": three[0].label}, three, user)
    assert results[0] == ("refused", "A ticket cannot be its own child ticket.")
    assert major_incidents.children(three[0]) == three[1:]
    assert done("gather", {"parent": "TH-99999"}, three[:1], user)[0][0] == "refused"


def test_a_preview_changes_nothing(three: list[Ticket], user: User, agent: Actor) -> None:
    transitions.move(ticket=three[1], name="cancel", reason="gone", actor=agent, at=now())
    vendor = factories.OrganisationFactory()
    before = list(Event.objects.values_list("pk", flat=True))
    found = running.rehearse(
        verb="hand_over", given={"organisation": vendor.public_id}, tickets=three, user=user, at=now()
    )
    assert [found[ticket.pk].is_done for ticket in three] == [True, False, True]
    assert list(Event.objects.values_list("pk", flat=True)) == before
    assert not Leg.objects.exists()
    assert set(Ticket.objects.values_list("holder__is_us", flat=True)) == {True}


def test_a_fault_in_one_ticket_is_its_result(
    three: list[Ticket], user: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(ticket: Ticket, *_more: object) -> str:
        if ticket == three[1]:
            raise KeyError("x")
        return ""

    monkeypatch.setitem(verbs.VERBS, "assign", verbs.BulkVerb(slug="assign", label="", run=fails))  # type: ignore[arg-type]
    assert [state for state, _why in done("assign", {}, three, user)] == ["done", "refused", "done"]
    assert "KeyError" in caplog.text


def test_an_action_goes_on_where_a_worker_stopped(three: list[Ticket], user: User) -> None:
    action = running.start(
        verb="priority", given={"priority": "P1", "reason": "storm"}, tickets=three, user=user, at=now()
    )
    assert running.due() == [action.pk]
    running._run_next(action.pk, now())
    assert running.waiting().count() == 2
    job = jobs.registered()["bulk"]
    for pk in job.due():
        job.run(pk)
    assert not running.waiting().exists()
    assert Event.objects.filter(kind="ticket.priority_changed").count() == 3


def test_rights_that_end_meanwhile_end_the_action(three: list[Ticket], user: User) -> None:
    action = running.start(
        verb="priority", given={"priority": "P1", "reason": "storm"}, tickets=three, user=user, at=now()
    )
    user.memberships.all().delete()
    running.run(action_id=action.pk, at=now())
    assert set(action.items.values_list("why", flat=True)) == {"Mona may no longer work on tickets."}
    with pytest.raises(permissions.NotAllowed):
        running.start(verb="priority", given={}, tickets=three, user=User.objects.get(pk=user.pk), at=now())


# -- pages


def steps(client: Client, **fields: Any) -> str:
    """The page after a step; before it is applied, the preview is taken as a browser does."""
    if fields.get("step") == "apply":
        preview = client.post("/tickets/bulk/", fields | {"step": "preview"}).content.decode()
        for name in ("previewed", "once"):
            if found := re.search(rf'name="{name}" value="([^"]+)"', preview):
                fields[name] = found[1]
    return client.post("/tickets/bulk/", fields, follow=True).content.decode()


def test_the_way_from_the_list_to_the_results(three: list[Ticket], user: User) -> None:
    client = log_in(user)
    listed = client.get("/tickets/").content.decode()
    ids = re.findall(r'name="ticket" value="([^"]+)"', listed)
    assert sorted(ids) == sorted(ticket.public_id for ticket in three)

    form = steps(client, verb="assign", ticket=ids, back="show=open")
    assert "Assign: 3 tickets" in form
    preview = steps(client, verb="assign", ticket=ids, step="preview", assignee=user.public_id)
    assert preview.count("will be done") == 3
    assert not BulkAction.objects.exists()
    result = steps(client, verb="assign", ticket=ids, step="apply", assignee=user.public_id)
    assert "3 done, 0 refused." in result
    assert Ticket.objects.filter(assignee=user).count() == 3


def test_all_pages_of_a_list_can_be_chosen(three: list[Ticket], user: User) -> None:
    tickets.set_priority(ticket=three[0], priority="P1", reason="", actor=Actor.person(user), at=now())
    form = steps(log_in(user), verb="priority", all="1", show="open", priority="P3")
    assert "2 tickets" in form


def test_more_than_fifty_run_in_the_background(
    three: list[Ticket], user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "AT_ONCE", 2)
    client = log_in(user)
    ids = [ticket.public_id for ticket in three]
    page = steps(client, verb="priority", ticket=ids, step="apply", priority="P2", reason="storm")
    assert "3 of 3 still to do." in " ".join(page.split())
    assert 'hx-trigger="every 2s"' in page
    [action] = BulkAction.objects.all()
    running.run(action_id=action.pk, at=now())
    page = client.get(f"/tickets/bulk/{action.public_id}/").content.decode()
    assert "3 done, 0 refused." in page
    assert "hx-trigger" not in page.split('id="bulk"')[1].split(">")[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"verb": "assign"}, "Choose tickets and an action."),
        ({"verb": "nonsense", "ticket": "{ids}"}, "Choose tickets and an action."),
        ({"verb": "assign", "ticket": "{ids}", "step": "apply"}, "Choose a person or a team."),
        ({"verb": "assign", "ticket": "{ids}", "step": "preview", "assignee": "qqq"}, "Nothing matches “qqq”."),
        ({"verb": "hand_over", "ticket": "{ids}", "step": "apply"}, "This field is required."),
        ({"verb": "transition", "ticket": "{ids}", "step": "apply", "transition": "x"}, "Select a valid choice."),
        ({"verb": "priority", "ticket": "{ids}", "step": "apply", "priority": "P9"}, "Select a valid choice."),
    ],
)
def test_bad_input_is_said_and_changes_nothing(
    three: list[Ticket], user: User, fields: dict[str, Any], message: str
) -> None:
    ids = [ticket.public_id for ticket in three]
    given = {name: ids if value == "{ids}" else value for name, value in fields.items()}
    assert message in html.unescape(steps(log_in(user), **given))
    assert not BulkItem.objects.exists()


def test_who_does_not_work_for_us_changes_nothing(three: list[Ticket], us: Organisation) -> None:
    for person in (factories.member("vendor", factories.OrganisationFactory()), factories.member("auditor", us)):
        client = log_in(person)
        fields = {"verb": "priority", "ticket": [three[0].public_id], "step": "apply", "priority": "P1"}
        assert client.post("/tickets/bulk/", fields).status_code == 403
        assert 'name="ticket"' not in client.get("/tickets/").content.decode()
    assert not BulkAction.objects.exists()


def test_a_ticket_that_changed_since_the_preview_is_refused_with_the_reason(
    three: list[Ticket], user: User, agent: Actor
) -> None:
    client, ids = log_in(user), [ticket.public_id for ticket in three]
    given = {"verb": "priority", "ticket": ids, "priority": "P1", "reason": "storm"}
    preview = steps(client, **given, step="preview")
    assert "will be refused" not in preview
    transitions.move(ticket=three[2], name="cancel", reason="gone", actor=agent, at=now())
    [seal] = re.findall(r'name="previewed" value="([^"]+)"', preview)
    page = client.post("/tickets/bulk/", given | {"step": "apply", "previewed": seal}, follow=True).content.decode()
    assert "2 done, 1 refused." in page
    assert BulkItem.objects.get(ticket=three[2]).why in html.unescape(page)


def test_what_was_not_previewed_is_not_applied(three: list[Ticket], user: User) -> None:
    client, ids = log_in(user), [ticket.public_id for ticket in three]
    preview = steps(client, verb="priority", ticket=ids, step="preview", priority="P2", reason="storm")
    [seal] = re.findall(r'name="previewed" value="([^"]+)"', preview)
    changed = {
        "verb": "priority",
        "ticket": ids,
        "step": "apply",
        "priority": "P1",
        "reason": "storm",
        "previewed": seal,
    }
    assert "What will happen" in client.post("/tickets/bulk/", changed).content.decode()
    assert not BulkAction.objects.exists()


def test_applying_twice_acts_once(three: list[Ticket], user: User) -> None:
    client, ids = log_in(user), [ticket.public_id for ticket in three]
    fields = {"verb": "message", "ticket": ids, "body": "Once only", "step": "preview"}
    preview = client.post("/tickets/bulk/", fields).content.decode()
    for name in ("previewed", "once"):
        [fields[name]] = re.findall(rf'name="{name}" value="([^"]+)"', preview)
    pages = [client.post("/tickets/bulk/", fields | {"step": "apply"}).headers["Location"] for _ in range(2)]
    assert pages[0] == pages[1]
    assert [ticket.messages.count() for ticket in three] == [1, 1, 1]


def test_a_thousand_tickets_pass_through_the_form_and_more_are_named(
    three: list[Ticket], user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "MOST", 2)
    ids = ",".join(ticket.public_id for ticket in three)
    client = log_in(user)
    page = client.post("/tickets/bulk/", {"verb": "priority", "all": "1", "show": "open"}).content.decode()
    assert "The action concerns the first 2, by number." in page
    assert page.count("<input") < 15
    many = ",".join(["01ARZ3NDEKTSV4RRFFQ69G5FAV"] * 1000)
    assert client.post("/tickets/bulk/", {"verb": "priority", "tickets": f"{ids},{many}"}).status_code == 200


def test_a_passing_fault_of_the_database_refuses_nothing(
    three: list[Ticket], user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadlock(*_more: object) -> str:
        raise OperationalError("deadlock detected")

    action = running.start(verb="assign", given={}, tickets=three, user=user, at=now())
    monkeypatch.setitem(verbs.VERBS, "assign", verbs.BulkVerb(slug="assign", label="", run=deadlock))  # type: ignore[arg-type]
    with pytest.raises(OperationalError):
        running.run(action_id=action.pk, at=now())
    assert running.waiting().count() == 3


def test_a_refusal_of_the_law_is_said_in_its_own_words(three: list[Ticket], user: User) -> None:
    results = done("transition", {"transition": "resolve", "reason": "fixed"}, three, user)
    assert set(results) == {("refused", "Fill in first: resolution, resolution code.")}
    results = done("transition", {"transition": "close"}, three, user)
    assert {why for _state, why in results} == {
        f"{each.label} is new; “Close” is not possible in this phase." for each in three
    }
