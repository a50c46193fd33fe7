"""A profile as forms: its tables one by one, and the document with one of them changed.

The keys of a table and their help come from the row class it is read into. The document keeps its comments; tables that
belong together may move together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from connectors.kit.contract import ProfileKey, ProfileSection
from hub.core.sentences import Sentence, sentence

from .profile import Profile

_HIDDEN = ("digest",)
_ALWAYS = (
    "connect",
    "limits",
    "times",
    "since",
    "who",
    "people",
    "ticket",
    "ticket.fields",
    "hook",
    "lacks",
    "connect.token",
    "connect.signed",
    "connect.discover",
)
"""Tables that are offered even if the profile does not have them yet."""


def sections(document: str) -> list[ProfileSection]:
    """Every table of the document, and those that could be added."""
    found = list(_tables(_parsed(document), Profile, ""))
    there = {section.place for section in found}
    return found + [section_at(document, place) for place in _ALWAYS if place not in there]


def section_at(document: str, place: str) -> ProfileSection:
    """The table at a place, whether it exists or not; ValueError if no table can be there."""
    known = next((each for each in _tables(_parsed(document), Profile, "") if each.place == place), None)
    if known is not None:
        return known
    row = _row_of(place)
    return ProfileSection(place=place, keys=tuple(_keys({}, row)) if row else (), is_there=False, takes_more=not row)


def edited(document: str, place: str, values: Mapping[str, str]) -> str:
    """The document with these values in the table at a place; ValueError says what cannot be written."""
    parsed = _parsed(document)
    kinds = {key.name: key.kind for key in section_at(document, place).keys}
    table = _at(parsed, place)
    for name, value in values.items():
        given = value.replace("\r\n", "\n")
        known = table.get(name)
        if not given.strip():
            table.pop(name, None)
        elif known is None or _shown(known) != given:
            table[name] = _written(given, kinds.get(name, "text"), f"{place}.{name}".lstrip("."))
    return tomlkit.dumps(parsed)


def _parsed(document: str) -> Any:
    try:
        return tomlkit.parse(document)
    except (TOMLKitError, RecursionError) as error:
        raise ValueError(sentence("This is not valid TOML: %(reason)s", reason=str(error))) from error


# -- tables


def _tables(table: Any, kind: Any, place: str) -> Iterator[ProfileSection]:
    """A table as a section, then the tables within it."""
    yield ProfileSection(place=place, keys=tuple(_keys(table, kind)))
    readers = {_plain(each.name): each.metadata["read"] for each in fields(kind)}
    for name, value in table.items():
        reader = readers.get(name)
        if reader is not None:
            yield from _within(value, reader, f"{place}.{name}" if place else name)


def _within(value: Any, reader: Any, place: str) -> Iterator[ProfileSection]:
    row, rows, each = (getattr(reader, name, None) for name in ("row", "rows", "each"))
    if row is not None and isinstance(value, Mapping) and not _is_inline(value):
        yield from _tables(value, row, place)
    elif rows is not None:
        many = value if isinstance(value, list) else [value]
        single = not isinstance(value, list)
        for number, inner in enumerate(many):
            if isinstance(inner, Mapping) and not _is_inline(inner):
                yield from _tables(inner, rows, place if single else f"{place}.{number}")
    elif each is not None and isinstance(value, Mapping):
        if any(getattr(each, name, None) is not None for name in ("row", "rows")):
            for name, inner in value.items():
                yield from _within(inner, each, f"{place}.{name}")
        elif not _is_inline(value):
            keys = tuple(ProfileKey(name=str(k), kind=_kind_of(v), value=_shown(v)) for k, v in value.items())
            yield ProfileSection(place=place, keys=keys, takes_more=True)


def _is_inline(value: Any) -> bool:
    return isinstance(value, tomlkit.items.InlineTable)


def _keys(table: Mapping[str, Any], kind: Any) -> Iterator[ProfileKey]:
    for each in fields(kind):
        name, reader = _plain(each.name), each.metadata["read"]
        value = table.get(name)
        has_table = any(hasattr(reader, mark) for mark in ("row", "rows", "each"))
        if name in _HIDDEN or (has_table and not _fits_a_line(value)):
            continue
        shown = "" if value is None else _shown(value)
        yield ProfileKey(
            name=name,
            kind="toml" if has_table else _KINDS.get(str(each.type).partition("[")[0], "toml"),
            value=shown,
            help=each.metadata["help"],
            is_needed=bool(each.metadata.get("must")),
            choices=tuple(getattr(reader, "choices", ())),
        )


def _fits_a_line(value: Any) -> bool:
    """Whether a table or a list is written inline, so that it is the value of its key."""
    if isinstance(value, AoT) or value is None:
        return False
    return _is_inline(value) if isinstance(value, Mapping) else True


_KINDS = {"str": "text", "Text": "text", "Expression": "text", "bool": "flag", "int": "number", "float": "number"}


def _plain(name: str) -> str:
    return name.rstrip("_")


# -- places

NEW = "+"
"""In place of a number: a new entry."""


def _at(parsed: Any, place: str) -> Any:
    """The table at a place, created if it does not exist yet."""
    table = parsed
    for part in place.split(".") if place else ():
        if isinstance(table, list):
            if part == NEW or (part.isdecimal() and int(part) == len(table)):
                table.append(tomlkit.table())
            elif not part.isdecimal() or int(part) > len(table):
                raise ValueError(_at_place(place, NO_TABLE))
            table = table[-1] if part == NEW else table[int(part)]
        else:
            if part not in table:
                table[part] = tomlkit.aot() if part in _SEVERAL and table is parsed else tomlkit.table()
            table = table[part]
        if not isinstance(table, Mapping | list):
            raise ValueError(_at_place(place, NOT_A_TABLE))
    return table


NO_TABLE = sentence("There is no such table.")
NOT_A_TABLE = sentence("This is not a table.")


def _at_place(place: str, mistake: Sentence) -> Sentence:
    return sentence("%(place)s: %(mistake)s", place=place, mistake=mistake)


_SEVERAL = ("settings", "notes", "files", "errors")


def _row_of(place: str) -> Any:
    """The row class that a table at this place is read into; None if its keys are the author's own names."""
    kind: Any = Profile
    reader: Any = None
    for part in place.split("."):
        if reader is not None and (part.isdecimal() or part == NEW):
            continue
        each = getattr(reader, "each", None)
        if each is not None:
            reader = each
        else:
            known = {_plain(each.name): each.metadata["read"] for each in fields(kind)} if kind else {}
            if part not in known:
                raise ValueError(_at_place(place, NO_TABLE))
            reader = known[part]
        kind = getattr(reader, "row", None) or getattr(reader, "rows", None)
    if kind is None and getattr(reader, "each", None) is None:
        raise ValueError(_at_place(place, NOT_A_TABLE))
    return kind


