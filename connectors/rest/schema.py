"""How a profile's tables are read: every key is known, every value is of its kind, every mistake names its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar

from hub.expressions import BadExpression, Expression, expression
from hub.expressions.texts import Text, Tree, text_of, tree_of

Reader = Callable[["Place", Any], Any]
"""Reads one value at its place."""


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a profile: where, and what."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class BadProfile(ValueError):
    """A profile that cannot be used; every mistake in it is named."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True)
class Place:
    """Where in the profile a value stands, and what expressions may name there."""

    path: str
    mistakes: list[Mistake]
    names: frozenset[str] = frozenset()
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    def at(self, key: str) -> Place:
        return Place(f"{self.path}.{key}" if self.path else key, self.mistakes, self.names, self.functions)

    def knowing(self, *names: str) -> Place:
        return Place(self.path, self.mistakes, self.names | set(names), self.functions)

    def wrong(self, what: str) -> None:
        self.mistakes.append(Mistake(self.path or "profile", what))


# -- kinds of values


def word(*choices: str) -> Reader:
    """One of a few words, or any text where none are given."""

    def read(place: Place, value: Any) -> Any:
        if not isinstance(value, str):
            place.wrong(f"This has to be a text, not {_kind(value)}.")
        elif choices and value not in choices:
            place.wrong(f"“{value[:60]}” is none of: {', '.join(choices)}.")
        else:
            return value
        return None

    read.choices = choices  # type: ignore[attr-defined]
    return read


