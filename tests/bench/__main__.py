"""Speed as ratios: the hub and a floor are measured alternately in one run, so that a noisy machine affects both.

    make bench                                  on SQLite
    DATABASE_URL=postgresql://… make bench      on PostgreSQL, where the floor of the import is COPY
    make bench ONLY=path                        the path of a change, on a PostgreSQL cluster of its own
    make bench ONLY=console                     the console over a million tickets, likewise

Writes var/bench/bench.json and var/bench/bench.md.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

ROUNDS = 7


@dataclass(frozen=True)
class Measured:
    """One entry: operations per second and CPU per operation of both sides, and their ratio with its range."""

    name: str
    floor: str
    operations: int
    hub_per_second: float
    floor_per_second: float
    hub_cpu_us: float
    floor_cpu_us: float
    ratio: float
    ratio_low: float
    ratio_high: float


@dataclass(frozen=True)
class Counted:
    """Something that is counted instead of timed, with its goal."""

    name: str
    value: str
    goal: str
    is_met: bool


Side = Callable[[], int]
"""Does the work once and returns the number of operations."""


def measure(
    name: str,
    hub: Side,
    floor_name: str,
    floor: Side,
    *,
    before: Callable[[], object] = lambda: None,
    between: Callable[[], object] = lambda: None,
    rounds: int = ROUNDS,
) -> Measured:
    """The hub's time as a multiple of the floor's in each round; the median and its range.

    Operations of about a tenth of a second need more rounds, because load from neighbours on a shared machine lasts as
    long.
    """
    hub_times, floor_times, ratios, hub_cpu, floor_cpu = [], [], [], [], []
    operations = 0
    for _ in range(rounds):
        before()
        took, cpu, operations = _time(hub)
        between()
        floor_took, floor_used, floor_operations = _time(floor)
        ratios.append((took / operations) / (floor_took / floor_operations))
        hub_times.append(took / operations)
        floor_times.append(floor_took / floor_operations)
        hub_cpu.append(cpu / operations)
        floor_cpu.append(floor_used / floor_operations)
    return Measured(
        name=name,
        floor=floor_name,
        operations=operations,
        hub_per_second=1 / statistics.median(hub_times),
        floor_per_second=1 / statistics.median(floor_times),
        hub_cpu_us=1e6 * statistics.median(hub_cpu),
        floor_cpu_us=1e6 * statistics.median(floor_cpu),
        ratio=statistics.median(ratios),
        ratio_low=min(ratios),
        ratio_high=max(ratios),
    )


def _time(side: Side) -> tuple[float, float, int]:
    began, cpu = time.perf_counter(), time.process_time()
    operations = side()
    return time.perf_counter() - began, time.process_time() - cpu, operations


def table(found: list[Measured], counted: list[Counted]) -> str:
    lines = [
        "| what | hub per second | floor | floor per second | times the floor (range) "
        "| CPU per operation (hub / floor) |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {m.name} | {m.hub_per_second:,.0f} | {m.floor} | {m.floor_per_second:,.0f} "
        f"| {m.ratio:.2f} ({m.ratio_low:.2f} to {m.ratio_high:.2f}) | {m.hub_cpu_us:,.0f} / {m.floor_cpu_us:,.0f} µs |"
        for m in found
    ]
    lines += ["", "| what is counted | found | goal |", "|---|---|---|"]
    lines += [f"| {c.name} | {c.value} | {c.goal}{'' if c.is_met else ': NOT MET'} |" for c in counted]
    return "\n".join(lines) + "\n"


def main() -> None:
    if sys.argv[1:] == ["console"]:
        from tests.bench import console

        sys.exit(console.main())
    if sys.argv[1:] == ["path"]:
        from tests.bench import path

        sys.exit(path.main())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.test.utils import setup_databases, teardown_databases

    from tests.bench import clocks, front, importing, mail, polling, rules

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        polls, counted = polling.entries()
        mails, growth = mail.entries()
        found = [clocks.entry(), importing.entry(), *polls, *mails, front.entry()]
        fired, asked = rules.entries()
        found += fired
        counted += [*growth, *asked]
    finally:
        teardown_databases(databases, verbosity=0)
    folder = Path(settings.BASE_DIR) / "var" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    vendor = settings.DATABASES["default"]["ENGINE"].rsplit(".", 1)[-1]
    report = {"database": vendor, "python": platform.python_version(), "entries": [asdict(m) for m in found]} | {
        "counted": [asdict(c) for c in counted]
    }
    (folder / "bench.json").write_text(json.dumps(report, indent=2) + "\n")
    (folder / "bench.md").write_text(table(found, counted))
    sys.stdout.write(f"On {vendor}, Python {platform.python_version()}, {ROUNDS} rounds:\n\n{table(found, counted)}")
    sys.stdout.write(f"\nWritten to {folder / 'bench.json'} and bench.md.\n")


if __name__ == "__main__":
    main()
