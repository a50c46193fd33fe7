"""Clocks as a fold: worked cases, and a count minute by minute that shares no code with it."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.sla import worked_cases
from hub.sla.calendars import Calendar, CalendarSpec
from hub.sla.clock_rules import ClockRule, Occurrence
from hub.sla.clock_states import Breach, State
from hub.sla.clocks import fold
from tests.factories import ALL_WEEK, OFFICE

ALWAYS = Calendar(CalendarSpec.parse(zone="UTC", weekly=ALL_WEEK))
OFFICE_HOURS = Calendar(CalendarSpec.parse(zone="UTC", weekly=OFFICE))
TABLES = {"always": ALWAYS, "office": OFFICE_HOURS}
MONDAY = worked_cases.read_instant("2026-03-16T00:00Z")


def rule(**more: object) -> ClockRule:
    return ClockRule(
        id="resolve",
        **{  # type: ignore[arg-type]
            "calendar": "always",
            "goals": {"P1": 600, "P2": 1200},
            "start_on": frozenset({"create"}),
            "stop_on": frozenset({"resolve"}),
            "resume_on": frozenset({"reopen"}),
            "pause_on": frozenset({"waiting"}),
        }
        | more,
    )


@pytest.mark.parametrize(
    ("name", "states"),
    [("clock-cases.json", 122), ("clock-cases-2.json", 28), ("peer-cases.json", 54), ("peer-cases-2.json", 6)],
)
def test_every_worked_case_comes_out(shared: Path, name: str, states: int) -> None:
    outcome = worked_cases.run(json.loads((shared / "sla" / name).read_text()))

    assert outcome.differences == []
    assert outcome.compared == states


def test_the_command_counts_states_and_shows_every_difference(tmp_path: Path) -> None:
    case = {
        "id": "X1",
        "calendars": {"c": {"tz": "UTC", "weekly": ALL_WEEK}},
        "clocks": [{"id": "t", "calendar": "c", "goal": {"P1": 10}, "start_on": ["create"]}],
        "events": [{"at": "2026-03-16T08:00Z", "type": "create", "priority": "P1"}],
        "checks": [{"as_of": "2026-03-16T08:05Z", "expected": {"t": {"elapsed_min": 4, "state": "active"}}}],
    }
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [case]}))
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("check_clocks", path, stdout=out)

    assert ended.value.code == 1
    assert out.getvalue().splitlines() == [
        "X1 2026-03-16T08:05Z t.elapsed_min: got 5.0, expected 4",
        "cases.json: 1 states compared, 1 differences.",
    ]


@pytest.mark.parametrize("content", ["", "[]", '{"cases": [{"op": "add"}]}', '{"cases": 3}', "\x00"])
def test_a_file_that_is_no_file_of_cases_is_said_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cases.json"
    path.write_text(content)

    with pytest.raises(CommandError) as refused:
        call_command("check_clocks", path)

    assert str(path) in str(refused.value)


def test_stopping_exactly_when_the_goal_is_used_up_is_met() -> None:
    at_nine = MONDAY + 9 * 3600
    events = [Occurrence(at_nine, 1, "create", priority="P1"), Occurrence(at_nine + 600, 2, "resolve")]

    state = fold(rule(), events, as_of=at_nine + 9000, calendars=TABLES)

    assert (state.state, state.elapsed, state.breached, state.breach_at) == (State.STOPPED, 600, False, None)


def test_a_goal_that_ends_at_closing_time_breaches_at_the_next_opening() -> None:
    ten_to_five = MONDAY + 17 * 3600 - 600
    events = [Occurrence(ten_to_five, 1, "create", priority="P1")]

    state = fold(rule(calendar="office"), events, as_of=MONDAY + 86_400 + 9 * 3600 + 1, calendars=TABLES)

    assert state.due_at == MONDAY + 17 * 3600
    assert state.breaches == (Breach(0, 0, MONDAY + 86_400 + 9 * 3600, "time", 600),)


def test_a_breach_is_never_dated_before_the_change_that_made_it() -> None:
    events = [
        Occurrence(MONDAY, 1, "create", priority="P2"),
        Occurrence(MONDAY + 900, 2, "priority", "P1", priority="P1"),
    ]

    state = fold(rule(), events, as_of=MONDAY + 901, calendars=TABLES)

    assert state.breaches == (Breach(0, 1, MONDAY + 900, "change", 600),)
    assert state.due_at == MONDAY + 600


def test_an_unknown_priority_is_measured_without_a_goal() -> None:
    state = fold(rule(), [Occurrence(MONDAY, 1, "create", priority="Blocker")], as_of=MONDAY + 99, calendars=TABLES)

    assert (state.elapsed, state.goal, state.due_at, state.breached) == (99, None, None, False)


def test_a_change_while_stopped_waits_for_the_reopen() -> None:
    events = [
        Occurrence(MONDAY, 1, "create", priority="P2"),
        Occurrence(MONDAY + 700, 2, "resolve"),
        Occurrence(MONDAY + 800, 3, "priority", "P1", priority="P1"),
        Occurrence(MONDAY + 900, 4, "reopen"),
    ]

    stopped = fold(rule(), events[:3], as_of=MONDAY + 850, calendars=TABLES)
    running = fold(rule(), events, as_of=MONDAY + 900, calendars=TABLES)

    assert (stopped.goal, stopped.breached) == (1200, False)
    assert (running.goal, running.breached, running.breach_at) == (600, True, MONDAY + 900)


happenings = st.lists(
    st.tuples(st.integers(0, 5000), st.sampled_from(["open", "waiting", "resolve", "reopen", "P1", "P2"])), max_size=14
)


@settings(max_examples=150, deadline=None)
@given(found=happenings, as_of=st.integers(0, 6000))
def test_the_fold_counts_what_a_second_by_second_walk_counts(found: list[tuple[int, str]], as_of: int) -> None:
    start = MONDAY + 16 * 3600
    events = [Occurrence(start, 0, "create", priority="P2")]
    for seq, (at, what) in enumerate(sorted(found), start=1):
        if what in ("open", "waiting"):
            events.append(Occurrence(start + at, seq, "status", what, status=what))
        elif what in ("P1", "P2"):
            events.append(Occurrence(start + at, seq, "priority", what, priority=what))
        else:
            events.append(Occurrence(start + at, seq, what))

    state = fold(rule(calendar="office"), events, as_of=start + as_of, calendars=TABLES)

    elapsed, waits, stopped = 0, False, False
    pending = list(events)
    for second in range(start, start + as_of):
        while pending and pending[0].at <= second:
            event = pending.pop(0)
            waits = event.status == "waiting" if event.status else waits and event.type != "resolve"
            stopped = {"resolve": True, "reopen": False}.get(event.type, stopped)
        elapsed += not waits and not stopped and OFFICE_HOURS.is_open(second)
    assert state.elapsed == elapsed
    assert sum(span.end - span.start for span in state.spans) == as_of


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (("cases", 0), "case x"),
        (("cases", 0, "clocks", 0), "clock c"),
        (("cases", 0, "events", 0), "event 0"),
        (("cases", 0, "calendars", "k"), "calendar k"),
        (("cases", 0, "checks", 0), "a check of case x"),
        (("cases", 0, "checks", 0, "expected", "c"), "what case x expects of c"),
        ((), "the file"),
    ],
)
def test_a_file_with_a_key_that_is_not_known_is_refused(place: tuple[str | int, ...], told: str) -> None:
    document: Any = {
        "cases": [
            {
                "id": "x",
                "calendars": {"k": {"tz": "UTC", "weekly": {}}},
                "clocks": [{"id": "c", "calendar": "k", "goal": {"P1": 60}, "start_on": ["create"]}],
                "events": [{"at": "2026-03-02T08:00Z", "type": "create", "priority": "P1"}],
                "checks": [{"as_of": "2026-03-02T09:00Z", "expected": {"c": {"state": "active"}}}],
            }
        ]
    }
    assert worked_cases.run(document).differences == []
    inner = document
    for step in place:
        inner = inner[step]
    inner["pauzes"] = []
    with pytest.raises(ValueError, match=f"{told} has unknown keys: pauzes"):
        worked_cases.run(document)
