"""Update the message catalogues from the code and the templates, with Babel instead of the gettext tools."""

from __future__ import annotations

import tomllib
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation.template import templatize

APPS = ("hub", "workflows", "connectors", "worker", "console", "api")
KEYWORDS = DEFAULT_KEYWORDS | {
    "_lazy": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
    "sentence": None,
    "sentences": (1, 2),
}

DATED = (
    b'"Project-Id-',
    b'"Report-Msgid-',
    b'"POT-Creation-',
    b'"PO-Revision-',
    b'"Generated-By',
    b'"Last-',
    b'"Language-Team',
)
"""Headers that change although no text has changed, or that carry no information."""


class Command(BaseCommand):
    """`makemessages` updates the catalogues; `makemessages --check` fails if one is not current."""

    help = "Update the message catalogues from code and templates."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail if a catalogue would change")

    def handle(self, *_: Any, check: bool = False, **__: Any) -> None:
        template = extracted()
        for code, _name in settings.LANGUAGES:
            path = catalogue(code)
            if code == settings.LANGUAGE_CODE:
                continue
            fresh = updated(path, template, code)
            if check and (not path.exists() or path.read_bytes() != fresh):
                raise CommandError(f"{path.relative_to(settings.BASE_DIR)} is not current. Run manage.py makemessages.")
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(fresh)


def catalogue(code: str) -> Path:
    """The path of the catalogue of a language."""
    return Path(settings.LOCALE_PATHS[0]) / code / "LC_MESSAGES" / "django.po"


def extracted() -> Catalog:
    """All texts of the product, with the files that contain them."""
    made = Catalog(project="Ticket Hub", charset="utf-8")
    for path in sources():
        name = path.relative_to(settings.BASE_DIR).as_posix()
        for _line, message, _comments, context in _texts(path):
            made.add(message, locations=[(name, None)], context=context)  # type: ignore[list-item]
    return made


def updated(path: Path, template: Catalog, code: str) -> bytes:
    """The catalogue with the current texts; translations of texts that no longer exist are dropped."""
    if path.exists():
        with path.open("rb") as file:
            kept = read_po(file, locale=code)
    else:
        kept = Catalog(locale=code, charset="utf-8")
    kept.header_comment, kept.fuzzy = f"# Texts of Ticket Hub ({code}). Written by manage.py makemessages.", False
    kept.update(template, no_fuzzy_matching=True)
    kept.obsolete.clear()
    out = BytesIO()
    write_po(out, kept, width=120, include_lineno=False, omit_header=False, sort_output=True, ignore_obsolete=True)
    return _lasting(out.getvalue())


def sources() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((settings.BASE_DIR / app).rglob("*")):
            if path.suffix in {".py", ".html", ".txt", ".toml"} and "migrations" not in path.parts:
                yield path


def _texts(path: Path) -> Iterator[tuple[int, Any, list[str], str | None]]:
    if path.suffix == ".toml":
        yield from ((0, text, [], None) for text in _texts_of_settings(tomllib.loads(path.read_text())))
        return
    if path.suffix == ".py":
        source = path.read_bytes()
    elif "templates" in path.parts:
        # Everything but the texts is blanked out; without indentation the rest parses as Python.
        code = templatize(path.read_text(encoding="utf-8"))
        source = "\n".join(line.strip() for line in code.splitlines()).encode()
    else:
        return
    with redirect_stderr(StringIO()):  # Babel warns of every value that is an f-string, as in sentence("…", at=f"…")
        yield from extract("python", BytesIO(source), keywords=KEYWORDS)


def _texts_of_settings(document: Mapping[str, Any]) -> Iterator[str]:
    """The texts of the settings of a profile that comes with the hub."""
    for row in document.get("settings", ()):
        yield from (text for text in (row["label"], row.get("help"), *row.get("choices", {}).values()) if text)


def _lasting(po: bytes) -> bytes:
    return b"".join(line for line in po.splitlines(keepends=True) if not line.startswith(DATED))
