"""The picture of the house is drawn from its imports, and says so where they go up or form a cycle."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))

import draw_house  # noqa: E402


def test_the_house_has_no_circle_and_no_arrow_upward() -> None:
    assert draw_house.wrong(draw_house.rooms()) == []


def test_the_pictures_are_those_of_the_imports() -> None:
    found = draw_house.rooms()
    for theme, colours in draw_house.COLOURS.items():
        drawn = (ROOT / "docs" / "images" / f"house-{theme}.svg").read_text()
        assert drawn == draw_house.drawing(found, colours), "Run `make house`."


def test_an_import_that_goes_up_and_a_circle_are_named() -> None:
    found = {
        "hub.models": {"workflows.rules"},
        "workflows.rules": {"workflows.handoffs"},
        "workflows.handoffs": {"workflows.rules"},
    }
    assert draw_house.wrong(found) == [
        "hub.models imports workflows.rules, which lies above it",
        "a cycle: workflows.rules -> workflows.handoffs -> workflows.rules",
    ]
