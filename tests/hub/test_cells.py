"""Tables for others: no cell that a spreadsheet would run."""

from __future__ import annotations

import pytest

from hub import csv_escaping


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_begins_like_a_formula_is_text(beginning: str) -> None:
    assert csv_escaping.plain(f"{beginning}1+1") == f"'{beginning}1+1"


@pytest.mark.parametrize("value", ["", "a=b", " =1", "'=1", -5, 2.5, None, True])
def test_everything_else_stays_as_it_is(value: object) -> None:
    assert csv_escaping.plain(value) is value
