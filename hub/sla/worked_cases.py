"""Check files of worked cases against the product's own calendars and clocks.

There are two formats: clock cases (calendars, clocks, events, expected states; in minutes) and calendar
calculations (``between``, ``add``, ``sub``, ``due``; in seconds). The format is recognised by the keys of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from . import clocks
from .calendars import Calendar, CalendarSpec
from .clock_rules import ClockRule, Occurrence, OnChange
from .clock_states import ClockState

MINUTE = 60


@dataclass
class Outcome:
    """The number of states compared, all differences, and the calculations on which other tools disagree."""

    compared: int = 0
    differences: list[str] = field(default_factory=list)
    contested: list[str] = field(default_factory=list)


def run(document: Mapping[str, Any]) -> Outcome:
    """Compare every case of the document. Raises KeyError or ValueError for a file in neither format."""
    known_only("the file", document, _OF_A_FILE)
    cases = document["cases"]
    is_sums = any("op" in case for case in cases)
    return _run_sums(document) if is_sums else _run_clocks(cases)


_OF_A_FILE = "format oracle tzdata unit semantics about calendars cases"
_OF_A_SUM = "id source calendar op start end seconds pauses expect contested note"
_OF_A_CASE = "id name note calendars clocks events checks"
_OF_A_CALENDAR = "tz weekly week holidays exceptions overrides"
_OF_A_CLOCK = (
    "id calendar goal start_on stop_on resume_on continue_on restart_on pause_status holders calendar_by_priority "
    "on_change repeat thresholds"
)
_OF_AN_EVENT = "at type to by holder priority status clock seq received_at"


def known_only(what: str, raw: Mapping[str, Any], keys: str) -> None:
    """Raise ValueError for unknown keys, so that no part of a file is ignored."""
    unknown = sorted(set(raw) - set(keys.split()))
    if unknown:
        raise ValueError(f"{what} has unknown keys: {', '.join(unknown)}. Use {keys}.")


def read_calendar(raw: Mapping[str, Any], name: str = "") -> Calendar:
    known_only(f"calendar {name}".strip(), raw, _OF_A_CALENDAR)
    return Calendar(
        CalendarSpec.parse(
            zone=raw["tz"],
            weekly=raw.get("weekly", raw.get("week", {})),
            holidays=raw.get("holidays", ()),
            exceptions=raw.get("exceptions", raw.get("overrides", {})),
        )
    )


def read_instant(text: str) -> int:
    """``2026-03-16T08:30Z`` as Unix seconds. Raises ValueError for an instant without a zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no zone: write Z or an offset.")
    return int(at.timestamp())