# -- values


def _shown(value: Any) -> str:
    """A value as text for a form."""
    plain = value.unwrap() if hasattr(value, "unwrap") else value
    return plain if isinstance(plain, str) else _in_a_line(plain)


def _in_a_line(plain: Any) -> str:
    """A value as inline TOML.

    >>> _in_a_line({"a": [1, True], "b-c": {"d": "x"}})
    '{ a = [1, true], b-c = { d = "x" } }'
    """
    if isinstance(plain, Mapping):
        return "{ " + ", ".join(f"{tomlkit.key(str(k)).as_string()} = {_in_a_line(v)}" for k, v in plain.items()) + " }"
    if isinstance(plain, list):
        return "[" + ", ".join(_in_a_line(each) for each in plain) + "]"
    return str(tomlkit.item(plain).as_string())


def _kind_of(value: Any) -> str:
    plain = value.unwrap() if hasattr(value, "unwrap") else value
    if isinstance(plain, bool):
        return "flag"
    if isinstance(plain, int | float):
        return "number"
    return "text" if isinstance(plain, str) else "toml"


def _written(value: str, kind: str, place: str) -> Any:
    """The entered text as a TOML value; ValueError if it is not one."""
    if kind == "text":
        return tomlkit.string(value, multiline="\n" in value)
    try:
        return tomlkit.value(value.strip())
    except (TOMLKitError, RecursionError, ValueError) as error:
        wanted = {"flag": sentence("Enter true or false."), "number": sentence("Enter a number.")}
        toml = sentence("Enter a TOML value, such as %(example)s.", example="[404, 410]")
        raise ValueError(_at_place(place, wanted.get(kind, toml))) from error
