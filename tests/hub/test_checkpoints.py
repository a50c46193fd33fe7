"""Checkpoints: a long ticket is folded from where the last fold ended, with the same result as from its first event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from hub.domain import checkpoints, clock_rows, due_clocks, event_loader, ledger, messages, tickets
from hub.domain.actors import Actor
from hub.domain.checkpoints import CLOCKS, LEDGER
from hub.models import Checkpoint, Clock, LedgerSegment, Organisation, Span, Ticket, User
from tests import factories
from tests.hub.test_ledger import STEPS, _spans, _try
from workflows.handoffs import engagements, stages

GOALS = {"resolve": {"P1": 600, "P3": 3600}, "first_response": {"P3": 60}, "next_update": {"P3": 300}}


def assert_as_if_folded_from_the_beginning(ticket: Ticket) -> None:
    """The stored ledger, holder and clocks are those of all events."""
    ticket = Ticket.objects.get(pk=ticket.pk)
    assert ledger.verify(ticket) == []
    segments = list(LedgerSegment.objects.filter(ticket=ticket).order_by("from_at"))
    others = [each.until_at for each in segments if each.holder_id != segments[-1].holder_id]
    assert (ticket.holder_id, ticket.hold_reason) == (segments[-1].holder_id, segments[-1].reason)
    assert ticket.held_since == max(others, default=ticket.opened_at)
    before, spans = list(Clock.objects.filter(ticket=ticket).order_by("pk").values()), _spans(ticket)
    as_of = ticket.events.latest("seq").recorded_at
    clock_rows.refold(ticket, event_loader.load(ticket), as_of=as_of)
    after = list(Clock.objects.filter(ticket=ticket).order_by("pk").values())
    assert [_lasting(row) for row in after] == [_lasting(row) for row in before]
    assert _spans(ticket) == spans


def _lasting(row: dict[str, object]) -> dict[str, object]:
    """What holds whenever the row was written; a clock that does not count would be due later with every second."""
    moving = {"as_of", "used_seconds", "paused_seconds"}
    waits = row["state"] in (Clock.State.PAUSED, Clock.State.IDLE)
    return {
        name: value for name, value in row.items() if name not in moving | ({"projected_due_at"} if waits else set())
    }


@pytest.fixture
def short() -> Iterator[None]:
    """Checkpoints already on tickets of a few events."""
    with patch.object(checkpoints, "LONG", 4), patch.object(checkpoints, "NEWEST", 2):
        yield


class Laws(TestCase):
    """Whatever is done in whatever order, and whichever checkpoint is lost: the result is that of all events."""

    @example([("offer", 0, 0), ("work", 9, 3), ("ask", 5, 0), ("answer", 5, 0), ("ask", 500, 400), ("work", 9, 0)], 3)
    @example(
        [("offer", 0, 0), ("decline", 5, 0), ("offer", 0, 0), ("accept", 9, 8), ("done", 9, 0), ("ask", 1, 600)], 0
    )
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 5000), st.integers(0, 600)), max_size=16),
        st.integers(0, 16),
    )
    def test_a_fold_from_a_checkpoint_is_the_fold_of_all_events(
        self, steps: list[tuple[str, int, int]], lost: int
    ) -> None:
        at = datetime.fromisoformat("2026-03-16T09:00:00+00:00")
        ours, vendor = factories.UsFactory(), factories.OrganisationFactory()
        office = factories.CalendarFactory(weekly=factories.OFFICE)
        factories.contract(ours, goals=GOALS, pause_reasons=["waiting_requester", "contested"])
        factories.contract(
            vendor, kind="uc", calendar=office, on_return="restart", goals={"acknowledge": {"P3": 60}, **GOALS}
        )
        agent = Actor.person(User.objects.first() or factories.member("agent", ours), ours)
        with patch.object(checkpoints, "LONG", 3), patch.object(checkpoints, "NEWEST", 1):
            ticket = tickets.open_ticket(title="VPN", requester=factories.PersonFactory(), actor=agent, at=at)
            for number, (name, pause, late) in enumerate(steps):
                at += timedelta(seconds=pause)
                if number == lost:
                    Checkpoint.objects.filter(ticket=ticket, fold=LEDGER if lost % 2 else CLOCKS).delete()
                _try(name, ticket, vendor, agent, at, late)
            assert Checkpoint.objects.filter(ticket=ticket).exists() or ticket.events.count() <= 6
        assert_as_if_folded_from_the_beginning(ticket)


def _say(ticket: Ticket, actor: Actor, at: datetime, *, times: int = 1, minutes: int = 1) -> datetime:
    for number in range(times):
        at += timedelta(minutes=minutes)
        messages.say(ticket=ticket, body=f"Step {number}", is_for_requester=True, actor=actor, at=at)
    return at


@pytest.fixture
def ticket(us: Organisation, agent: Actor, at: datetime) -> Ticket:
    factories.contract(us, goals=GOALS)
    return tickets.open_ticket(title="VPN", requester=factories.PersonFactory(), actor=agent, at=at)


@pytest.mark.django_db
def test_an_older_event_is_folded_from_the_beginning(short: None, ticket: Ticket, agent: Actor, at: datetime) -> None:
    vendor = factories.OrganisationFactory()
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)
    now = _say(ticket, agent, at, times=12)
    end = Checkpoint.objects.get(ticket=ticket, fold=LEDGER).occurred_at
    assert end > at + timedelta(minutes=5)

    stages.accept(leg=leg, actor=Actor.vendor(vendor), at=now, occurred_at=at + timedelta(minutes=5))

    assert LedgerSegment.objects.filter(ticket=ticket, from_at=at + timedelta(minutes=5)).exists()
    assert_as_if_folded_from_the_beginning(ticket)


@pytest.mark.django_db
def test_a_checkpoint_is_used_and_its_loss_changes_nothing(
    short: None, ticket: Ticket, agent: Actor, at: datetime
) -> None:
    now = _say(ticket, agent, at, times=12)
    kept = Checkpoint.objects.get(ticket=ticket, fold=CLOCKS)
    kept.state["facts"]["priority"] = "P1"  # what no event says, to see whether the checkpoint is read
    kept.save()
    story = checkpoints.stories([Ticket.objects.get(pk=ticket.pk)])[ticket.pk]
    assert story.part(CLOCKS).saved == kept.state
    assert len(story.events) < 12

    Checkpoint.objects.all().delete()
    _say(ticket, agent, now)
    assert_as_if_folded_from_the_beginning(ticket)


@pytest.mark.django_db
def test_other_code_or_another_rule_starts_from_the_beginning(
    short: None, us: Organisation, ticket: Ticket, agent: Actor, at: datetime
) -> None:
    now = _say(ticket, agent, at, times=12)
    Checkpoint.objects.update(rules="of an earlier release")
    assert checkpoints.stories([Ticket.objects.get(pk=ticket.pk)])[ticket.pk].part(LEDGER).saved is None

    vendor = factories.OrganisationFactory()
    factories.contract(vendor, kind="uc", goals=GOALS)
    now = _say(ticket, agent, now)
    factories.contract(vendor, kind="ola", goals={"acknowledge": {"P3": 60}})
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now)
    stages.accept(leg=leg, actor=agent, at=now + timedelta(minutes=3))
    assert Clock.objects.filter(ticket=ticket, party=vendor).count() > 1
    assert_as_if_folded_from_the_beginning(Ticket.objects.get(pk=ticket.pk))


@pytest.mark.django_db
def test_breaches_of_long_tickets_are_stored_from_their_checkpoints(
    short: None, ticket: Ticket, agent: Actor, at: datetime
) -> None:
    _say(ticket, agent, at, times=12)
    late = at + timedelta(hours=3)
    with CaptureQueriesContext(connection) as captured:
        assert due_clocks.fire(at=late) == 1
    assert Clock.objects.get(ticket=ticket, target="resolve").is_breached
    assert any("hub_checkpoint" in query["sql"] for query in captured.captured_queries)
    assert Span.objects.filter(clock__ticket=ticket).exists()


@pytest.mark.django_db
def test_what_a_message_reads_does_not_grow_with_the_ticket(ticket: Ticket, agent: Actor, at: datetime) -> None:
    now = _say(ticket, agent, at, times=70)
    counts, loaded = [], []
    for _ in range(2):
        story = checkpoints.stories([Ticket.objects.get(pk=ticket.pk)])[ticket.pk]
        loaded.append(len(story.events))
        with CaptureQueriesContext(connection) as captured:
            now = _say(ticket, agent, now)
        counts.append(len(captured))
        now = _say(ticket, agent, now, times=150)
    assert counts[0] == counts[1]
    assert max(loaded) <= checkpoints.LONG
