"""Reads a profile's tables: every key has to be known, every value of its type, and every mistake names its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar

from hub.core.sentences import Sentence, sentence
from hub.expressions import BadExpression, Expression, expression
from hub.expressions.texts import Text, Tree, text_of, tree_of

Reader = Callable[["Place", Any], Any]
"""Reads one value at its place."""


@dataclass(frozen=True)
class Mistake:
    """One mistake in a profile: its place and a text."""

    where: str
    what: str

    def __str__(self) -> str:
        return sentence("%(place)s: %(mistake)s", place=self.where, mistake=self.what)


class BadProfile(ValueError):
    """A profile that cannot be used; the text has a line for each mistake."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        lines = {f"line{number}": str(mistake) for number, mistake in enumerate(mistakes)}
        # A message of placeholders only: each line is translated by itself.
        each_on_a_line = "\n".join(f"%({name})s" for name in lines)
        super().__init__(sentence(each_on_a_line, **lines))
        self.mistakes = mistakes


@dataclass(frozen=True)
class Place:
    """The place of a value in the profile, and the names that expressions can use there."""

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


# -- types of values


def word(*choices: str) -> Reader:
    """One of these words, or any text if none are given."""

    def read(place: Place, value: Any) -> Any:
        if not isinstance(value, str):
            place.wrong(sentence("Expected text, found %(kind)s.", kind=_kind(value)))
        elif choices and value not in choices:
            place.wrong(
                sentence("“%(value)s” is not one of: %(choices)s.", value=value[:60], choices=", ".join(choices))
            )
        else:
            return value
        return None

    read.choices = choices  # type: ignore[attr-defined]
    return read


