"""Write the message catalogues anew from the code and the templates, with Babel: no gettext tools are needed."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from io import BytesIO
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
"""Headers that change, or say nothing, without a change of a text."""


class Command(BaseCommand):
    """`makemessages`, or `makemessages --check` to fail where a catalogue is not current."""

    help = "Writes the message catalogues anew from code and templates."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="Write nothing; fail where something would change.")

    def handle(self, *_: Any, check: bool = False, **__: Any) -> None:
        template = extracted()
        for code, _name in settings.LANGUAGES:
            path = catalogue(code)
            if code == settings.LANGUAGE_CODE:
                continue
            fresh = updated(path, template, code)
            if check and (not path.exists() or path.read_bytes() != fresh):
                raise CommandError(f"{path.relative_to(settings.BASE_DIR)} is not current: run manage.py makemessages.")
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(fresh)


def catalogue(code: str) -> Path:
    """Where the texts of a language are."""
    return Path(settings.LOCALE_PATHS[0]) / code / "LC_MESSAGES" / "django.po"


def extracted() -> Catalog:
    """Every text of the product, with the files it stands in."""
    made = Catalog(project="Ticket Hub", charset="utf-8")
    for path in _sources():
        name = path.relative_to(settings.BASE_DIR).as_posix()
        for _line, message, _comments, context in _texts(path):
            made.add(message, locations=[(name, None)], context=context)  # type: ignore[list-item]
    return made


def updated(path: Path, template: Catalog, code: str) -> bytes:
    """The catalogue with the texts of today; translations of texts that are gone are dropped."""
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


def _sources() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((settings.BASE_DIR / app).rglob("*")):
            if path.suffix in {".py", ".html", ".txt"} and "migrations" not in path.parts:
                yield path


def _texts(path: Path) -> Iterator[tuple[int, Any, list[str], str | None]]:
    if path.suffix == ".py":
        source = path.read_bytes()
    elif "templates" in path.parts:
        # What is no text is blanked out; without the indentation it can be read as Python.
        code = templatize(path.read_text(encoding="utf-8"))
        source = "\n".join(line.strip() for line in code.splitlines()).encode()
    else:
        return
    yield from extract("python", BytesIO(source), keywords=KEYWORDS)


def _lasting(po: bytes) -> bytes:
    dated = (
        b'"Project-Id',
        b'"Report-Msgid',
        b'"POT-Creation',
        b'"PO-Revision',
        b'"Generated-By',
        b'"Last-T',
        b'"Language-Team',
    )
    return b"".join(line for line in po.splitlines(keepends=True) if not line.startswith(dated))
