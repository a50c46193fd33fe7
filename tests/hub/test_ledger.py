"""Who has the ball, and who every second is charged to."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from connectors.models import Connection
from hub.domain import clock_rows, event_loader, ledger, messages, tickets
from hub.domain.actors import Actor
from hub.models import Clock, LedgerSegment, Organisation, Span, Ticket, User, WaitsOn
from tests import factories
from workflows.handoffs import comments, engagements, stages, vendor_status
from workflows.handoffs import transitions as handoff_transitions
from workflows.lifecycle import transitions


def charges(ticket: Ticket) -> list[tuple[int, str, str, str]]:
    """(minute of the ticket, holder, charge, reason) of every segment."""
    return [
        (int((s.from_at - ticket.opened_at).total_seconds()) // 60, s.holder.name, s.charge, s.reason)
        for s in LedgerSegment.objects.filter(ticket=ticket).select_related("holder").order_by("from_at")
    ]


@pytest.mark.django_db
def test_the_ball_travels_and_every_stretch_is_charged(us: Organisation, agent: Actor, at: datetime) -> None:
    vendor = factories.OrganisationFactory(name="Hostwerk")
    asker = factories.PersonFactory(organisation__name="Finance")
    them = Actor.vendor(vendor, "Hugo")

    def after(minutes: int) -> datetime:
        return at + timedelta(minutes=minutes)

    ticket = tickets.open_ticket(title="VPN", requester=asker, actor=agent, at=at)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=after(10))
    leg = stages.start(leg=stages.accept(leg=leg, actor=them, at=after(20)), actor=them, at=after(20))
    messages.say(ticket=ticket, body="Which one?", is_for_requester=True, actor=them, at=after(30))
    leg = stages.wait(leg=leg, waits_on=WaitsOn.REQUESTER, actor=them, at=after(30))
    comments.requester_says(ticket=ticket, requester=asker, body="That one", actor=agent, at=after(50))
    leg = stages.wait(leg=leg, waits_on=WaitsOn.US, reason="access", actor=them, at=after(60))
    leg = stages.resume(leg=leg, actor=agent, at=after(70))
    stages.finish(leg=leg, actor=them, at=after(80))
    transitions.move(ticket=ticket, name="resolve", actor=agent, at=after(90))

    assert charges(ticket) == [
        (0, us.name, "holder", "to_assign"),
        (10, "Hostwerk", "holder", "to_accept"),
        (20, "Hostwerk", "holder", "working"),
        (30, "Finance", "requester", "waiting_requester"),
        (50, "Hostwerk", "holder", "working"),
        (60, us.name, "holder", "waiting_us"),
        (70, "Hostwerk", "holder", "working"),
        (80, us.name, "holder", "to_verify"),
        (90, us.name, "nobody", "resolved"),
    ]
    assert ledger.verify(Ticket.objects.get(pk=ticket.pk)) == []


@pytest.mark.django_db
def test_who_waits_for_the_requester_without_asking_is_charged_itself(agent: Actor, at: datetime) -> None:
    vendor = factories.OrganisationFactory(name="Hostwerk")
    ticket = tickets.open_ticket(title="VPN", requester=factories.PersonFactory(), actor=agent, at=at)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)
    leg = stages.start(leg=stages.accept(leg=leg, actor=agent, at=at), actor=agent, at=at)

    stages.wait(leg=leg, waits_on=WaitsOn.REQUESTER, actor=agent, at=at + timedelta(minutes=5))

    assert charges(ticket)[-1] == (5, "Hostwerk", "holder", "waiting_unasked")


@pytest.mark.django_db
def test_the_time_until_we_learn_of_it_is_charged_to_the_hub(us: Organisation, agent: Actor, at: datetime) -> None:
    vendor = factories.OrganisationFactory(name="Hostwerk")
    them = Actor.vendor(vendor)
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at)
    leg = engagements.begin_there(ticket=ticket, organisation=vendor, actor=them, at=at)

    stages.finish(leg=leg, actor=them, at=at + timedelta(minutes=30), occurred_at=at + timedelta(minutes=20))

    assert charges(ticket) == [
        (0, "Hostwerk", "holder", "working"),
        (20, us.name, "hub", "transport"),
        (30, us.name, "holder", "to_verify"),
    ]


@pytest.mark.django_db
def test_what_has_not_reached_them_is_charged_to_the_hub(
    us: Organisation, connection: Connection, agent: Actor, at: datetime
) -> None:
    """Before they have the offer, and after their acceptance where our word to go on has not arrived yet."""
    vendor = connection.organisation
    them = Actor.vendor(vendor)

    def after(minutes: int) -> datetime:
        return at + timedelta(minutes=minutes)

    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=after(10))
    leg = stages.confirm_delivery(leg=leg, actor=Actor.system("delivery"), at=after(15), key="T-77")
    leg = stages.start(leg=stages.accept(leg=leg, actor=them, at=after(20)), actor=them, at=after(20))
    leg.remote_number = "T-77"
    leg.save(update_fields=["remote_number"])
    leg = stages.wait(leg=leg, waits_on=WaitsOn.US, reason="access", actor=them, at=after(30))
    leg = stages.resume(leg=leg, actor=agent, at=after(40))
    stages.confirm_reached(leg=leg, actor=Actor.system("delivery"), at=after(45))

    assert charges(ticket) == [
        (0, us.name, "holder", "to_assign"),
        (10, us.name, "hub", "transport"),
        (15, vendor.name, "holder", "to_accept"),
        (20, vendor.name, "holder", "working"),
        (30, us.name, "holder", "waiting_us"),
        (40, us.name, "hub", "transport"),
        (45, vendor.name, "holder", "working"),
    ]


@pytest.mark.django_db
def test_waits_in_a_circle_end_at_the_owner(us: Organisation, agent: Actor, at: datetime) -> None:
    one, two = factories.OrganisationFactory(), factories.OrganisationFactory()
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at)
    lead = engagements.begin_there(ticket=ticket, organisation=one, actor=agent, at=at)
    other = engagements.offer(ticket=ticket, organisation=two, actor=agent, at=at, is_lead=False)
    other = stages.start(leg=stages.accept(leg=other, actor=agent, at=at), actor=agent, at=at)

    stages.wait(leg=lead, waits_on=WaitsOn.OTHER, organisation=two, actor=agent, at=at + timedelta(minutes=1))
    stages.wait(leg=other, waits_on=WaitsOn.OTHER, organisation=one, actor=agent, at=at + timedelta(minutes=2))

    assert charges(ticket)[-2:] == [
        (1, two.name, "holder", "awaited"),
        (2, us.name, "holder", "waiting_circle"),
    ]


@pytest.mark.django_db
def test_a_tampered_ledger_is_found(agent: Actor, at: datetime) -> None:
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at)
    LedgerSegment.objects.filter(ticket=ticket).update(from_at=at + timedelta(minutes=1))
    out = StringIO()

    with pytest.raises(SystemExit):
        call_command("verify_ledger", stdout=out)

    assert f"{ticket.label}: 2026-03-16 09:00:00: gap until" in out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["charge", "charged_to", "holder", "reason"])
def test_a_ledger_that_sums_but_says_something_else_than_the_events_is_found(
    us: Organisation, agent: Actor, at: datetime, change: str
) -> None:
    """Every second is there once, so that only folding the events again shows it."""
    other = factories.OrganisationFactory()
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at)
    changes: dict[str, object] = {
        "charge": {"charge": "nobody", "charged_to": None},
        "charged_to": {"charged_to": other},
        "holder": {"holder": other},
        "reason": {"reason": "working"},
    }[change]  # type: ignore[assignment]
    LedgerSegment.objects.filter(ticket=ticket).update(**changes)
    out = StringIO()

    with pytest.raises(SystemExit):
        call_command("verify_ledger", stdout=out)

    assert f"{ticket.label}: the segments do not match the events" in out.getvalue()
    assert ledger.verify(Ticket.objects.get(pk=ticket.pk)) == ["the segments do not match the events"]


STEPS = [
    "offer",
    "parallel",
    "accept",
    "work",
    "wait_us",
    "wait_requester",
    "resume",
    "done",
    "return",
    "decline",
    "recall",
    "reopen_leg",
    "resolve",
    "close",
    "reopen",
    "ask",
    "answer",
    "priority",
]


class Laws(TestCase):
    """Whatever is done in whatever order: the ledger sums, and folding again changes nothing."""

    @example([("offer", 0, 0), ("wait_us", 0, 0), ("parallel", 1, 0)])
    @example([("offer", 0, 0), ("return", 0, 0), ("parallel", 1, 0)])
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 5000), st.integers(0, 600)), max_size=16))
    def test_every_second_has_one_holder_and_one_charge(self, steps: list[tuple[str, int, int]]) -> None:
        at = datetime.fromisoformat("2026-03-16T09:00:00+00:00")
        ours = factories.UsFactory()
        office = factories.CalendarFactory(weekly=factories.OFFICE)
        factories.contract(ours, goals={"resolve": {"P1": 600, "P3": 3600}, "first_response": {"P3": 60}})
        vendor = factories.OrganisationFactory()
        factories.contract(vendor, kind="uc", calendar=office, goals={"acknowledge": {"P3": 60}, "resolve": {"P3": 99}})
        agent = Actor.person(User.objects.first() or factories.member("agent", ours), ours)
        asker = factories.PersonFactory()
        ticket = tickets.open_ticket(title="VPN", requester=asker, actor=agent, at=at)

        for name, pause, late in steps:
            at += timedelta(seconds=pause)
            _try(name, ticket, vendor, agent, at, late)

        ticket = Ticket.objects.get(pk=ticket.pk)
        assert ledger.verify(ticket) == []
        before = list(Clock.objects.filter(ticket=ticket).order_by("pk").values())
        spans = _spans(ticket)
        clock_rows.refold(ticket, event_loader.load(ticket), as_of=ticket.events.latest("seq").recorded_at)
        after = list(Clock.objects.filter(ticket=ticket).order_by("pk").values())
        assert [_lasting(row) for row in after] == [_lasting(row) for row in before]
        assert _spans(ticket) == spans


def _spans(ticket: Ticket) -> list[object]:
    rows = Span.objects.filter(clock__ticket=ticket).order_by("clock", "from_at", "pk")
    return list(rows.values_list("clock", "state", "from_at", "until_at"))


def _lasting(row: dict[str, object]) -> dict[str, object]:
    """What holds whenever the row was written. The rest is as of `as_of`, also when a clock that waits would be due."""
    is_waiting = row["state"] in (Clock.State.PAUSED, Clock.State.IDLE)
    moving = {"as_of", "used_seconds", "paused_seconds"} | ({"projected_due_at"} if is_waiting else set())
    return {name: value for name, value in row.items() if name not in moving}


def _try(name: str, ticket: Ticket, vendor: Organisation, agent: Actor, at: datetime, late: int) -> None:
    ticket = Ticket.objects.get(pk=ticket.pk)
    leg = ticket.legs.order_by("-number").first()
    them = Actor.vendor(vendor)
    came = {"actor": them, "at": at, "occurred_at": at - timedelta(seconds=late)}
    try:
        if name == "offer":
            engagements.hand_over(ticket=ticket, organisation=vendor, actor=agent, at=at)
        elif name == "parallel":
            other = factories.OrganisationFactory()
            engagements.offer(ticket=ticket, organisation=other, is_lead=False, actor=agent, at=at)
        elif name == "ask":
            messages.say(ticket=ticket, body="?", is_for_requester=True, **came)
        elif name == "answer":
            comments.requester_says(
                ticket=ticket,
                requester=ticket.requester,
                body="!",
                actor=agent,
                at=at,  # type: ignore[arg-type]
            )
        elif name == "priority":
            tickets.set_priority(ticket=ticket, priority="P1", actor=agent, at=at)
        elif name in transitions.MOVES:
            transitions.move(ticket=ticket, name=name, actor=agent, at=at)
        elif leg is not None and name == "recall":
            engagements.recall(leg=leg, reason="", actor=agent, at=at)
        elif leg is not None and name == "reopen_leg":
            stages.reopen(leg=leg, **came)
        elif leg is not None and name == "resume":
            stages.resume(leg=leg, **came)
        elif leg is not None and name.startswith("wait_"):
            vendor_status.follow(leg=leg, verb="wait", waits_on=name.removeprefix("wait_"), **came)
        elif leg is not None:
            vendor_status.follow(leg=leg, verb=name, **came)
    except (handoff_transitions.HandoffRefused, transitions.MoveRefused, messages.NotSaid, tickets.NotEditable):
        pass