def number(least: float, most: float) -> Reader:
    """A number in this range."""

    def read(place: Place, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            place.wrong(sentence("Expected a number, found %(kind)s.", kind=_kind(value)))
        elif not least <= value <= most:
            place.wrong(
                sentence(
                    "%(value)s is not between %(least)s and %(most)s.",
                    value=value,
                    least=f"{least:g}",
                    most=f"{most:g}",
                )
            )
        else:
            return value
        return None

    return read


def flag(place: Place, value: Any) -> Any:
    """True or false."""
    if not isinstance(value, bool):
        place.wrong(sentence("Expected true or false, found %(kind)s.", kind=_kind(value)))
        return None
    return value


def words(place: Place, value: Any) -> Any:
    """A list of texts; a single text counts as a list of one."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        place.wrong(sentence("Expected a list of texts, found %(kind)s.", kind=_kind(value)))
        return None
    return tuple(found)


def numbers(place: Place, value: Any) -> Any:
    """A list of whole numbers; a single number counts as a list of one."""
    found = [value] if isinstance(value, int) else value
    if not isinstance(found, list) or not all(isinstance(e, int) and not isinstance(e, bool) for e in found):
        place.wrong(sentence("Expected a list of whole numbers, found %(kind)s.", kind=_kind(value)))
        return None
    return tuple(found)


def expr(*names: str) -> Reader:
    """A CEL expression over these names and those of the place."""

    def read(place: Place, value: Any) -> Expression | None:
        if not isinstance(value, str):
            place.wrong(sentence("Expected an expression, written as text, found %(kind)s.", kind=_kind(value)))
            return None
        try:
            return expression(value, names=place.names | set(names), functions=place.functions)
        except BadExpression as error:
            place.wrong(_with_hint(error, _hint(value)))
            return None

    return read


def _with_hint(error: BadExpression, hint: Sentence | None) -> str:
    return str(error) if hint is None else sentence("%(error)s %(hint)s", error=str(error), hint=hint)


def _hint(source: str) -> Sentence | None:
    """How to correct a text that is probably meant as something else than an expression."""
    if source.startswith("{") and source.endswith("}"):
        return sentence("Write the expression without { }.")
    if _PROSE.fullmatch(source):
        return sentence("This is an expression. Put fixed text in quotes: \"'like this'\".")
    return None


_PROSE = re.compile(r"[A-Za-z][\w,;:!?'’-]*(?: [\w,;:!?.'’-]+)+")


def _hint_of_braces(source: str) -> Sentence | None:
    return sentence("Write {{ and }} for literal braces.") if _JSON_BRACE.search(source) else None


_JSON_BRACE = re.compile(r"(?<!\{)\{\s*[\"']")


def text(*names: str) -> Reader:
    """A text with {expressions} in it."""

    def read(place: Place, value: Any) -> Text | None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            place.wrong(sentence("Expected text, found %(kind)s.", kind=_kind(value)))
            return None
        try:
            return text_of(value, names=place.names | set(names), functions=place.functions)
        except BadExpression as error:
            place.wrong(_with_hint(error, _hint_of_braces(value)))
            return None

    return read


def tree(*names: str) -> Reader:
    """A body: tables, lists and texts with {expressions}, nested to any depth."""

    def read(place: Place, value: Any) -> Tree | None:
        def bad(where: str, error: BadExpression, source: str) -> None:
            (place.at(where) if where else place).wrong(_with_hint(error, _hint_of_braces(source)))

        return tree_of(value, names=place.names | set(names), functions=place.functions, bad=bad)

    return read


class Filled(str):
    """A name in a table of texts that contains {expressions}, such as a field whose number is a setting."""

    text: Text


def texts(*names: str, names_too: bool = False) -> Reader:
    """A table of texts with {expressions}, such as headers; with `names_too` the names can contain some as well."""

    def named(place: Place, key: str) -> str:
        found = text(*names)(place.at(key), key) if names_too and "{" in key else None
        if found is None:
            return key
        filled = Filled(key)
        filled.text = found
        return filled

    def read(place: Place, value: Any) -> Any:
        if not isinstance(value, Mapping):
            place.wrong(sentence("Expected a table of texts, found %(kind)s.", kind=_kind(value)))
            return None
        return {named(place, str(key)): text(*names)(place.at(str(key)), inner) for key, inner in value.items()}

    return read


Row = TypeVar("Row")


def table(kind: type[Row], *names: str) -> Reader:
    """One table."""

    def read(place: Place, value: Any) -> Any:
        return read_row(kind, place.knowing(*names), value)

    read.row = kind  # type: ignore[attr-defined]
    return read


def tables(kind: type[Row], *names: str) -> Reader:
    """One table, or a list of tables."""

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
    """A table whose keys are the author's own names."""

    def read(place: Place, value: Any) -> Any:
        if not isinstance(value, Mapping):
            place.wrong(sentence("Expected a table, found %(kind)s.", kind=_kind(value)))
            return {}
        return {str(key): reader(place.at(str(key)), inner) for key, inner in value.items()}

    read.each = reader  # type: ignore[attr-defined]
    return read


# -- rows


def must(reader: Reader, *, help: Sentence | None = None) -> Any:
    """A required key; `help` explains it in the forms that edit a profile."""
    return field(default=None, metadata={"read": reader, "must": True, "help": help or ""})


def may(reader: Reader, default: Any = None, *, help: Sentence | None = None) -> Any:
    """An optional key; `help` explains it in the forms that edit a profile."""
    metadata = {"read": reader, "help": help or ""}
    if default is not None and isinstance(default, dict | list):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def read_row(kind: type[Row], place: Place, value: Any) -> Row | None:
    """One table as a row of this kind; all mistakes in it are recorded in the place."""
    if not isinstance(value, Mapping):
        place.wrong(sentence("Expected a table, found %(kind)s.", kind=_kind(value)))
        return None
    known: dict[str, Field[Any]] = {_key(each): each for each in fields(kind)}  # type: ignore[arg-type]
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            if near:
                hint = sentence("There is no such key. Did you mean “%(name)s”?", name=near[0])
            else:
                hint = sentence("There is no such key. Known keys: %(names)s.", names=", ".join(known))
            place.at(str(key)).wrong(hint)
    made: dict[str, Any] = {}
    for key, each in known.items():
        if key in value:
            found = each.metadata["read"](place.at(key), value[key])
            if found is not None:
                made[each.name] = found
        elif each.metadata.get("must") or (each.default is MISSING and each.default_factory is MISSING):
            place.at(key).wrong(sentence("This is missing."))
    return kind(**made)


_NAME = re.compile(r"[A-Za-z_][\w-]*")


def _called(row: Any, number: int) -> str:
    """How messages refer to one of several tables: by its name, if it has one, or by its number."""
    named = row.get("name") if isinstance(row, Mapping) else None
    return named if isinstance(named, str) and _NAME.fullmatch(named) else str(number)


def _key(each: Field[Any]) -> str:
    return each.name.rstrip("_")


_KINDS: Mapping[type, Sentence] = {
    bool: sentence("true or false"),
    int: sentence("a number"),
    float: sentence("a number"),
    str: sentence("text"),
    list: sentence("a list"),
    dict: sentence("a table"),
}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value)) or (sentence("a date") if hasattr(value, "isoformat") else type(value).__name__)
