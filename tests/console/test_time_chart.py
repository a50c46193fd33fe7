"""Clocks and ledger as a drawing, and a clock explained line by line."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.utils import timezone

from console.rows import clock_steps, time_chart
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.domain.clock_explanation import explain
from hub.models import Clock, Contract, Organisation, Ticket
from hub.queries import tickets as questions
from tests import factories
from tests.console.test_pages import log_in
from workflows.lifecycle import transitions

pytestmark = pytest.mark.django_db

HOUR = 3600


@pytest.fixture
def ticket(us: Organisation, agent: Actor, at: datetime) -> Ticket:
    """Opened on a Monday at `at`; two hours of work, three of waiting, and work again."""
    service = factories.ServiceFactory(name="Mail")
    factories.contract(us, kind=Contract.Kind.SLA, service=service, goals={"resolve": {"P3": 4 * HOUR}})
    made = tickets.open_ticket(title="Mail is slow", service=service, actor=agent, at=at)
    asked = at + timedelta(hours=2)
    messages.say(ticket=made, body="Since when?", is_for_requester=True, actor=agent, at=asked)
    for hours, name in ((2, "wait"), (5, "activate")):
        transitions.move(ticket=made, name=name, actor=agent, at=at + timedelta(hours=hours))
    return Ticket.objects.get()


def clock_of(ticket: Ticket) -> Clock:
    return Clock.objects.select_related("contract__calendar", "calendar", "party", "ticket").get(
        ticket=ticket, target="resolve"
    )


def test_the_lines_add_up_to_the_time_used(ticket: Ticket, at: datetime) -> None:
    clock = clock_of(ticket)
    found = explain(clock, at=at + timedelta(hours=6))
    assert found is not None
    assert [(step.state, step.counted, step.left_out, step.total) for step in found.steps] == [
        ("active", 2 * HOUR, 0, 2 * HOUR),
        ("paused", 0, 3 * HOUR, 2 * HOUR),
        ("active", HOUR, 0, 3 * HOUR),
    ]
    assert found.used == 3 * HOUR == questions.badge(clock, at=at + timedelta(hours=6)).used
    assert found.steps[-1].until_at is None


def test_the_page_says_why_and_when_the_goal_is_reached(
    us: Organisation, ticket: Ticket, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = at + timedelta(hours=6)
    for module in ("console.views.clock_page", "console.views.ticket_page"):
        monkeypatch.setattr(f"{module}.now", lambda: later)
    client, url = log_in(factories.member("auditor", us)), f"{ticket.get_absolute_url()}clocks/{clock_of(ticket).pk}/"
    page = " ".join(unescape(re.sub(r"<[^>]+>", " ", client.get(url).content.decode())).split())
    assert "message to the requester; waiting for the requester 3 h 2 h" in page
    assert "Used 3 h Goal for P3 4 h Left 1 h" in page
    assert "If the clock keeps running, it is due on" in page
    assert client.get(f"{ticket.get_absolute_url()}clocks/999/").status_code == 404
    vendor = log_in(factories.member("vendor", factories.OrganisationFactory()))
    assert vendor.get(url).status_code == 404


def test_the_drawing_has_a_lane_for_the_ledger_and_each_clock(ticket: Ticket, at: datetime) -> None:
    later = at + timedelta(hours=6)
    segments = list(ticket.ledger.select_related("charged_to").order_by("from_at"))
    drawn = time_chart.chart(segments, questions.badges(ticket, at=later), is_open=True, at=later)
    assert drawn is not None
    ledger, clock = drawn.lanes
    assert [bar.css.split()[0] for bar in clock.bars] == ["is-counted", "is-paused", "is-counted"]
    assert [bar.css for bar in clock.marks] == ["is-due"]
    widths = [bar.width for bar in clock.bars]
    assert widths[1] / widths[0] == pytest.approx(1.5, rel=0.01)
    assert sum(bar.width for bar in ledger.bars) == pytest.approx(sum(widths), abs=1)
    assert drawn.has_pauses
    assert 1 <= len(drawn.ticks) <= time_chart.MOST_STEPS


def test_the_drawing_of_a_breach_stays_within_its_frame(ticket: Ticket, at: datetime) -> None:
    later = at + timedelta(days=30)
    segments = list(ticket.ledger.select_related("charged_to").order_by("from_at"))
    drawn = time_chart.chart(segments, questions.badges(ticket, at=later), is_open=True, at=later)
    assert drawn is not None
    bars = [bar for lane in drawn.lanes for bar in lane.bars + lane.marks]
    assert all(bar.x >= time_chart.LABELS and bar.x + bar.width <= time_chart.WIDTH for bar in bars)
    assert len(bars) < 100


def test_a_day_with_a_change_of_the_clocks_has_sound_ticks(ticket: Ticket) -> None:
    with timezone.override("Europe/Berlin"):
        start = datetime(2026, 3, 28, 20, tzinfo=timezone.get_current_timezone())
        axis = time_chart._Axis(start, start + timedelta(hours=12))
        xs = [x for x, _label in axis.ticks()]
    assert xs == sorted(set(xs))
    assert len(xs) <= time_chart.MOST_STEPS


def test_a_calendar_in_words_joins_days_with_the_same_hours() -> None:
    weekly = {key: [["09:00", "12:00"], ["13:00", "17:00"]] for key in ("mon", "tue", "wed")} | {
        "sat": [["10:00", "12:00"]]
    }
    calendar = factories.CalendarFactory(weekly=weekly)
    assert clock_steps._in_words(calendar).days == [
        ("Monday–Wednesday", "09:00–12:00, 13:00–17:00"),
        ("Saturday", "10:00–12:00"),
    ]
