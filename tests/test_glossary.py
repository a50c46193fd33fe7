"""Every noun has one entry in the glossary, and every entry a place in the code."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "glossary.md").read_text()
ENTRIES = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \| `([\w.]+)` \|$", PAGE, re.MULTILINE)
OURS = ("hub", "workflows", "connectors")


def test_the_page_is_read() -> None:
    assert len(ENTRIES) > 80
    assert PAGE.count("\n| ") == len(ENTRIES) + 3  # the heads of the tables


@pytest.mark.parametrize(("word", "place"), ENTRIES)
def test_the_place_of_a_word_is_there(word: str, place: str) -> None:
    try:
        import_module(place)
    except ModuleNotFoundError:
        module, _, name = place.rpartition(".")
        assert hasattr(import_module(module), name), f"{word}: there is no {place}"


def test_a_word_stands_there_once() -> None:
    words = [word.lower() for word, _place in ENTRIES]
    assert sorted(words) == sorted(set(words))


def test_every_model_has_an_entry() -> None:
    words = {word for word, _place in ENTRIES}
    models = {model.__name__ for model in apps.get_models() if model._meta.app_label in OURS}
    assert models - words == set()


@pytest.mark.parametrize("model", [m for m in apps.get_models() if m._meta.app_label in OURS], ids=lambda m: m.__name__)
def test_a_models_entry_names_the_model(model: type) -> None:
    place = dict(ENTRIES)[model.__name__]
    module, _, name = place.rpartition(".")
    assert getattr(import_module(module), name).__name__ in (model.__name__, "Membership")
