"""A record that was merged into another one there: read-only, and its engagement follows the one that survived."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.connectwise.simulated_tenant import Tenant
from connectors.connectwise.simulator import Simulator
from connectors.engine.inbound import identity
from connectors.engine.operations import compare
from connectors.engine.outbound import parked_items
from connectors.models import Connection, Link, Outbound, StatusRule
from connectors.queries import sync_issues
from hub.domain import ledger, tickets
from hub.domain.actors import Actor
from hub.models import Leg, Message, Organisation, Stage, Ticket
from tests import factories
from tests.connectors.test_boards import company, connected, desk, work
from tests.connectors.test_engine import now
from tests.console.test_pages import log_in
from workflows.handoffs import comments, engagements

__all__ = ["company", "connected", "desk"]

pytestmark = pytest.mark.django_db
HOUSE = "kvasny.test"


@pytest.fixture
def two(connected: Connection, desk: Simulator, agent: Actor) -> tuple[Link, Link]:
    """Two tickets of ours there."""
    StatusRule.objects.filter(theirs="19").update(says="")
    for title in ("Door does not open", "Door is stuck"):
        ticket = tickets.open_ticket(title=title, priority="P3", actor=agent, at=now())
        engagements.offer(ticket=ticket, organisation=connected.organisation, actor=agent, at=now())
    work()
    first, second = Link.objects.select_related("leg__ticket").order_by("pk")
    return first, second


@pytest.fixture
def merged(two: tuple[Link, Link], desk: Simulator) -> tuple[Link, Link]:
    """The first was merged into the second, which closes it there."""
    first, second = two
    desk.act(HOUSE, "merge", ticket=first.remote_key, by="kada", into=second.remote_key)
    desk.act(HOUSE, "set", ticket=first.remote_key, by="kada", status=19)
    work()
    return Link.objects.get(pk=first.pk), Link.objects.get(pk=second.pk)


def stage(link: Link) -> str:
    return str(Leg.objects.get(pk=link.leg_id).stage)


def test_the_engagement_follows_the_status_of_the_survivor(merged: tuple[Link, Link], desk: Simulator) -> None:
    first, second = merged
    assert (first.state, first.merged_key) == (Link.State.ALIAS, second.remote_key)
    assert stage(first) == Stage.OFFERED  # closed by the merge, which says nothing of the work
    desk.act(HOUSE, "set", ticket=second.remote_key, by="kada", status=17)
    work()
    assert (stage(first), stage(second)) == (Stage.WORKING, Stage.WORKING)
    desk.act(HOUSE, "set", ticket=second.remote_key, by="kada", status=19)
    work()
    assert (stage(first), stage(second)) == (Stage.DONE, Stage.DONE)
    for ticket in Ticket.objects.all():
        assert ledger.verify(ticket) == []


def test_what_is_said_on_the_survivor_stays_there(merged: tuple[Link, Link], desk: Simulator) -> None:
    """Its requester may be another one."""
    _first, second = merged
    desk.act(HOUSE, "note", ticket=second.remote_key, by="kada", text="The lock was oiled.")
    work()

    assert [message.ticket_id for message in Message.objects.all()] == [second.leg.ticket_id]


def test_nothing_is_written_to_it_and_a_person_is_told_why(
    merged: tuple[Link, Link], company: Tenant, agent: Actor, us: Organisation
) -> None:
    first, second = merged
    before = dict(company.tickets[first.remote_key])
    comments.comment(ticket=first.leg.ticket, body="Any news?", legs=[first.leg], actor=agent, at=now())
    tickets.set_priority(ticket=Ticket.objects.get(pk=first.leg.ticket_id), priority="P1", actor=agent, at=now())
    work()
    assert company.tickets[first.remote_key] == before
    item = Outbound.objects.get(state="parked")
    assert f"was merged into {second.remote_key} ({second.leg.ticket.label})" in item.error
    parked_items.retry(item)
    assert Outbound.objects.get(pk=item.pk).state == "parked"

    kinds = [row.kind for row in sync_issues.stuck()]
    assert kinds.count("difference") == 1
    assert "link" not in kinds
    page = log_in(factories.member("manager", us)).get(first.leg.ticket.get_absolute_url()).content.decode()
    assert f"was merged into {second.remote_key}" in page
    assert len(compare.differences(first)) == 2  # what was said, and the merge itself


def test_what_waited_when_it_was_merged_is_parked(two: tuple[Link, Link], desk: Simulator, agent: Actor) -> None:
    first, second = two
    comments.comment(ticket=first.leg.ticket, body="Any news?", legs=[first.leg], actor=agent, at=now())
    tickets.set_priority(ticket=Ticket.objects.get(pk=first.leg.ticket_id), priority="P1", actor=agent, at=now())
    desk.act(HOUSE, "merge", ticket=first.remote_key, by="kada", into=second.remote_key)
    Outbound.objects.filter(state="ready").update(next_attempt_at="2100-01-01T00:00:00Z")
    work()

    assert set(Outbound.objects.exclude(state="done").values_list("kind", "state")) == {
        ("note", "parked"),
        ("fields", "skipped"),
    }


def test_the_reason_outlives_every_look(merged: tuple[Link, Link]) -> None:
    first, _second = merged
    for _ in range(3):
        Link.objects.filter(pk=first.pk).update(is_dirty=True, next_look_at=None)
        identity.release(first)
        work()
        assert "was merged into" in Link.objects.get(pk=first.pk).why
    assert sync_issues.stuck()[0].why == first.why


def test_a_merge_that_is_undone_lets_it_go_on(merged: tuple[Link, Link], desk: Simulator, company: Tenant) -> None:
    first, _second = merged
    item = company.tickets[first.remote_key]
    item["mergedParentTicket"] = None
    item["status"] = {"id": 17, "name": "In Progress"}
    desk.touch(item, "kada")
    work()

    again = Link.objects.get(pk=first.pk)
    assert (again.state, again.why, again.merged_key) == (Link.State.ACTIVE, "", "")
    assert stage(first) == Stage.WORKING
    assert [row for row in sync_issues.stuck() if row.kind == "difference"] == []


def test_a_survivor_of_another_customer_is_not_followed(
    merged: tuple[Link, Link], desk: Simulator, company: Tenant
) -> None:
    first, second = merged
    company.tickets[second.remote_key]["company"] = {"id": 999}
    desk.act(HOUSE, "set", ticket=second.remote_key, by="kada", status=17)
    Link.objects.filter(pk=first.pk).update(is_dirty=True, next_look_at=None)
    work()

    assert stage(first) == Stage.OFFERED


def test_a_survivor_that_is_merged_once_more_is_followed_on(
    merged: tuple[Link, Link], desk: Simulator, agent: Actor
) -> None:
    _first, second = merged
    third = desk.act(HOUSE, "open", by="kada", title="All doors")
    desk.act(HOUSE, "merge", ticket=second.remote_key, by="kada", into=str(third["id"]))
    work()
    Link.objects.filter(state="alias").update(is_dirty=True, next_look_at=None)
    work()
    assert set(Link.objects.filter(state="alias").values_list("merged_key", flat=True)) == {str(third["id"])}


def test_a_profile_may_name_the_survivor_by_a_note() -> None:
    """Zendesk: the tag says that, only a comment says into which, in whatever language."""
    from pathlib import Path

    from connectors.kit.simulating import Answer, Request
    from tests.connectors.rest.vendor import Vendor, connector

    ticket = {
        "id": 71,
        "subject": "Door",
        "description": "d",
        "status": "closed",
        "priority": "normal",
        "group_id": 7,
        "submitter_id": 5,
        "external_id": "TH-9",
        "created_at": "2026-02-03T09:00:00Z",
        "updated_at": "2026-02-03T10:00:00Z",
        "tags": ["closed_by_merge"],
    }
    notes: list[dict[str, Any]] = [
        {
            "id": 1,
            "plain_body": "Wie in Anfrage #12 besprochen",
            "public": True,
            "author_id": 6,
            "created_at": "2026-02-03T09:30:00Z",
            "attachments": [],
        },
        {
            "id": 2,
            "plain_body": "Diese Anfrage wurde geschlossen und in Anfrage #68 „Tür“ zusammengeführt.",
            "public": False,
            "author_id": 6,
            "created_at": "2026-02-03T10:00:00Z",
            "attachments": [],
        },
    ]

    def answer(request: Request) -> Answer:
        if request.path.endswith("/users/me.json"):
            return Answer(body={"user": {"id": 5, "name": "Hub"}})
        if "comments" in request.path:
            return Answer(body={"comments": notes, "meta": {"has_more": False}, "links": {}})
        return Answer(body={"ticket": ticket})

    text = (Path("connectors/rest/profiles/zendesk") / "profile.toml").read_text()
    made = connector(text, Vendor(answer), address="https://desk.zendesk.com", email="h@n.test", token="t", group="7")
    assert made.fetch("71").merged_into == "68"
    assert made.glance("71").merged_into == "?"
    notes.pop()
    notes[0]["plain_body"] = "no number"
    assert made.fetch("71").merged_into == "?"
    ticket["tags"] = []
    notes[0]["plain_body"] = "see #12"
    assert made.fetch("71").merged_into == ""
