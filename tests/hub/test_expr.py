"""Expressions: what is not there, and that the quick way means what the engine means."""

from __future__ import annotations

from typing import Any

import pytest

from hub.expr import BadExpression, Failed, expression

RECORDS: tuple[dict[str, Any], ...] = (
    {}, {"a": None}, {"a": {}}, {"a": {"b": 5}}, {"x": []}, {"x": [{"y": "z"}]}, {"x": [{"y": None}], "c": "last"},
    {"x": [{"y": ["in"]}], "a": {"b": ""}, "c": 3},
)  # fmt: skip


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize(
    "source", ["first(item.x).y", "first(item.x).y == 'z'", "text(first(item.x)['y'])", "last(item.x).y[0]"]
)
def test_a_path_behind_a_call_is_quick_and_means_the_same(source: str, record: dict[str, Any]) -> None:
    quick = expression(source, names=["item"])
    slow = expression(f"({source})", names=["item"])  # brackets are the engine's
    assert quick.quick is not None
    assert slow.quick is None
    try:
        meant = slow({"item": record})
    except Failed:
        meant = None  # the engine refuses to look into a text; quickly, nothing is there
    assert quick({"item": record}) == meant


@pytest.mark.parametrize("source", ["item.a[0]", "item.a.b", "item[0]", "item.a.b[0]"])
def test_a_text_has_no_entries(source: str) -> None:
    made = expression(source, names=["item"])
    for record in ({"a": "abc"}, {"a": {"b": "abc"}}, "abc"):
        found = made({"item": record})
        assert found in (None, "abc")
        assert made.text_in({"item": record}) in ("", "abc")


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({}, "none"),
        ({"c": "last"}, "last"),
        ({"x": [{"id": 2, "y": "z"}], "c": "last"}, "z"),
        ({"x": [{"id": 1, "y": "z"}], "c": "last"}, "last"),
        ({"a": {"b": "first"}, "x": "no list"}, "first"),
    ],
)
def test_either_goes_on_where_a_part_leads_nowhere(record: dict[str, Any], found: str) -> None:
    made = expression("either(item.a.b, first(item.x.filter(t, t.id > 1)).y, item.c, 'none')", names=["item"])
    assert made({"item": record}) == found
    assert made.text_in({"item": record}) == found


@pytest.mark.parametrize("source", ["either(item.a,)", "either(,item.a)", "either(item.a", "either(item.a, nope.b)"])
def test_an_either_that_is_none_is_refused(source: str) -> None:
    with pytest.raises(BadExpression):
        expression(source, names=["item"])
