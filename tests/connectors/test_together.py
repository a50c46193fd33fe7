"""Several links claimed by one job: each in its own order, and what happens to one changes nothing for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.autotask.connector import Autotask
from connectors.autotask.simulator import Injected, Simulator, Tenant
from connectors.engine import leases
from connectors.engine.outbound import due_items, sending
from connectors.engine.outbound.sender import Sender
from connectors.kit.contract import Change, Pushed
from connectors.models import Connection, FieldRule, Lane, Link, Outbound
from hub.core.jobs import Due
from hub.domain import tickets
from hub.domain.actors import Actor
from tests.connectors.test_engine import now, work
from workflows.handoffs import comments, engagements

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _however_slow_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "TOGETHER_SECONDS", 1000.0)


@pytest.fixture
def links(connection: Connection, agent: Actor) -> list[Link]:
    """Four links of one connection, each with its record in the vendor's system and two notes to send."""
    found = []
    for number in range(4):
        ticket = tickets.open_ticket(title=f"Printing fails {number}", priority="P3", actor=agent, at=now())
        leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
        found.append(Link.objects.get(leg=leg))
    work()
    for link in found:
        link.refresh_from_db()
        for text in ("first", "second"):
            comments.comment(ticket=link.leg.ticket, body=text, legs=[link.leg], actor=agent, at=now())
    return found


def said(tenant: Tenant, link: Link) -> list[str]:
    return [note["description"] for note in tenant.notes.values() if str(note["ticketID"]) == link.remote_key]


def send(links: list[Link]) -> int:
    return sending.send_all(link_ids=[link.pk for link in links])


def test_each_link_is_sent_in_its_order(links: list[Link], tenant: Tenant) -> None:
    assert send(links) == 8
    assert [said(tenant, link) for link in links] == [["first", "second"]] * 4
    assert not Link.objects.exclude(lease_until=None).exists()


def test_links_are_claimed_and_read_together(links: list[Link], tenant: Tenant) -> None:
    def statements(some: list[Link]) -> int:
        with CaptureQueriesContext(database) as captured:
            claimed = leases.claim_all([link.pk for link in some])
            due_items.of_links(claimed)
            leases.release(*claimed)
        assert [link.pk for link in claimed] == [link.pk for link in some]
        return len(captured)

    assert statements(links) == statements(links[:1])


def test_a_link_that_another_worker_holds_is_left_out(links: list[Link], tenant: Tenant) -> None:
    theirs = leases.claim(links[1].pk)
    assert theirs is not None
    assert send(links) == 6
    assert said(tenant, links[1]) == []
    leases.hold(theirs)  # still theirs


