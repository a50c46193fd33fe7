"""What does not change is neither read nor written again, and nothing is lost by it (decision 37)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from hub.core import read_once
from hub.domain import ledger, messages, policies, tickets
from hub.domain.actors import Actor
from hub.domain.signals import disconnect, reacts
from hub.models import Clock, Event, FailedReceiver, Message, Organisation, Span, Target, Ticket
from hub.queries.clocks import seconds_used
from tests import factories
from workflows.handoffs import engagements, stages

pytestmark = pytest.mark.django_db

Connect = Callable[[str, Callable[[Event], None]], None]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect receivers for as long as the test runs."""
    names = []

    def connected(name: str, receiver: Callable[[Event], None]) -> None:
        reacts(receiver, name=name)
        names.append(name)

    yield connected
    for name in names:
        disconnect(name)


def write(event: Event) -> None:
    Message.objects.create(
        ticket=event.ticket,
        author_kind="system",
        author_organisation=event.ticket.owner,
        body="written",
        occurred_at=event.recorded_at,
        recorded_at=event.recorded_at,
    )


def savepoints(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return sum(query["sql"].startswith("SAVEPOINT") for query in captured.captured_queries)


def test_all_receivers_of_an_event_share_a_savepoint(agent: Actor, at: datetime, connect: Connect) -> None:
    few = savepoints(lambda: tickets.open_ticket(title="VPN down", actor=agent, at=at))
    for number in range(5):
        connect(f"receiver {number}", lambda event: None)

    assert savepoints(lambda: tickets.open_ticket(title="VPN down", actor=agent, at=at)) == few


def test_one_that_fails_is_called_once_and_the_others_have_their_effect_once(
    agent: Actor, at: datetime, connect: Connect
) -> None:
    failures = []

    def fail(event: Event) -> None:
        write(event)
        failures.append(event)
        raise RuntimeError("no luck")

    connect("before", write)
    connect("failing", fail)
    connect("after", write)

    ticket = tickets.open_ticket(title="VPN down", actor=agent, at=at)

    assert (ticket.messages.count(), len(failures)) == (2, 1)
    assert FailedReceiver.objects.get().receiver == "failing"


def test_one_that_suffers_from_another_in_the_database_gets_a_try_of_its_own(
    agent: Actor, at: datetime, connect: Connect
) -> None:
    tries = []

    def suffer(event: Event) -> None:
        tries.append(event)
        if len(tries) == 1:
            raise IntegrityError("what another receiver did is in the way")
        write(event)

    connect("suffering", suffer)
    connect("other", write)

    ticket = tickets.open_ticket(title="VPN down", actor=agent, at=at)

    assert (ticket.messages.count(), len(tries)) == (2, 2)
    assert not FailedReceiver.objects.exists()


@pytest.fixture
def ticket(us: Organisation, agent: Actor, at: datetime) -> Ticket:
    """With clocks that run, of us and of a vendor."""
    factories.contract(us, goals={"resolve": {"P3": 7200}, "first_response": {"P3": 600}})
    vendor = factories.OrganisationFactory()
    factories.contract(vendor, kind="uc", goals={"resolve": {"P3": 3600}})
    made = tickets.open_ticket(title="VPN", requester=factories.PersonFactory(), actor=agent, at=at)
    leg = engagements.offer(ticket=made, organisation=vendor, actor=agent, at=at)
    leg = stages.accept(leg=leg, actor=Actor.vendor(vendor), at=at)
    stages.start(leg=leg, actor=Actor.vendor(vendor), at=at)
    return Ticket.objects.get(pk=made.pk)


def test_a_change_that_moves_no_clock_writes_none(ticket: Ticket, agent: Actor, at: datetime) -> None:
    later = at + timedelta(minutes=5)
    before = list(Clock.objects.order_by("pk").values())

    with CaptureQueriesContext(connection) as captured:
        messages.say(ticket=ticket, body="Looking at it", actor=agent, at=later)

    writes = [query["sql"] for query in captured.captured_queries if not query["sql"].startswith("SELECT")]
    assert [sql for sql in writes if "hub_clock" in sql or "hub_span" in sql or "hub_ledgersegment" in sql] == []
    assert list(Clock.objects.order_by("pk").values()) == before
    assert all(seconds_used(clock, at=later) == 300 for clock in Clock.objects.all())


def test_of_a_clock_that_pauses_only_the_last_span_is_written(ticket: Ticket, at: datetime) -> None:
    leg = ticket.legs.get()
    clock = Clock.objects.get(party=leg.organisation, target=Target.Kind.RESOLVE)
    stages.wait(leg=leg, waits_on="us", actor=Actor.vendor(leg.organisation), at=at + timedelta(minutes=10))
    leg = ticket.legs.get()
    kept = Span.objects.filter(clock=clock).order_by("from_at").first()

    stages.resume(leg=leg, actor=Actor.vendor(leg.organisation), at=at + timedelta(minutes=20))

    spans = list(Span.objects.filter(clock=clock).order_by("from_at"))
    assert kept is not None
    assert [span.state for span in spans] == ["active", "paused", "active"]
    assert spans[0].pk == kept.pk
    clock.refresh_from_db()
    assert (clock.used_seconds, clock.paused_seconds) == (600, 600)
    assert ledger.verify(Ticket.objects.get()) == []


def test_a_new_version_counts_for_the_next_ticket_without_anything_being_forgotten(
    us: Organisation, agent: Actor, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that publishes cannot empty this one's memory; the key names the version."""
    contract = factories.contract(us, goals={"resolve": {"P3": 7200}})
    first = tickets.open_ticket(title="VPN", actor=agent, at=at)
    monkeypatch.setattr(read_once, "forget", lambda: None)

    draft = policies.new_contract_version(contract)
    Target.objects.filter(contract=draft).update(goal_seconds=3600)
    policies.publish_contract(draft)
    second = tickets.open_ticket(title="VPN", actor=agent, at=at)
    tickets.set_priority(ticket=first, priority="P3", actor=agent, at=at + timedelta(minutes=1))

    assert Clock.objects.get(ticket=second).goal_seconds == 3600
    assert Clock.objects.get(ticket=first).goal_seconds == 7200  # a running clock keeps its version


def test_what_is_read_once_is_read_again_for_other_arguments_and_never_keeps_an_error() -> None:
    asked: list[Any] = []

    @read_once.read_once(maxsize=2)
    def read(version: int) -> int:
        asked.append(version)
        if len(asked) == 1:
            raise LookupError
        return version

    with pytest.raises(LookupError):
        read(1)
    assert [read(1), read(1), read(2), read(1)] == [1, 1, 2, 1]
    assert asked == [1, 1, 2]
