"""Print what each connector can do: run its conformance tests, and count them by capability.

manage.py connector_matrix                              run the tests and print the table
manage.py connector_matrix --write docs/connectors.md   also write it into the page, between its marks
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # reads only our own report, which pytest has just written

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from connectors.engine.registry import connectors_by_slug
from connectors.kit import quality
from connectors.kit.quality import Quality

BEGIN, END = "<!-- matrix -->", "<!-- end of matrix -->"
Outcomes = Mapping[str, Counter[str]]
"""How often each test passed, failed or was skipped, over its parameters, by name of the test."""


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", metavar="PAGE", help="the page whose table is replaced")

    def handle(self, *_args: Any, **options: Any) -> None:
        claims = {slug: quality.of(kind) for slug, kind in connectors_by_slug().items()}
        shown = {slug: _run(claim) for slug, claim in claims.items()}
        table = _table(claims, shown)
        self.stdout.write(table)
        if options["write"]:
            _write(Path(settings.BASE_DIR) / options["write"], table)
        failed = [slug for slug, outcomes in shown.items() if any(each["failed"] for each in outcomes.values())]
        if failed:
            raise CommandError(f"Tests of {', '.join(failed)} failed; see the ✗ above.")


def _run(claim: Quality) -> Outcomes:
    """Run a connector's tests in a separate process."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        tests = [claim.evidence, *claim.also.values()]
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *tests],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        outcomes = _read(report) if report.exists() else {}
        if not outcomes:
            last = (done.stdout + done.stderr).strip().splitlines()[-1:]
            raise CommandError(f"The tests of {claim.slug} could not be run (make test installs pytest): {last}")
        return outcomes


def _read(report: Path) -> Outcomes:
    found: dict[str, Counter[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314
        outcome = "passed"
        if case.find("failure") is not None or case.find("error") is not None:
            outcome = "failed"
        elif case.find("skipped") is not None:
            outcome = "skipped"
        found.setdefault(str(case.get("name")).partition("[")[0], Counter())[outcome] += 1
    return found


def _table(claims: Mapping[str, Quality], shown: Mapping[str, Outcomes]) -> str:
    from connectors.kit.conformance import Conformance  # needs pytest, which only this command needs

    lines = [
        f"| capability | {' | '.join(claims)} |",
        f"|---|{'---|' * len(claims)}",
    ]
    for capability, tests in Conformance.capabilities().items():
        cells = [_cell(tests, shown[slug]) if claim.suite else "–" for slug, claim in claims.items()]
        lines.append(f"| {capability} | {' | '.join(cells)} |")
    for slug, claim in claims.items():
        for what, test in claim.also.items():
            name = test.rpartition("::")[2]
            cells = [_cell([name], shown[slug], skipped="not run here") if each == slug else "" for each in claims]
            lines.append(f"| {what} | {' | '.join(cells)} |")
    lines += ["", "✓ with the number of tests that show it; – if the vendor's system cannot do it:"]
    lines += [f"* {slug}, {name}: {why}." for slug, claim in claims.items() for name, why in claim.cannot.items()]
    return "\n".join(lines)


def _cell(tests: list[str], outcomes: Outcomes, skipped: str = "–") -> str:
    total: Counter[str] = Counter()
    for name in tests:
        total += outcomes.get(name, Counter({"failed": 1}))
    if total["failed"]:
        return f"✗ {total['failed']} of {total.total()}"
    return f"✓ {total['passed']}" if total["passed"] else skipped


def _write(page: Path, table: str) -> None:
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
