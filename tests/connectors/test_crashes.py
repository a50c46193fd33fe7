"""Killed at any instant: before every commit, before and after every write to the vendor.

What a killed process had not committed is gone, and so is its memory; another one goes on after the
leases have run out and the settle time has passed. Nothing may be lost, and nothing done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from connectors.autotask.simulator import Simulator, Tenant
from connectors.engine.operations import compare
from connectors.engine.outbound import sender
from connectors.kit.http import Http
from connectors.models import Connection, Inbound, Link, Outbound
from hub.domain import history, ledger, tickets
from hub.domain.actors import Actor
from hub.models import Leg, Message, Stage, Ticket
from worker import dispatcher
from workflows.handoffs import comments, engagements

pytestmark = pytest.mark.django_db

POINTS = 66
"""At least as many as there are; `test_every_point_is_tried` holds it."""
COMMIT = "RELEASE SAVEPOINT"
COUNTS = {"connectors_usage", "connectors_callslot"}
"""How often we called: a count that is lost or stays is of no consequence, so no point of its own."""
WRITES = ("INSERT", "UPDATE", "DELETE")


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Death:
    """Kills at the n-th point; afterwards whatever still runs cannot reach the database or the vendor."""

    def __init__(self, point: int) -> None:
        self.left, self.is_dead, self.passed = point, False, 0
        self.outside = len(database.savepoint_ids)
        """How deep the test's own transactions are: no deeper is what the product commits."""

    def pass_point(self) -> None:
        self.passed += 1
        if self.is_dead or self.left == 0:
            self.is_dead = True
            raise Killed
        self.left -= 1

    def statement(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if COUNTS & set(sql.split('"')):
            return execute(sql, *rest)
        is_outside = len(database.savepoint_ids) == self.outside
        if is_outside and sql.startswith(COMMIT):
            try:
                self.pass_point()
            except Killed:
                execute(sql.replace(COMMIT, "ROLLBACK TO SAVEPOINT"), *rest)
                raise
        elif is_outside and sql.startswith(WRITES):
            self.pass_point()
        return execute(sql, *rest)

    @contextmanager
    def lurking(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        exchange = Http.exchange

        def mortal(http: Http, *args: Any, **more: Any) -> Any:
            if not more["is_write"]:
                # A read has no effect: killed around it is killed before what comes next.
                if self.is_dead:
                    raise Killed
                return exchange(http, *args, **more)
            self.pass_point()
            answer = exchange(http, *args, **more)
            self.pass_point()
            return answer

        with monkeypatch.context() as patch, database.execute_wrapper(self.statement):
            patch.setattr(Http, "exchange", mortal)
            yield


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def begin(connection: Connection, agent: Actor, simulator: Simulator) -> Link:
    """Work of every kind in both directions, nothing of it done yet."""
    ticket = tickets.open_ticket(title="Printing fails", priority="P2", actor=agent, at=now())
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    comments.comment(ticket=ticket, body="Please look", legs=[leg], actor=agent, at=now())
    born = simulator.act("deskside.test", "open", by="501", title="Born there")
    simulator.act("deskside.test", "note", ticket=str(born["id"]), by="501", text="Looking", publish=4)
    return Link.objects.get(leg=leg)


def another_process() -> None:
    """Time passes until leases have run out and every outcome can be looked up; then all that is due is done."""
    for _ in range(3):
        Link.objects.update(lease_until=None, next_look_at=None)
        Inbound.objects.update(lease_until=None)
        Inbound.objects.filter(state=Inbound.State.NEW).update(next_attempt_at=timezone.now())
        Connection.objects.update(resting_until=None, next_poll_at=None)
        for item in Outbound.objects.filter(intent_at__isnull=False):
            Outbound.objects.filter(pk=item.pk).update(intent_at=timezone.now() - sender.SETTLE - timedelta(seconds=1))
        Outbound.objects.exclude(next_attempt_at=None).update(next_attempt_at=timezone.now())
        dispatcher.drain(most=1)


@pytest.mark.parametrize("point", range(POINTS))
def test_killed_at_any_point_nothing_is_lost_or_done_twice(
    connection: Connection,
    agent: Actor,
    simulator: Simulator,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    point: int,
) -> None:
    link = begin(connection, agent, simulator)
    death = Death(point)
    with death.lurking(monkeypatch):
        try:
            dispatcher.drain(most=3)
        except Killed:
            pass
    another_process()

    link.refresh_from_db()
    assert len(tenant.tickets) == Ticket.objects.count() == 2
    said = sorted((str(n["ticketID"]) == link.remote_key, n["description"]) for n in tenant.notes.values())
    assert said == [(False, "Looking"), (True, "Please look")]
    assert sorted(message.body for message in Message.objects.all()) == ["Looking", "Please look"]
    assert [line for each in Link.objects.all() for line in compare.differences(each)] == []
    assert Leg.objects.get(pk=link.leg_id).stage == Stage.OFFERED
    for ticket in Ticket.objects.all():
        assert history.verify(ticket) is None
        assert ledger.verify(ticket) == []


def test_every_point_is_tried(
    connection: Connection, agent: Actor, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(connection, agent, simulator)
    never = Death(10_000)
    with never.lurking(monkeypatch):
        dispatcher.drain(most=3)

    assert 30 < never.passed <= POINTS, never.passed
