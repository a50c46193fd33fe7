"""Run proselint over the English of the project: `make check` calls it, and it ends with status 1 if there is a fault.

It reads the pages (without code), the templates (without tags) and every text of the Python code that goes through
gettext. proselint knows neither Markdown nor Python, so everything else is blanked out first; line numbers stay true.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from proselint.checks import __register__ as every_check
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

ROOT = Path(__file__).resolve().parents[1]
APPS = ("hub", "workflows", "connectors", "worker", "console", "api")
PAGES = ("*.md", "docs/**/*.md", "connectors/**/README.md")
TEMPLATES = tuple(f"{app}/templates/**/*" for app in APPS)
MARKERS = {
    "_",
    "_lazy",
    "gettext",
    "gettext_lazy",
    "ngettext",
    "ngettext_lazy",
    "pgettext",
    "pgettext_lazy",
    "npgettext",
    "sentence",
    "sentences",
}

OFF = {
    "typography.diacritical_marks": "a clock resumes; nobody here sends a résumé",
}
"""Checks that are wrong for technical prose, each with its reason. docs/decisions/0035 says how to add one."""

NOT_PROSE = {
    ".md": re.compile(r"(?ms)^```.*?^```$|^    .*?$|<!--.*?-->|`[^`\n]+`|\]\([^)]*\)|https?://\S+"),
    ".html": re.compile(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>|\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|&\w+;"),
    ".txt": re.compile(r"(?s)\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}"),
}
VALUE = re.compile(r"%\(\w+\)[sd]|%[sd]|\{[^}]*\}|`[^`]*`")


def blanked(text: str, pattern: re.Pattern[str]) -> str:
    """The text with a mark in place of everything the pattern finds; line breaks stay.

    >>> blanked("Run `make`\\nnow.", NOT_PROSE[".md"])
    'Run ……\\nnow.'
    """
    return pattern.sub(lambda found: "\n".join("…" * min(len(line), 2) for line in found[0].split("\n")), text)


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a Python file that go through gettext, each with its line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in MARKERS:
            for argument in node.args[:2]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.lineno, blanked(argument.value, VALUE)


def page(text: str) -> str:
    """A Markdown page as prose: without code and addresses, and with a full stop behind each heading."""
    return re.sub(r"^(#+ .*)$", r"\1.", blanked(text, NOT_PROSE[".md"]), flags=re.MULTILINE)


def sources(root: Path) -> Iterator[tuple[str, int, str]]:
    """Everything that is read: the file's name, the line it begins at, and the text."""
    for pattern in (*PAGES, *TEMPLATES):
        for path in sorted(root.glob(pattern)):
            if path.suffix in NOT_PROSE:
                text = path.read_text()
                prose = page(text) if path.suffix == ".md" else blanked(text, NOT_PROSE[path.suffix])
                yield str(path.relative_to(root)), 1, prose
    for app in APPS:
        for path in sorted((root / app).rglob("*.py")):
            for line, text in texts_of(path):
                yield str(path.relative_to(root)), line, text


def faults(root: Path = ROOT) -> Iterator[str]:
    """What proselint says, as FILE:LINE: CHECK: MESSAGE."""
    registry = CheckRegistry()
    if not registry.checks:
        registry.register_many(every_check)
    checks = dict.fromkeys(OFF, False) | DEFAULT["checks"]
    for name, first, text in sources(root):
        if text.strip():
            for each in LintFile(name, text).lint({"checks": checks, "max_errors": 1000}):
                check, message = each.check_result.check_path, each.check_result.message
                yield f"{name}:{first + each.pos[0] - 1}: {check}: {message}"


def main() -> int:
    found = list(faults())
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
