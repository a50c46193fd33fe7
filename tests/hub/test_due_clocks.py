"""Breaches that are due at the same time: in batches, each with its exact time, and none holds up the others."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from hub.domain import clock_rows, clocks, due_clocks, event_loader, tickets
from hub.domain.actors import Actor
from hub.models import Clock, Organisation, Ticket, Workflow
from tests import factories

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _however_slow_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_clocks, "AT_ONCE_SECONDS", 1000.0)


@pytest.fixture
def breaching(us: Organisation, agent: Actor, at: datetime) -> list[Ticket]:
    """Tickets whose four-hour clock ran out within the same hour, each at its own minute."""
    Workflow.objects.get_or_create(name="Standard", defaults={"is_default": True})
    factories.contract(us, kind="sla", goals={"resolve": {"P3": 4 * 3600}})
    return [
        tickets.open_ticket(title=f"T{number}", priority="P3", actor=agent, at=at + timedelta(minutes=number))
        for number in range(60)
    ]


def test_all_are_fired_in_batches_at_their_exact_time(breaching: list[Ticket], at: datetime) -> None:
    assert due_clocks.fire(at=at + 9 * HOUR) == 60

    for number, ticket in enumerate(breaching):
        clock = Clock.objects.get(ticket=ticket)
        assert (clock.is_breached, clock.next_fire_at) == (True, None)
        assert clock.breaches[0]["at"] == int((at + 4 * HOUR + timedelta(minutes=number)).timestamp())
        assert clock_rows._same(clock.spans.get(), clock_rows.spans_of(clock, folded(ticket, at + 9 * HOUR))[0])
    assert due_clocks.fire(at=at + 9 * HOUR) == 0


def folded(ticket: Ticket, at: datetime) -> Any:
    [(_terms, state)] = clocks.fold(ticket, event_loader.load(ticket), as_of=at)
    return state


def test_other_work_gets_its_turn_between_two_batches(
    breaching: list[Ticket], at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_clocks, "AT_ONCE_SECONDS", 1.0)
    monkeypatch.setattr(due_clocks, "time", SimpleNamespace(monotonic=iter([0.0, 0.5, 1.5]).__next__))
    assert due_clocks.fire(at=at + 9 * HOUR) == due_clocks.BATCH
    assert due_clocks.waiting(at=at + 9 * HOUR).count() == 60 - due_clocks.BATCH


def test_only_those_that_are_due_fire(breaching: list[Ticket], at: datetime) -> None:
    """The goal of one is reached in this very second: only afterwards it is missed."""
    assert due_clocks.fire(at=at + 4 * HOUR + timedelta(minutes=9)) == 9
    assert Clock.objects.filter(is_breached=True).count() == 9
    assert due_clocks.fire(at=at + 4 * HOUR + timedelta(minutes=9, seconds=1)) == 1


def test_a_batch_takes_as_many_statements_as_one_ticket(breaching: list[Ticket], at: datetime) -> None:
    def counted(ids: list[int]) -> int:
        with CaptureQueriesContext(connection) as captured:
            due_clocks._fold(ids, at + 9 * HOUR)
        return len(captured)

    counted([breaching[0].pk])  # reads once what never changes
    assert counted([breaching[1].pk]) == counted([ticket.pk for ticket in breaching[2:42]]) <= 10


def test_a_ticket_that_fails_is_left_out_and_tried_later(
    breaching: list[Ticket], at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = breaching[7]
    rows_of = clock_rows.rows_of

    def failing(ticket: Ticket, *more: Any) -> Any:
        if ticket.pk == broken.pk:
            raise ValueError("This ticket cannot be folded.")
        return rows_of(ticket, *more)

    with monkeypatch.context() as patch:
        patch.setattr(clock_rows, "rows_of", failing)
        due_clocks.fire(at=at + 9 * HOUR)
        assert not due_clocks.waiting(at=at + 9 * HOUR).exists()
    assert Clock.objects.filter(is_breached=True).count() == 59
    assert not Clock.objects.get(ticket=broken).is_breached

    due_clocks.fire(at=at + 9 * HOUR + due_clocks.AGAIN)
    assert Clock.objects.get(ticket=broken).is_breached


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_ticket_that_is_being_changed_is_not_waited_for(breaching: list[Ticket], at: datetime) -> None:
    locked, go_on = threading.Event(), threading.Event()

    def change() -> None:
        with transaction.atomic():
            Ticket.objects.select_for_update().get(pk=breaching[0].pk)
            locked.set()
            go_on.wait(30)
        connections.close_all()

    other = threading.Thread(target=change)
    other.start()
    try:
        assert locked.wait(30)
        due_clocks.fire(at=at + 9 * HOUR)
        assert Clock.objects.filter(is_breached=True).count() == 59
    finally:
        go_on.set()
        other.join()
    assert due_clocks.fire(at=at + 9 * HOUR) == 1
