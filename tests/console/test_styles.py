"""Style sheets: one rule a line, and no selector twice."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHEETS = sorted(
    sheet for app in ("console", "connectors", "workflows") for sheet in (ROOT / app / "static").rglob("*.css")
)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_a_line_has_one_rule(sheet: Path) -> None:
    assert [line for line in sheet.read_text().splitlines() if line.count("{") > 1] == []


def test_a_selector_is_defined_once_per_condition() -> None:
    found = Counter(place for sheet in SHEETS if "console" in sheet.parts[-3:] for place in _places(sheet.read_text()))

    assert [place for place, count in found.items() if count > 1 and place[1] != ":root"] == []


def _places(text: str) -> list[tuple[str, str]]:
    """Each rule as its media condition and its selector."""
    found, condition = [], ""
    for line in text.splitlines():
        if line.startswith("@"):
            condition = line
        elif line == "}":
            condition = ""
        elif match := re.match(r"\s*([^{/]+) \{", line):
            found.append((condition, match[1]))
    return found
