"""Expressions: what is not there, and that the quick way means what the engine means."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.expressions import FUNCTIONS, BadExpression, Failed, expression
from hub.expressions.compiling import CALLED, ON_VALUES

ROOT = Path(__file__).resolve().parents[2]

RECORDS: tuple[dict[str, Any], ...] = (
    {},
    {"a": None},
    {"a": {}},
    {"a": {"b": 5}},
    {"x": []},
    {"x": [{"y": "z"}]},
    {"x": [{"y": None}], "c": "last"},
    {"x": [{"y": ["in"]}], "a": {"b": ""}, "c": 3},
)


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


@pytest.mark.parametrize(
    "source",
    [
        "bool(item.a)",
        "min(1, 2)",
        "max(item.a, 2)",
        "item.at.getHours('Europe/Berlin')",
        "getHours(item.at)",
        "contains(item.a, 'x')",
        "item.a.lower('x')",
        "cut(item.a)",
        "either()",
        "size(item.a, 1)",
        "all(item.a)",
        "item.a.map(x)",
        "has(item.a, 1)",
        "item.a.charAt(0)",
        "_len(item.a)",
        "replace(item.a, 'x')",
        "filter(item.a)",
    ],
)
def test_what_could_never_run_is_not_saved(source: str) -> None:
    """Each of these compiles in the engine and fails whatever it is given."""
    if source == "either()":
        assert expression(source, names=["item"])({"item": {}}) is None  # nothing of nothing, and no fault
        return
    with pytest.raises(BadExpression):
        expression(source, names=["item"])


SAMPLES: dict[str, list[str]] = {
    "string": ["1"],
    "int": ["'5'"],
    "uint": ["5"],
    "double": ["1"],
    "bytes": ["'x'"],
    "type": ["1"],
    "dyn": ["1"],
    "timestamp": ["'2026-03-16T09:00:00Z'"],
    "duration": ["'90m'"],
    "size": ["'abc'"],
    "has": ["item.a"],
}


@pytest.mark.parametrize("name", sorted(CALLED))
def test_every_call_of_the_engine_that_may_be_saved_runs(name: str) -> None:
    values = {"item": {"a": "x"}}
    assert expression(f"{name}({', '.join(SAMPLES[name])})", names=["item"])(values) is not None


@pytest.mark.parametrize("name", sorted(ON_VALUES))
def test_every_method_of_the_engine_that_may_be_saved_runs(name: str) -> None:
    values = {"item": {"at": datetime(2026, 3, 16, 9, 0, tzinfo=UTC), "list": [1, 2], "text": "abc"}}
    for count in ON_VALUES[name]:
        if count == 0:
            source = "item.text.size()" if name == "size" else f"item.at.{name}()"
        elif count == 1:
            source = f"item.text.{name}('a')"
        else:
            source = f"item.list.{name}(x, {', '.join(['x > 1'] * (count - 1))})"
        expression(source, names=["item"])(values)


def test_every_function_of_ours_may_be_called_both_ways() -> None:
    for source in ("lower(item.a)", "item.a.lower()", "item.a.replace('x', 'y')", "item.a.split('x')[0]"):
        assert expression(source, names=["item"])({"item": {"a": "ab"}}) == "ab"


@pytest.mark.parametrize(
    ("source", "record", "found"),
    [
        ("has(item.x)", {}, False),
        ("has(item.x)", {"x": None}, True),
        ("has(item.x.y)", {"x": None}, False),
        ("has(item.x.y)", {}, False),
        ("has(item.x.y)", {"x": {"y": None}}, True),
        ("has(item.x.y) && item.x.y > 3", {"x": {"y": 5}}, True),
        ("has(item.x.y) && item.x.y > 3", {}, False),
        ("has(item.x) ? 'there' : 'not'", {}, "not"),
        ("item.x == null", {"x": None}, True),
        ("item.x == null", {"x": 1}, False),
        ("item.x == null", {}, None),
        ("(item.x == null)", {"x": None}, True),
        ("(item.x == null)", {}, None),
        ("item.x != null", {}, None),
        ("'has(item.x)'", {}, "has(item.x)"),
        ("item.l.filter(t, has(t.y)).size()", {"l": [{"y": None}, {}]}, 1),
    ],
)
def test_null_is_told_from_what_is_missing(source: str, record: dict[str, Any], found: Any) -> None:
    assert expression(source, names=["item"])({"item": record}) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("size(item.a)", 4),
        ("item.a.size()", 4),
        ("size(item.l)", 2),
        ("size('日本') + size(item.a)", 6),
        ("item.l.map(x, size(x))", [4, 2]),
        ("item.l.filter(size, size == 'žluť').size()", 1),
        ("item.size", 9),
    ],
)
def test_size_counts_characters(source: str, found: Any) -> None:
    """The engine's own counts the bytes of UTF-8 (cel 0.10)."""
    record = {"a": "žluť", "l": ["žluť", "日本"], "size": 9}
    assert expression(source, names=["item"])({"item": record}) == found