def write_instant(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _run_sums(document: Mapping[str, Any]) -> Outcome:
    outcome = Outcome()
    calendars = {name: read_calendar(raw, name) for name, raw in document["calendars"].items()}
    for case in document["cases"]:
        known_only(f"sum {case.get('id', '')}", case, _OF_A_SUM)
        got, expected = _sum(calendars[case["calendar"]], case)
        outcome.compared += 1
        if got == expected:
            continue
        line = f"{case['id']}: {case['op']} gave {got!r}, expected {expected!r}"
        if "contested" in case:
            outcome.contested.append(f"{line} (other tools disagree: {case['contested']})")
        else:
            outcome.differences.append(line)
    return outcome


def _sum(calendar: Calendar, case: Mapping[str, Any]) -> tuple[Any, Any]:
    start = read_instant(case["start"])
    pauses = [(read_instant(from_at), read_instant(to)) for from_at, to in case.get("pauses", ())]
    if case["op"] == "between":
        end = read_instant(case["end"])
        if not pauses:
            return calendar.elapsed(start, end), int(case["expect"])
        counted = sum(calendar.elapsed(*each) for each in _counting(start, end, pauses))
        return counted, int(case["expect"])
    amount = int(case["seconds"])
    if case["op"] == "sub":
        if pauses:
            raise ValueError(f"sum {case['id']}: pauses are only supported for due, add and between.")
        found = calendar.subtract(start, amount)
    elif case["op"] in ("add", "due"):
        found = _used_up(calendar, start, amount, pauses)
    else:
        raise ValueError(f"sum {case['id']}: unknown op {case['op']!r}; use between, add, due or sub.")
    return write_instant(found), write_instant(read_instant(case["expect"]))


def _counting(start: int, end: int, pauses: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of [start, end) without a pause; pauses may overlap."""
    found: list[tuple[int, int]] = []
    for from_at, to in sorted(pauses):
        if start < min(from_at, end):
            found.append((start, min(from_at, end)))
        start = max(start, to)
    return [*found, (start, end)] if start < end else found


def _used_up(calendar: Calendar, start: int, amount: int, pauses: list[tuple[int, int]]) -> int | None:
    """The instant at which so many seconds have counted, leaving out the pauses."""
    last = max([start, *(to for _from_at, to in pauses)])
    for from_at, to in _counting(start, last, pauses):
        counted = calendar.elapsed(from_at, to)
        if counted >= amount:
            return calendar.add(from_at, amount)
        amount -= counted
    return calendar.add(last, amount)


def _run_clocks(cases: list[Mapping[str, Any]]) -> Outcome:
    outcome = Outcome()
    for case in cases:
        known_only(f"case {case.get('id', '')}", case, _OF_A_CASE)
        calendars = {name: read_calendar(raw, name) for name, raw in case["calendars"].items()}
        rules = [read_rule(raw) for raw in case["clocks"]]
        occurrences = [read_occurrence(raw, index) for index, raw in enumerate(case["events"])]
        for check in case["checks"]:
            known_only(f"a check of case {case['id']}", check, "as_of expected")
            states = clocks.fold_all(rules, occurrences, as_of=read_instant(check["as_of"]), calendars=calendars)
            for clock_id, expected in check["expected"].items():
                outcome.compared += 1
                got = write_state(states[clock_id])
                known_only(f"what case {case['id']} expects of {clock_id}", expected, " ".join(got))
                outcome.differences += [
                    f"{case['id']} {check['as_of']} {clock_id}.{key}: got {got.get(key)!r}, expected {_norm(wanted)!r}"
                    for key, wanted in expected.items()
                    if got.get(key) != _norm(wanted)
                ]
    return outcome


def read_rule(raw: Mapping[str, Any]) -> ClockRule:
    def keys(name: str) -> frozenset[str]:
        return frozenset(raw.get(name, ()))

    known_only(f"clock {raw.get('id', '')}", raw, _OF_A_CLOCK)
    return ClockRule(
        id=raw["id"],
        calendar=raw["calendar"],
        goals={p: None if goal is None else goal * MINUTE for p, goal in raw["goal"].items()},
        start_on=keys("start_on"),
        stop_on=keys("stop_on"),
        resume_on=keys("resume_on"),
        continue_on=keys("continue_on"),
        restart_on=keys("restart_on"),
        pause_on=keys("pause_status"),
        holders=None if raw.get("holders") is None else frozenset(raw["holders"]),
        calendar_by_priority=raw.get("calendar_by_priority", {}),
        on_change=OnChange(raw.get("on_change", "carry")),
        repeats=raw.get("repeat", False),
        levels=tuple(raw.get("thresholds", ())),
    )


def read_occurrence(raw: Mapping[str, Any], position: int) -> Occurrence:
    known_only(f"event {position}", raw, _OF_AN_EVENT)
    kind, to = raw["type"], raw.get("to")
    holder = to if kind == "handoff" else raw.get("holder")
    return Occurrence(
        at=read_instant(raw["at"]),
        seq=raw.get("seq", position),
        type=kind,
        qualifier=to or raw.get("by") or "",
        status=to if kind == "status" else raw.get("status"),
        priority=to if kind == "priority" else raw.get("priority"),
        holders=None if holder is None else frozenset([holder]),
        calendar=to if kind == "calendar" else None,
        clock=raw.get("clock"),
    )


def write_state(state: ClockState) -> dict[str, Any]:
    """A state in the form of the case files: minutes, and instants as text."""
    return {
        "state": state.state.value,
        "cycle": state.cycle,
        "revision": state.revision,
        "priority": state.priority,
        "elapsed_min": state.elapsed / MINUTE,
        "goal_min": None if state.goal is None else state.goal / MINUTE,
        "remaining_min": None if state.remaining is None else state.remaining / MINUTE,
        "breached": state.breached,
        "breaches": [
            {
                "cycle": breach.cycle,
                "revision": breach.revision,
                "at": write_instant(breach.at),
                "cause": breach.cause,
                "goal_min": breach.goal / MINUTE,
            }
            for breach in state.breaches
        ],
        "previous_cycles": [
            {
                "cycle": cycle.cycle,
                "elapsed_min": cycle.elapsed / MINUTE,
                "goal_min": None if cycle.goal is None else cycle.goal / MINUTE,
                "breached": cycle.breached,
                "ended_at": write_instant(cycle.ended_at),
            }
            for cycle in state.previous_cycles
        ],
        "due_at": write_instant(state.due_at),
        "projected_due_at": write_instant(state.projected_due_at),
        "breach_at": write_instant(state.breach_at),
        "thresholds": {str(level): write_instant(at) for level, at in state.levels.items()},
    }


def _norm(value: Any) -> Any:
    """An expected value with its instants in the form of `write_instant`."""
    if isinstance(value, dict):
        return {key: _norm(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_norm(inner) for inner in value]
    if isinstance(value, str) and len(value) >= 17 and value[10] == "T":
        return write_instant(read_instant(value))
    return value
