"""Profiles as documents: what is wrong is named with its place; those that come with the hub, and their samples."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from connectors.rest import placeholders, samples, validation
from connectors.rest import profile as profiles
from connectors.rest.connector import Rest
from connectors.rest.schema import BadProfile, Mistake, Place, read_row
from connectors.rest.validation import judge
from connectors.rest.values import FUNCTIONS

SHIPPED = Rest.shipped_profiles()
FOLDER = files("connectors.rest") / "profiles"
SAMPLES = sorted(
    (name, each.name)
    for name in SHIPPED
    for each in (FOLDER / name / "samples").iterdir()
    if each.name.endswith(".json")
)


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict):
        for key, inner in node.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(node, list):
        for number, inner in enumerate(node):
            yield from leaves(inner, (*path, number))
    else:
        yield path


def judged(raw: dict[str, Any]) -> list[Mistake]:
    mistakes: list[Mistake] = []
    found = read_row(profiles.Profile, Place("", mistakes, functions=FUNCTIONS), placeholders.with_defaults(raw))
    if found is not None and not mistakes:
        judge(found, mistakes)
    return mistakes


def with_value(raw: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(raw)
    node: Any = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return changed


@pytest.mark.parametrize("name", SHIPPED)
def test_a_profile_that_is_wrong_in_any_one_field_says_which(name: str) -> None:
    """Each leaf in turn becomes something that cannot be: the sentence names it."""
    raw = tomllib.loads(SHIPPED[name])
    assert judged(raw) == []
    silent = []
    for path in leaves(raw):
        free = "body" in path or path[0] in ("settings", "lacks", "slug", "name", "about", "documentation")
        value: Any = "{nobody.knows}" if free and "body" in path else [{"no": ["such"]}]
        if "body" in path and not isinstance(_at(raw, path), str):
            continue
        mistakes = judged(with_value(raw, path, value))
        last = str(path[-1])
        if not any(last in mistake.where or str(path[-2:][0]) in mistake.where for mistake in mistakes):
            silent.append((path, mistakes))
    assert silent == []


def _at(node: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        node = node[key]
    return node


@pytest.mark.parametrize("name", SHIPPED)
def test_a_key_that_is_misspelt_is_found_and_the_right_one_named(name: str) -> None:
    raw = tomllib.loads(SHIPPED[name])
    raw["ticket"]["feilds"] = raw["ticket"].pop("fields")
    raw["ticket"]["refrence"] = raw["ticket"].pop("reference")
    told = {str(mistake) for mistake in judged(raw)}

    assert "ticket.refrence: There is no such key. Did you mean “reference”?" in told
    assert "ticket.feilds: There is no such key. Did you mean “fields”?" in told
    assert "ticket.fields: This is missing." in told


@pytest.mark.parametrize("key", ["slug", "name", "settings", "connect", "operations", "ticket"])
def test_what_is_missing_is_named(key: str) -> None:
    raw = tomllib.loads(SHIPPED["redmine"])
    del raw[key]

    assert any(mistake.where == key for mistake in judged(raw))


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("slug = ", "This is not valid TOML"),
        ("x" * 200_000, "longer than"),
        ('slug = "a"\nslug = "b"', "This is not valid TOML"),
    ],
)
def test_a_text_that_is_no_profile_is_refused_in_words(document: str, told: str) -> None:
    with pytest.raises(BadProfile, match=told):
        validation.read(document)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('path = "/issues/{item.id"', "There is a { without a }"),
        ('path = "/issues/{ticket.id}"', "Unknown name “ticket”"),
        ('path = "/issues/{settings.adress}"', "There is no “settings.adress”. Known names: address"),
        ('path = "/issues/{item.a.map(x, x.b.map(y, y))}"', "cannot be nested"),
        ("path = \"/issues/{matches(key, '(a+)+$')}\"", "Regular expressions (matches) are not allowed"),
    ],
)
def test_expressions_are_judged_when_saved(change: str, told: str) -> None:
    text = SHIPPED["redmine"].replace('path = "/issues/{key}.json"', change, 1)
    with pytest.raises(BadProfile) as refused:
        validation.read(text)

    assert told in str(refused.value)
    assert str(refused.value).startswith("operations.")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{secrets.api_key}", "{secrets.apikey}", "connect.headers.X-Redmine-API-Key: There is no “secrets.apikey”"),
        ("{secrets.api_key}", "{settings.api_key}", "“api_key” is a secret. Write {secrets.api_key}"),
        ("{fields.title}", "{fields.titel}", "There is no “fields.titel”. Known names: description"),
        ("{change.marked}", "{change.text}", "operations.note: No request writes {change.marked}"),
        ("{change.visibility == 'private'}", "{false}", "operations.note: No request uses {change.visibility}"),
        ("steps.upload.upload", "steps.uplaod.upload", "There is no “steps.uplaod”. Known names: upload"),
        ('wrong = "api_key"', 'wrong = "key"', "connect.wrong: There is no setting “key”"),
        (
            'picklist = "tracker"',
            'picklist = "trackers"',
            "tracker.picklist: There is no [picklists.trackers]",
        ),
        ('insert_only = ["description"]', 'insert_only = ["details"]', "insert_only: There is no “details”"),
        (
            'offset = "{offset}" }\nitems = "answer.issues"',
            'x = "1" }\nitems = "answer.issues"',
            "does not use {offset}",
        ),
        (
            'value = "{change.reference}" }]',
            'value = "x" }]',
            "operations.create: No request writes {change.reference}",
        ),
        ("[lacks]", '[times]\nread = ["izo"]\n[lacks]', "times.read: “izo” is not a format"),
        ("[lacks]", '[times]\nzone = "Mars"\n[lacks]', "times.zone: There is no time zone “Mars”"),
        ("[lacks]", '[lacks]\nnotes = "none"', "lacks.notes: There is a [[notes]] as well"),
        ('base = "{settings.address}"', 'base = "{discovered}"', "connect.base: {discovered} needs"),
    ],
)
def test_names_that_lead_nowhere_are_found_when_saved(old: str, new: str, told: str) -> None:
    text = SHIPPED["redmine"].replace(old, new, 1)
    assert text != SHIPPED["redmine"]
    with pytest.raises(BadProfile) as refused:
        validation.read(text)

    assert told in str(refused.value)


@pytest.mark.parametrize(("name", "file"), SAMPLES)
def test_each_sample_answer_reads_as_written_down(name: str, file: str) -> None:
    """A sample is an answer with what it should become beside it: made up from documentation, or recorded."""
    sample = json.loads((FOLDER / name / "samples" / file).read_text())
    kind = Rest.of_profile(SHIPPED[name])
    assert sample["source"].startswith(("recorded", "composed"))
    seen = kind.preview(sample["answers"], json.dumps(sample["answer"]))

    assert [dict(each.rows) | {} for each in seen][: len(sample["means"])] == [
        dict(each.rows) | expected for each, expected in zip(seen, sample["means"], strict=False)
    ]
    assert len(seen) == sample.get("count", len(sample["means"]))


@pytest.mark.parametrize("name", SHIPPED)
def test_each_profile_has_its_page_and_samples(name: str) -> None:
    assert "## Quirks" in (FOLDER / name / "README.md").read_text()
    assert {file.partition(".")[0] for of, file in SAMPLES if of == name} >= {"list", "get"}


@pytest.mark.parametrize(
    "answer", ["", "<html>", "[]", "null", "7", '{"error": 1}', '{"issues": [{}]}', '{"issues": [7]}']
)
def test_a_sample_that_is_none_is_refused_in_words(answer: str) -> None:
    with pytest.raises(ValueError, match=r"\w{3,}"):
        Rest.of_profile(SHIPPED["redmine"]).preview("list", answer)


def test_a_connector_on_paper_calls_nobody() -> None:
    from connectors.kit.errors import ConnectorError

    with pytest.raises(ConnectorError, match="makes no requests"):
        samples.on_paper(Rest.of_profile(SHIPPED["redmine"])).check()  # type: ignore[arg-type]
