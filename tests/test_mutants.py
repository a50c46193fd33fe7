"""The breaks of the laws that `make mutants` makes still fit the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.breaks import BREAKS, Break

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("one", BREAKS, ids=[one.name for one in BREAKS])
def test_each_break_can_be_made_and_its_tests_are_there(one: Break) -> None:
    text = (ROOT / one.file).read_text()

    assert text.count(one.old) == 1
    compile(text.replace(one.old, one.new), one.file, "exec")
    for name in one.tests:
        path, _, test = name.partition("::")
        assert f"def {test}" in (ROOT / path).read_text()


def test_no_break_is_named_twice() -> None:
    assert len({one.name for one in BREAKS}) == len(BREAKS)
