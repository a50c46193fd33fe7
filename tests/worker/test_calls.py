"""Calls to vendors: a system that hangs costs the others nothing, people go first, and no call holds a session."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connections
from django.utils import timezone

from connectors.autotask.simulator import Tenant
from connectors.engine.outbound import due_items
from connectors.engine.outbound.sender import Sender
from connectors.engine.rate_limits import _Slot
from connectors.kit.http import Http
from connectors.models import Connection, Link, Outbound
from hub.core import jobs, wakeups
from hub.core.clock import now
from hub.core.jobs import Due, TimedJob
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation, Ticket
from worker import dispatcher
from worker.dispatcher import Dispatcher
from workflows.handoffs import comments, engagements

WITHIN = 20.0
"""Seconds after which something that should happen at once counts as not happened."""


@pytest.fixture
def worker() -> Iterator[Dispatcher]:
    made = Dispatcher(threads=1, calls=6)
    yield made
    for pool in (made.pool, made.mail_pool, made.call_pool):
        pool.stop()


class Vendors:
    """Rows of two systems: every call of the first one hangs until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, due: list[Due]) -> None:
        self.go_on = threading.Event()
        self.begun: list[int] = []
        self.waiting = due
        self.changed = threading.Condition()
        kind = TimedJob(
            name="send",
            label="Changes to send",
            since="next_poll_at",
            waiting=Connection.objects.all,
            due=lambda: [each.row_id for each in self.waiting],
            calls=self.calls,
            run=self.run,
        )
        monkeypatch.setattr(jobs, "with_work", lambda **_more: [kind])
        monkeypatch.setattr(jobs, "registered", lambda: {"send": kind})

    def calls(self, without: Collection[int]) -> list[Due]:
        return [each for each in self.waiting if each.system not in without][:8]

    def run(self, row_id: int) -> int:
        with self.changed:
            self.begun.append(row_id)
            self.changed.notify_all()
        if row_id < 100:
            self.go_on.wait(WITHIN)
        with self.changed:
            self.waiting = [each for each in self.waiting if each.row_id != row_id]
            self.changed.notify_all()
        return 1

    def until(self, holds: Any) -> None:
        with self.changed:
            assert self.changed.wait_for(holds, WITHIN)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_system_that_hangs_takes_its_share_of_the_threads_and_no_more(
    worker: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows come first, and are more than one query returns; still, all of the other's are sent."""
    due = [Due(row, 1, 2) for row in range(50)] + [Due(row, 2, 2) for row in range(100, 120)]
    vendors = Vendors(monkeypatch, due)
    try:
        while any(each.system == 2 for each in vendors.waiting):
            worker.sweep()
            assert wakeups.woken.wait(WITHIN)  # a job has ended
            wakeups.woken.clear()
        assert sorted(row for row in vendors.begun if row < 100) == [0, 1]
        assert len([row for row in vendors.begun if row >= 100]) == 20
    finally:
        vendors.go_on.set()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_a_person_waits_for_overtakes_the_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Dispatcher(threads=1, calls=1)
    vendors = Vendors(monkeypatch, [Due(1, 1, 9), *(Due(row, 1, 9) for row in range(100, 105))])
    try:
        worker.sweep()
        vendors.until(lambda: vendors.begun == [1])
        vendors.waiting.append(Due(200, 2, 9, is_urgent=True))
        worker.sweep()
        vendors.go_on.set()
        vendors.until(lambda: len(vendors.begun) == 7)
        assert vendors.begun[1] == 200
    finally:
        vendors.go_on.set()
        worker.call_pool.stop()


def kind(name: str, rows: list[Due], ran: list[int], **more: Any) -> TimedJob:
    def calls(without: Collection[int]) -> list[Due]:
        return [each for each in rows if each.system not in without and each.row_id not in ran]

    return TimedJob(
        name=name,
        label=name,
        since="pk",
        waiting=Connection.objects.all,
        due=list,
        calls=calls,
        run=lambda pk: ran.append(pk) is None,
        **more,
    )


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_is_read_does_not_keep_a_system_from_being_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog of records to read, first in every sweep and more than the system may be called at once."""
    worker, ran = Dispatcher(threads=1, calls=4), list[int]()
    reads = kind("look", [Due(row, 1, 2) for row in range(60)], ran, reads=True)
    sends = kind("send", [Due(100, 1, 2, "out"), Due(101, 2, 2, "out")], ran, is_for_people=True)
    kinds = {each.name: each for each in (reads, sends)}
    monkeypatch.setattr(jobs, "with_work", lambda **_more: list(kinds.values()))
    monkeypatch.setattr(jobs, "registered", lambda: kinds)
    worker.sweep()
    worker.call_pool.stop()
    assert {100, 101} <= {job.row_id for job in worker.running}
    assert len(worker.running) == 4


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_backlog_of_one_kind_leaves_room_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty systems, of which each has records to read; the one thread is busy."""
    worker, ran, go_on = Dispatcher(threads=1, calls=1), list[int](), threading.Event()
    worker.call_pool.submit(lambda: go_on.wait(WITHIN))
    reads = kind("look", [Due(row, row, 2) for row in range(60)], ran, reads=True)
    sends = kind("send", [Due(100, 99, 2, "out")], ran, is_for_people=True)
    kinds = {each.name: each for each in (reads, sends)}
    monkeypatch.setattr(jobs, "with_work", lambda **_more: list(kinds.values()))
    monkeypatch.setattr(jobs, "registered", lambda: kinds)
    try:
        worker.sweep()
        waiting = Counter(job.name for job in worker.running)
        sends_of = [Due(row, 99, 9, "out", is_urgent=True) for row in range(200, 202)]
        kinds["send"] = kind("send", sends_of, ran, is_for_people=True)
        worker.sweep()
        assert waiting == {"look": 60, "send": 1}
        assert {200, 201} <= {job.row_id for job in worker.running}
    finally:
        go_on.set()
        worker.call_pool.stop()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_worker_ends_although_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Dispatcher(threads=1)
    worker.pool.submit(lambda: True).result(WITHIN)

    def gone(**_: Any) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr("connectors.engine.rate_limits.CallSlot.objects.filter", gone)
    monkeypatch.setattr("connectors.engine.rate_limits._passed.idle", lambda **_: [(1, "", _Slot(1, 0.0, 0.0))])
    worker.stop()
    worker.run()
    assert worker.pool.threads == []


@pytest.fixture
def offered(connection: Connection, agent: Actor) -> list[Ticket]:
    """Tickets that the vendor has."""
    at = now()
    made = []
    for number in range(3):
        ticket = tickets.open_ticket(title=f"T{number}", actor=agent, at=at)
        engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=at)
        made.append(ticket)
    dispatcher.drain()
    return made


