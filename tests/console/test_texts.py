"""Every text in a template can be translated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(
    page for app in ("console", "connectors", "workflows", "hub") for page in ROOT.glob(f"{app}/templates/**/*.html")
)
NAMES = {"Ticket Hub", "TH-1042", "TH-1012", "TH-1012 TH-1017", "ms", ".name"}
"""The product's name, examples of numbers and a unit read the same in every language."""
SEEN = re.compile(r"""\b(?:title|placeholder|aria-label|alt|value|content)=("([^"]*)"|'([^']*)')""")
TRANSLATED = re.compile(r"{% blocktranslate\b.*?{% endblocktranslate %}", re.DOTALL)
CODE = re.compile(r"{#.*?#}|{%.*?%}|{{.*?}}|<!--.*?-->|<script\b.*?</script>|<style\b.*?</style>", re.DOTALL)
TAG = re.compile(r"<[^>]*>", re.DOTALL)


def bare(text: str) -> list[str]:
    """The texts that no translation tag holds.

    >>> bare('<p title="Open">{% translate "Ticket" %} of {{ name }}</p>')
    ['Open', 'of']
    """
    plain = CODE.sub("\x00", TRANSLATED.sub("\x00", text))
    attributes = [match[2] or match[3] or "" for match in SEEN.finditer(_shown(plain))]
    found = [part.strip() for part in [*attributes, *re.split(r"[\x00\n]", TAG.sub("\x00", plain))]]
    words = [part.replace("\x00", "").strip(" ·") for part in found]
    return [part for part in words if re.search(r"[A-Za-z]{2}", re.sub(r"&\w+;", "", part)) and part not in NAMES]


def _shown(plain: str) -> str:
    """The page without attributes that a browser does not show: `value` only shows on a submit button."""
    plain = re.sub(r'name="(?:viewport|htmx-config)" content=("[^"]*"|\'[^\']*\')', "", plain)
    return re.sub(r'(<input(?! type="submit")|<option|<button|<progress)[^>]*>', _without_value, plain)


def _without_value(match: re.Match[str]) -> str:
    return re.sub(r'\bvalue="[^"]*"', "", match[0])


@pytest.mark.parametrize("page", TEMPLATES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_text_of_a_template_is_bare(page: Path) -> None:
    assert bare(page.read_text()) == []


@pytest.mark.parametrize("page", TEMPLATES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_template_uses_the_long_names_of_the_tags(page: Path) -> None:
    assert re.findall(r"{% (?:trans|blocktrans|endblocktrans)\b", page.read_text()) == []
