"""Clocks: the time used of a target, as a pure fold of the events of one ticket.

A clock is (ticket, target, party, cycle). It is ``not_started | active | paused | idle | stopped``
and counts at an instant iff it is active and its calendar is open. Nothing is accumulated outside
the fold: to get the state, fold the events again. Elapsed time beyond the goal is a breach, dated
at the first counted instant beyond the goal, but never before the event that caused the breach.

Instants are whole Unix seconds (UTC), amounts whole seconds. Occurrences are sorted by
(``at``, ``seq``): by the time they happened, not by the time they were recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .calendars import Calendar
from .clock_rules import ClockRule, Occurrence
from .clock_runs import ClockRun
from .clock_states import ClockState


def fold(
    rule: ClockRule, occurrences: Iterable[Occurrence], *, as_of: int, calendars: Mapping[str, Calendar]
) -> ClockState:
    """The state of one clock at ``as_of``, from the occurrences up to then.

    >>> from .calendars import CalendarSpec
    >>> always = Calendar(CalendarSpec.parse(zone="UTC", weekly={d: [["00:00", "24:00"]] for d in
    ...     ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}))
    >>> rule = ClockRule(id="resolve", calendar="always", goals={"P1": 60},
    ...                  start_on=frozenset({"create"}), stop_on=frozenset({"resolve"}))
    >>> state = fold(rule, [Occurrence(1000, 1, "create", priority="P1")], as_of=1070, calendars={"always": always})
    >>> state.elapsed, state.due_at, state.breached, state.breach_at
    (70, 1060, True, 1060)
    """
    run = ClockRun(rule, calendars)
    run.take(occurrences, until=as_of)
    return run.report(as_of)


def fold_all(
    rules: Sequence[ClockRule], occurrences: Sequence[Occurrence], *, as_of: int, calendars: Mapping[str, Calendar]
) -> dict[str, ClockState]:
    """Every clock of one ticket by its id; ``occurrences`` may come in any order."""
    ordered = sorted(occurrences, key=lambda occurrence: (occurrence.at, occurrence.seq))
    return {rule.id: fold(rule, ordered, as_of=as_of, calendars=calendars) for rule in rules}