def test_what_size_cannot_count_is_said() -> None:
    with pytest.raises(Failed, match=r"size\(\) takes a text, a list or an object\.$"):
        expression("size(item.a)", names=["item"])({"item": {"a": 5}})


LARGE = 600_000
GREEDY = [
    "replace(replace(replace(replace(item.a, 'x', 'xxxxxxxxxx'), 'x', 'xxxxxxxxxx'), 'x', 'xxxxxxxxxx'), 'x', 'xxxx')",
    "size(replace(replace(replace(item.a, 'x', 'xxxxxxxxxx'), 'x', 'xxxxxxxxxx'), 'x', 'xxxxxxxxxx')) > 1",
    "joined(split(item.a, 'x'), item.a)",
    "item.l.map(t, item.a)",
    "item.l.map(t, replace(item.a, 'x', 'xxxx'))",
    "item.l.map(t, t + item.a).map(t, t + item.a)",
    "size(item.l.map(t, item.a + item.a)) > 0",
    "joined(item.l, item.a)",
    " + ".join(["item.a"] * 110),
    " + ".join(["replace(item.a, 'x', 'xxxx')"] * 30),
    "size([" + ", ".join(["item.a"] * 110) + "]) > 0",
    "quoted(" * 20 + "item.q" + ")" * 20,
    "json([" + "json(" * 20 + "item.q" + ")" * 20 + "])",
    "base64(" * 30 + "item.a" + ")" * 30,
    "flat(item.l.map(t, item.l))",
    "split(item.a, 'x')",
    "split(item.s, ',').map(t, item.a)",
]


@pytest.mark.parametrize("source", GREEDY)
def test_what_grows_is_refused_at_the_step_that_grows(source: str) -> None:
    record = {"a": "x" * LARGE, "l": ["y"] * 9_999, "q": '"<\\' * 1_000, "s": "," * 9_000}
    with pytest.raises(Failed, match=r"more than|could exceed"):
        expression(source, names=["item"])({"item": record})


@pytest.mark.parametrize("source", ["'ab'" + ".map(t, t + t)" * 60, "[item.a]" + ".map(t, [t, t])" * 40])
def test_what_doubles_in_a_row_is_not_saved(source: str) -> None:
    with pytest.raises(BadExpression, match="millions of characters"):
        expression(source, names=["item"])


MEASURED = r"""
import json, resource, sys
import hub.expressions as expr
record = {"a": "x" * 600_000, "l": ["y"] * 9_999, "q": '"<\\' * 1_000, "s": "," * 9_000}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for source in json.load(sys.stdin):
    try:
        expr.expression(source, names=["item"])({"item": record})
    except ValueError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_no_expression_takes_more_memory_than_its_bounds() -> None:
    """Four replaces within each other took 1.9 GB."""
    taken = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=ROOT, input=json.dumps(GREEDY), capture_output=True, text=True, check=True
    )
    assert int(taken.stdout) < 300_000  # kB


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("'data:' + item.file", LARGE * 50 + 5),
        ("joined(item.notes.map(n, n.body + n.by), ' ')", 200 * 10_002 + 199),
        ("item.notes.filter(n, n.by == 'aa')[0].body", 10_000),
        ("joined(item.notes.map(n, n.body.replace('x', 'yy')), '')", 200 * 20_000),
    ],
)
def test_what_profiles_do_with_large_records_goes_on(source: str, found: int) -> None:
    record = {"file": "f" * LARGE * 50, "notes": [{"by": "aa", "body": "x" * 10_000}] * 200, "id": "7"}
    assert len(expression(source, names=["item"])({"item": record})) == found


def test_ours_are_named_where_one_is_not_known() -> None:
    with pytest.raises(BadExpression, match=r"Unknown function “nope”\. Available: .*sha256"):
        expression("nope(item.a)", names=["item"])
    assert "sha256" in FUNCTIONS