@pytest.mark.django_db
def test_a_comment_of_a_person_is_sent_before_older_work(
    offered: list[Ticket], connection: Connection, agent: Actor
) -> None:
    first, second, third = offered
    comments.comment(ticket=first, body="by a program", legs=list(first.legs.all()), actor=Actor.system("x"), at=now())
    comments.comment(
        ticket=second, body="by a program", legs=list(second.legs.all()), actor=Actor.system("x"), at=now()
    )
    comments.comment(ticket=third, body="by Ada", legs=list(third.legs.all()), actor=agent, at=now())
    old = timezone.now() - timedelta(hours=1)
    Outbound.objects.filter(state="ready", is_urgent=False).update(next_attempt_at=old)

    calls = due_items.due_calls(at=timezone.now(), without=())
    links = [Link.objects.get(leg__ticket=ticket).pk for ticket in (third, first, second)]
    assert [(call.row_id, call.is_urgent) for call in calls] == [(links[0], True), (links[1], False), (links[2], False)]
    assert {(call.system, call.most) for call in calls} == {(connection.pk, 2)}  # Autotask allows two threads
    assert due_items.due_calls(at=timezone.now(), without=[connection.pk]) == []


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_no_session_is_held_during_a_call(
    us: Organisation, offered: list[Ticket], agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    comments.comment(ticket=offered[0], body="x", legs=list(offered[0].legs.all()), actor=agent, at=now())
    held: list[bool] = []
    sent = Http._sent

    def watched(http: Http, *args: Any, **more: Any) -> Any:
        held.append(connections["default"].connection is not None)
        return sent(http, *args, **more)

    monkeypatch.setattr(Http, "_sent", watched)
    dispatcher.drain()
    assert held
    assert not any(held)
    assert not Outbound.objects.filter(state="ready").exists()


@pytest.mark.django_db
def test_what_is_edited_while_a_change_is_sent_is_sent_next(
    offered: list[Ticket], connection: Connection, agent: Actor, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between composing and the intent: nothing is queued then, because a change of fields is waiting."""
    ticket, intend = offered[0], Sender._intend

    def late(self: Sender, *more: Any) -> None:
        monkeypatch.setattr(Sender, "_intend", intend)
        tickets.edit_ticket(ticket=ticket, changes={"title": "Second"}, actor=agent, at=now())
        intend(self, *more)

    monkeypatch.setattr(Sender, "_intend", late)
    tickets.edit_ticket(ticket=ticket, changes={"title": "First"}, actor=agent, at=now())
    dispatcher.drain()
    record = Link.objects.get(leg__ticket=ticket).remote_key
    assert tenant.tickets[record]["title"] == "Second"
    assert not Outbound.objects.filter(state="ready").exists()
