"""Where the time and the statements of one change go: a vendor's hook, the reading of the change, the sending on.

    make profile                                 on SQLite
    DATABASE_URL=postgresql://… make profile     on PostgreSQL

Two simulated vendors work on one ticket. The first changes its record, in turns the title and a note. In every other
round the statements are counted, with the function that sends each; in the rounds between, which have nothing to count,
time is measured. Only the thread that runs a step counts, so that the simulators' own work is left out.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OURS = ("api", "connectors", "console", "hub", "worker", "workflows")


@dataclass
class Step:
    """What one step of a change took, over all rounds."""

    name: str
    statements: list[int] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)
    cpu_ms: list[float] = field(default_factory=list)
    database_ms: list[float] = field(default_factory=list)
    total_ms: list[float] = field(default_factory=list)


class Watch:
    """Counts the statements of a block, with what sent each."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.seconds = 0.0

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.seconds += time.perf_counter() - began
            self.sent.append((sql.split(None, 1)[0].upper(), _origin()))


def _origin() -> str:
    """The innermost function of ours that sent a statement."""
    for frame in reversed(traceback.extract_stack()[:-2]):
        path = Path(frame.filename)
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in OURS:
            return f"{path.relative_to(ROOT).with_suffix('')}:{frame.name}".replace("/", ".")
    return "elsewhere"


@contextmanager
def timed(step: Step) -> Iterator[None]:
    began, cpu = time.perf_counter(), time.thread_time()
    yield
    step.cpu_ms.append(1000 * (time.thread_time() - cpu))
    step.total_ms.append(1000 * (time.perf_counter() - began))


@contextmanager
def watched(step: Step) -> Iterator[None]:
    from django.db import connection

    watch = Watch()
    with connection.execute_wrapper(watch):
        yield
    step.database_ms.append(1000 * watch.seconds)
    step.statements.append(len(watch.sent))
    step.kinds.update(kind for kind, _origin in watch.sent)
    step.origins.update(f"{origin} ({kind})" for kind, origin in watch.sent)


def table(steps: list[Step], rounds: int, *, most: int) -> str:
    kinds = ["SELECT", "INSERT", "UPDATE", "DELETE", "SAVEPOINT"]
    lines = [
        f"| step | statements | {' | '.join(kinds)} | CPU ms | in the database, ms | in all, ms |",
        f"|---|---|{'---|' * len(kinds)}---|---|---|",
    ]
    for step in steps:
        each = [f"{step.kinds[kind] / rounds:.0f}" for kind in kinds]
        lines.append(
            f"| {step.name} | {statistics.median(step.statements):.0f} | {' | '.join(each)} "
            f"| {statistics.median(step.cpu_ms):.1f} | {statistics.median(step.database_ms):.1f} "
            f"| {statistics.median(step.total_ms):.1f} |"
        )
    for step in steps:
        lines += ["", f"**{step.name}**: who sends the statements", "", "| statements | sent by |", "|---|---|"]
        lines += [f"| {count / rounds:.1f} | `{origin}` |" for origin, count in step.origins.most_common(most)]
    return "\n".join(lines) + "\n"


def measure(rounds: int, contracts: int, *, most: int, functions: int) -> str:
    from tests.bench.vendors import TwoVendors

    with TwoVendors(contracts=contracts) as world:
        steps = {name: Step(name) for name in ("hook", "read: title", "send: title", "read: note", "send: note")}
        profiler = cProfile.Profile(time.thread_time)  # what this thread computes, without waiting for answers
        for number in range(-2, 2 * rounds):
            observed = timed if number % 2 else watched
            for what, change in (("title", world.change_title), ("note", world.add_note)):
                change(number)
                counted = steps if number >= 0 else {name: Step(name) for name in steps}  # the first rounds warm up
                body = world.news()
                with observed(counted["hook"]):
                    world.call(body)
                if number >= 0 and functions and observed is timed:
                    profiler.enable()
                with observed(counted[f"read: {what}"]):
                    world.read()
                with observed(counted[f"send: {what}"]):
                    world.send()
                profiler.disable()
        shown = table(list(steps.values()), rounds, most=most)
    if functions:
        stats = pstats.Stats(profiler, stream=sys.stderr)
        shown += "\n" + shares(stats)
        stats.sort_stats("cumulative").print_stats("(?:api|connectors|console|hub|worker|workflows)/", functions)
    return shown


KINDS = {
    "calls to the vendors' systems: requests, urllib3": [("connectors/kit/http.py", "_sent")],
    "sending statements: Django's cursor, the driver": [("db/backends/utils.py", "execute")],
    "writing statements: Django's querysets and compiler": [
        ("models/sql/compiler.py", "as_sql"),
        ("models/query.py", "_filter_or_exclude"),
    ],
    "rows into objects": [("hub/core/statements.py", "made")],
}
"""Functions, by file and name; what little they have in common counts twice."""


def shares(stats: pstats.Stats) -> str:
    """The part of the CPU time that each kind of work takes, as cProfile sees it."""
    times = {key: row[3] for key, row in stats.stats.items()}  # type: ignore[attr-defined]
    whole: float = stats.total_tt  # type: ignore[attr-defined]
    lines, rest = ["| kind of work | part of the CPU time |", "|---|---|"], 1.0
    for kind, functions in KINDS.items():
        found = sum(
            seconds
            for (file, _line, name), seconds in times.items()
            if any(file.endswith(end) and name == function for end, function in functions)
        )
        lines.append(f"| {kind} | {100 * found / whole:.0f} % |")
        rest -= found / whole
    return "\n".join([*lines, f"| everything else: the hub's own code | {100 * rest:.0f} % |"]) + "\n"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--contracts", type=int, default=250)
    parser.add_argument("--most", type=int, default=12, help="senders of statements per step")
    parser.add_argument("--functions", type=int, default=0, help="functions that take the most time, from cProfile")
    options = parser.parse_args()
    setup_test_environment()
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        sys.stdout.write(measure(options.rounds, options.contracts, most=options.most, functions=options.functions))
    finally:
        teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    main()
