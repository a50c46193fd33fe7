"""German is complete: every text of today has a translation whose placeholders fit."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from babel.messages.pofile import read_po
from django.core.management import call_command
from django.utils import translation

from hub.management.commands.makemessages import catalogue, extracted, sources

MARKING = {"gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "sentence", "sentences"}
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sd]")


@pytest.fixture(scope="module")
def german() -> Any:
    with catalogue("de").open("rb") as file:
        return read_po(file, locale="de")


def test_the_catalogue_is_current() -> None:
    call_command("makemessages", check=True)


def test_no_text_of_the_code_is_missed() -> None:
    """Babel knows functions by name alone and, before Python 3.12, does not look into f-strings."""
    known = {text for each in extracted() for text in forms(each.id)}
    missed = []
    for path in sources():
        if path.suffix != ".py":
            continue
        tree = ast.parse(path.read_text())
        names = set(MARKING)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                names |= {alias.asname for alias in node.names if alias.name in MARKING and alias.asname}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in names:
                text = node.args[0] if node.args else None
                is_known = isinstance(text, ast.Constant) and text.value in known
                if isinstance(text, ast.JoinedStr) or (isinstance(text, ast.Constant) and not is_known):
                    missed.append(f"{path}:{node.lineno}")

    assert missed == []


def test_every_text_is_translated(german: Any) -> None:
    missing = [each.id for each in german if each.id and not all(forms(each.string))]

    assert missing == []
    assert [each.id for each in german if each.id and each.fuzzy] == []


def test_every_translation_has_the_placeholders_of_its_text(german: Any) -> None:
    wrong = []
    for each in german:
        if not each.id:
            continue
        wanted = set(PLACEHOLDER.findall(forms(each.id)[-1])) | set(PLACEHOLDER.findall(forms(each.id)[0]))
        for form in forms(each.string):
            had = set(PLACEHOLDER.findall(form))
            if not had <= wanted or (len(forms(each.id)) == 1 and had != wanted):
                wrong.append((each.id, form))

    assert wrong == []


def test_what_is_compiled_is_what_is_written() -> None:
    with translation.override("de"):
        assert translation.gettext("Connector") == "Konnektor"
    with translation.override("en"):
        assert translation.gettext("Connector") == "Connector"


def forms(text: Any) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, tuple | list) else (text,)