def test_a_link_lost_in_the_middle_stops_no_other(
    links: list[Link], tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    _before_note(monkeypatch, links[1], lambda: Link.objects.filter(pk=links[1].pk).update(epoch=99))
    assert send(links) == 6
    assert [len(said(tenant, link)) for link in links] == [2, 1, 2, 2]
    assert Link.objects.get(pk=links[1].pk).lease_until is not None  # another worker's


def test_a_poisoned_item_parks_its_lane_while_the_others_go_on(links: list[Link], tenant: Tenant) -> None:
    del tenant.tickets[links[2].remote_key]
    send(links)
    assert [len(said(tenant, link)) for link in links] == [2, 2, 0, 2]
    assert Outbound.objects.filter(link=links[2], state=Outbound.State.READY).count() == 2
    assert Link.objects.get(pk=links[2].pk).missed == 1


def test_a_system_that_is_down_is_asked_once_and_the_links_are_free(
    links: list[Link], simulator: Simulator, tenant: Tenant
) -> None:
    asked: list[str] = []

    def fail(method: str, path: str) -> Injected:
        asked.append(path)
        return Injected(method, path, status=503)

    simulator._fault = fail  # type: ignore[method-assign]
    assert send(links) == 0
    assert Connection.objects.get(pk=links[0].connection_id).failures == 1
    assert len(asked) == 1
    assert not Link.objects.exclude(lease_until=None).exists()


def test_a_long_turn_ends_and_leaves_the_rest_to_others(links: list[Link], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "TOGETHER_SECONDS", 0.0)
    assert send(links) == 2
    assert not Link.objects.exclude(lease_until=None).exists()


def test_the_next_link_sees_a_mapping_published_in_the_middle(
    links: list[Link], agent: Actor, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for link in links[:2]:
        tickets.edit_ticket(ticket=link.leg.ticket, changes={"title": "Renamed"}, actor=agent, at=now())

    def publish() -> None:
        mapping = links[0].connection.mappings.get()
        copy = type(mapping).objects.create(connection=mapping.connection, status="draft", version=mapping.version + 1)
        for rules in (mapping.statuses, mapping.values, mapping.notes):
            for rule in rules.all():
                rule.pk, rule.mapping = None, copy
                rule.save()
        FieldRule.objects.create(mapping=copy, field="status", direction="both", authority="theirs")
        type(mapping).objects.filter(pk=mapping.pk).update(status="retired")
        type(mapping).objects.filter(pk=copy.pk).update(status="published")

    _before_note(monkeypatch, links[0], publish)
    send(links[:2])
    titles = [tenant.tickets[link.remote_key]["title"] for link in links[:2]]
    assert titles == ["Renamed", "Printing fails 1"]


def test_an_item_settled_by_another_meanwhile_is_not_sent(
    links: list[Link], tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the first note, the second is skipped by a person while the first is on its way."""
    second = Outbound.objects.filter(link=links[0], kind="note").order_by("seq").last()
    assert second is not None
    settled = {"state": Outbound.State.SKIPPED, "next_attempt_at": None}
    _before_note(monkeypatch, links[0], lambda: Outbound.objects.filter(pk=second.pk).update(**settled))
    assert send(links) == 7
    assert said(tenant, links[0]) == ["first"]


def _before_note(monkeypatch: pytest.MonkeyPatch, link: Link, act: Callable[[], Any]) -> None:
    """Act once, when the first note of the link is about to be sent."""
    real, left = Autotask.push, [act]

    def push(self: Autotask, change: Change) -> Pushed:
        if left and change.key == link.remote_key and change.kind == "note":
            left.pop()()
        return real(self, change)

    monkeypatch.setattr(Autotask, "push", push)


# -- what is due


def test_long_queues_hide_no_link_behind_them(links: list[Link], agent: Actor) -> None:
    for number in range(8):
        comments.comment(ticket=links[0].leg.ticket, body=f"{number}", legs=[links[0].leg], actor=agent, at=now())
    Outbound.objects.filter(link=links[0]).update(next_attempt_at=timezone.now() - timedelta(minutes=1))
    due = due_items.due_calls(at=timezone.now(), without=(), limit=8)
    assert {row for call in due for row in (call.row_id, *call.others)} == {link.pk for link in links}


def test_links_share_a_job_only_if_they_would_wait_for_each_other() -> None:
    def calls(count: int, most: int) -> list[tuple[int, ...]]:
        due = [Due(row, 1, most, "out") for row in range(count)]
        return [(call.row_id, *call.others) for call in due_items._together(due, Counter(range(count)))]

    assert calls(3, 10) == [(0,), (1,), (2,)]
    assert calls(6, 3) == [(0, 1), (2, 3), (4, 5)]
    assert max(len(call) for call in calls(500, 10)) == due_items.MOST_TOGETHER
    urgent = Due(7, 1, 1, "out", is_urgent=True)
    assert due_items._together([Due(1, 1, 1), urgent, Due(2, 1, 1)], Counter())[0] == urgent
    long = due_items._together([Due(1, 1, 1), Due(2, 1, 1), Due(3, 1, 1)], {1: 1, 2: 99, 3: 1})
    assert sorted((call.row_id, *call.others) for call in long) == [(1, 3), (2,)]


def test_lanes_keep_their_order_within_one_lease(links: list[Link], tenant: Tenant, agent: Actor) -> None:
    tickets.edit_ticket(ticket=links[0].leg.ticket, changes={"title": "Renamed"}, actor=agent, at=now())
    sent: list[str] = []
    [link] = leases.claim_all([links[0].pk])
    rows = due_items.of_links([link])[link.pk]
    assert [row.lane for row in rows] == [Lane.NOTES, Lane.NOTES, Lane.FIELDS]
    with sending.registry.ready(link.connection, sending.OutboundConnector) as connector:
        working = Sender(link, connector, rows)
        for lane in Lane:
            working.send_lane(lane)
            sent.append(f"{lane} {working.settled}")
    assert sent == ["fields 1", "notes 3", "files 3"]


def test_a_link_stopped_while_it_waits_is_left_out(
    links: list[Link], tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Link.objects.filter(pk=links[1].pk)
    _before_note(monkeypatch, links[0], lambda: stop.update(state=Link.State.PAUSED, why="by a person"))
    assert send(links) == 6
    assert [len(said(tenant, link)) for link in links] == [2, 0, 2, 2]
    assert not Link.objects.exclude(lease_until=None).exists()


def test_a_connector_that_cannot_be_made_is_not_tried_at_once_again(
    links: list[Link], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_more: Any) -> None:
        raise TypeError("a plug-in's mistake")

    monkeypatch.setattr(sending.registry, "ready", broken)
    with pytest.raises(TypeError):
        send(links)
    assert Link.objects.exclude(lease_until=None).count() == len(links)