def number(least: float, most: float) -> Reader:
    def read(place: Place, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            place.wrong(f"This has to be a number, not {_kind(value)}.")
        elif not least <= value <= most:
            place.wrong(f"{value} is not between {least:g} and {most:g}.")
        else:
            return value
        return None

    return read


def flag(place: Place, value: Any) -> Any:
    if not isinstance(value, bool):
        place.wrong(f"This has to be true or false, not {_kind(value)}.")
        return None
    return value


def words(place: Place, value: Any) -> Any:
    """A list of texts; one text stands for a list of one."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        place.wrong(f"This has to be a list of texts, not {_kind(value)}.")
        return None
    return tuple(found)


def numbers(place: Place, value: Any) -> Any:
    found = [value] if isinstance(value, int) else value
    if not isinstance(found, list) or not all(isinstance(e, int) and not isinstance(e, bool) for e in found):
        place.wrong(f"This has to be a list of whole numbers, not {_kind(value)}.")
        return None
    return tuple(found)


def expr(*names: str) -> Reader:
    """A CEL expression over these names and those of the place."""

    def read(place: Place, value: Any) -> Expression | None:
        if not isinstance(value, str):
            place.wrong(f"This has to be an expression, written as a text, not {_kind(value)}.")
            return None
        try:
            return expression(value, names=place.names | set(names), functions=place.functions)
        except BadExpression as error:
            place.wrong(f"{error}{_hint(value)}")
            return None

    return read


def _hint(source: str) -> str:
    """What people mean who write such a thing where an expression has to stand."""
    if source.startswith("{") and source.endswith("}"):
        return " An expression stands here as it is, without { }."
    if _PROSE.fullmatch(source):
        return " This is an expression: a fixed text in it stands in quotes, \"'like this'\"."
    return ""


_PROSE = re.compile(r"[A-Za-z][\w,;:!?'’-]*(?: [\w,;:!?.'’-]+)+")


def _hint_of_braces(source: str) -> str:
    return " A brace that is meant as such is written twice: {{ and }}." if _JSON_BRACE.search(source) else ""


_JSON_BRACE = re.compile(r"(?<!\{)\{\s*[\"']")


def text(*names: str) -> Reader:
    """A text with {expressions} in it."""

    def read(place: Place, value: Any) -> Text | None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            place.wrong(f"This has to be a text, not {_kind(value)}.")
            return None
        try:
            return text_of(value, names=place.names | set(names), functions=place.functions)
        except BadExpression as error:
            place.wrong(f"{error}{_hint_of_braces(value)}")
            return None

    return read


def tree(*names: str) -> Reader:
    """A body: tables, lists and texts with {expressions}, as deep as they like."""

    def read(place: Place, value: Any) -> Tree | None:
        def bad(where: str, error: BadExpression, source: str) -> None:
            (place.at(where) if where else place).wrong(f"{error}{_hint_of_braces(source)}")

        return tree_of(value, names=place.names | set(names), functions=place.functions, bad=bad)

    return read


class Filled(str):
    """A name in a table of texts that has {expressions} itself, as a search by a field whose number is a setting."""

    text: Text


def texts(*names: str, names_too: bool = False) -> Reader:
    """A table of texts with {expressions}, as headers and queries are; the names of a query may have some, too."""

    def named(place: Place, key: str) -> str:
        found = text(*names)(place.at(key), key) if names_too and "{" in key else None
        if found is None:
            return key
        filled = Filled(key)
        filled.text = found
        return filled

    def read(place: Place, value: Any) -> Any:
        if not isinstance(value, Mapping):
            place.wrong(f"This has to be a table of texts, not {_kind(value)}.")
            return None
        return {named(place, str(key)): text(*names)(place.at(str(key)), inner) for key, inner in value.items()}

    return read


Row = TypeVar("Row")


def table(kind: type[Row], *names: str) -> Reader:
    def read(place: Place, value: Any) -> Any:
        return read_row(kind, place.knowing(*names), value)

    read.row = kind  # type: ignore[attr-defined]
    return read


def tables(kind: type[Row], *names: str) -> Reader:
    """One table or several of them, in order."""

    def read(place: Place, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(
                read_row(kind, place.at(_called(each, number)).knowing(*names), each)
                for number, each in enumerate(value)
            )
        return (read_row(kind, place.knowing(*names), value),)

    read.rows = kind  # type: ignore[attr-defined]
    return read


def named(reader: Reader) -> Reader:
    """A table whose keys are names of the author's own."""

    def read(place: Place, value: Any) -> Any:
        if not isinstance(value, Mapping):
            place.wrong(f"This has to be a table, not {_kind(value)}.")
            return {}
        return {str(key): reader(place.at(str(key)), inner) for key, inner in value.items()}

    read.each = reader  # type: ignore[attr-defined]
    return read


# -- rows


def must(reader: Reader) -> Any:
    """A key that has to be there."""
    return field(default=None, metadata={"read": reader, "must": True})


def may(reader: Reader, default: Any = None) -> Any:
    """A key that may be left out."""
    if default is not None and isinstance(default, dict | list):
        return field(default_factory=lambda: type(default)(default), metadata={"read": reader})
    return field(default=default, metadata={"read": reader})


def read_row(kind: type[Row], place: Place, value: Any) -> Row | None:
    """One table as a row of this kind; what is wrong in it is noted, all of it."""
    if not isinstance(value, Mapping):
        place.wrong(f"This has to be a table, not {_kind(value)}.")
        return None
    known: dict[str, Field[Any]] = {_key(each): each for each in fields(kind)}  # type: ignore[arg-type]
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f" Did you mean “{near[0]}”?" if near else f" There are: {', '.join(known)}."
            place.at(str(key)).wrong(f"There is no such key.{hint}")
    made: dict[str, Any] = {}
    for key, each in known.items():
        if key in value:
            found = each.metadata["read"](place.at(key), value[key])
            if found is not None:
                made[each.name] = found
        elif each.metadata.get("must") or (each.default is MISSING and each.default_factory is MISSING):
            place.at(key).wrong("This is missing.")
    return kind(**made)


_NAME = re.compile(r"[A-Za-z_][\w-]*")


def _called(row: Any, number: int) -> str:
    """What one of several tables is called in a sentence: by its name, if it has one."""
    named = row.get("name") if isinstance(row, Mapping) else None
    return named if isinstance(named, str) and _NAME.fullmatch(named) else str(number)


def _key(each: Field[Any]) -> str:
    return each.name.rstrip("_")


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}
    return names.get(type(value), "a date" if hasattr(value, "isoformat") else type(value).__name__)
