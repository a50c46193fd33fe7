"""Clock folds: all clocks of a ticket from its events, compared with a plain loop over the same events."""

from __future__ import annotations

import random

from hub.sla.calendars import Calendar, CalendarSpec
from hub.sla.clock_rules import ClockRule, Occurrence
from hub.sla.clocks import fold_all
from tests.bench.__main__ import Measured, measure
from tests.factories import OFFICE

TICKETS = 2000
CALENDARS = {
    "business": Calendar(CalendarSpec.parse(zone="Europe/Berlin", weekly=OFFICE)),
    "vendor": Calendar(CalendarSpec.parse(zone="America/New_York", weekly=OFFICE)),
}
GOALS = {"P1": 14_400, "P2": 28_800, "P3": 86_400}
RULES = [
    ClockRule(
        id="resolve",
        calendar="business",
        goals=GOALS,
        start_on=frozenset({"create"}),
        stop_on=frozenset({"resolve"}),
        resume_on=frozenset({"reopen"}),
        pause_on=frozenset({"waiting_requester"}),
    ),
    ClockRule(
        id="first response",
        calendar="business",
        goals=GOALS,
        start_on=frozenset({"create"}),
        stop_on=frozenset({"first_response", "resolve"}),
    ),
    ClockRule(
        id="vendor",
        calendar="vendor",
        goals=GOALS,
        start_on=frozenset({"handoff:vendor"}),
        stop_on=frozenset({"resolve"}),
        pause_on=frozenset({"waiting_requester"}),
        holders=frozenset({"vendor"}),
    ),
]


def entry() -> Measured:
    rng = random.Random(7)
    tickets = [_events(rng) for _ in range(TICKETS)]

    def hub() -> int:
        for events in tickets:
            fold_all(RULES, events, as_of=events[-1].at + 3600, calendars=CALENDARS)
        return TICKETS

    def floor() -> int:
        for events in tickets:
            for _rule in RULES:
                total, before = 0, events[0].at
                for event in sorted(events):
                    total += event.at - before
                    before = event.at
        return TICKETS

    return measure("clock folds: tickets with 3 clocks and 9 events", hub, "a loop over the same events", floor)


def _events(rng: random.Random) -> list[Occurrence]:
    at = 1_773_640_000 + rng.randrange(30 * 86_400)
    steps: list[tuple[str, str, dict[str, object]]] = [
        ("create", "", {"priority": rng.choice(list(GOALS)), "holders": frozenset({"us"})}),
        ("first_response", "us", {}),
        ("handoff", "vendor", {"holders": frozenset({"vendor"})}),
        ("status", "waiting_requester", {"status": "waiting_requester"}),
        ("status", "open", {"status": "open"}),
        ("priority", "P2", {"priority": "P2"}),
        ("resolve", "", {}),
        ("reopen", "", {}),
        ("resolve", "", {}),
    ]
    events = []
    for seq, (kind, qualifier, more) in enumerate(steps):
        events.append(Occurrence(at, seq, kind, qualifier, **more))  # type: ignore[arg-type]
        at += rng.randrange(60, 40_000)
    return events
