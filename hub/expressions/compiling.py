"""Checks expressions before they are saved, and compiles them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import cel

from hub.core.sentences import sentence, sentences
from hub.expressions import simple
from hub.expressions.errors import BadExpression
from hub.expressions.functions import length
from hub.expressions.scanning import OWN, blanked, calls, macros_deep

Function = Callable[..., Any]

# The engine's functions and their numbers of arguments (common-expression-language 0.10; tested in
# tests/hub/test_expr.py). Its parser accepts more than it can run: bool(…), min(…), max(…), contains(a, b) and
# t.getHours("Europe/Berlin").
CALLED = {
    "size": {1},
    "string": {1},
    "int": {1},
    "uint": {1},
    "double": {1},
    "bytes": {1},
    "type": {1},
    "dyn": {1},
    "timestamp": {1},
    "duration": {1},
    "has": {1},
}
ON_VALUES = {
    "size": {0},
    "contains": {1},
    "startsWith": {1},
    "endsWith": {1},
    "map": {2, 3},
    "filter": {2},
    "all": {2},
    "exists": {2},
    "exists_one": {2},
    "getFullYear": {0},
    "getMonth": {0},
    "getDate": {0},
    "getDayOfMonth": {0},
    "getDayOfWeek": {0},
    "getDayOfYear": {0},
    "getHours": {0},
    "getMinutes": {0},
    "getSeconds": {0},
    "getMilliseconds": {0},
}
_LENGTH = "_len"
"""The name given to `size` for the engine, whose own counts bytes. Of equal length, so that positions stay right."""
_SIZE = re.compile(r"(?<!\w)size(?=\s*\()")
_HAS = re.compile(
    r"(?<![\w.])has\s*\(\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d{1,4}\]|\[\"[^\"\\]{1,80}\"\]|\['[^'\\]{1,80}'\])*"
    r"\.[A-Za-z_]\w*)\s*\)"
)


@dataclass(frozen=True)
class Judged:
    """A checked and compiled expression."""

    program: Any
    names: list[str]
    functions: dict[str, Function]
    asked: Mapping[str, tuple[str | int, ...]]
    """The variables that replace has(…), each with the path that it checks."""


def judged(source: str, names: Collection[str], functions: Mapping[str, Function]) -> Judged:
    """The compiled expression. Raises BadExpression if it could not run with any values."""
    if not source:
        raise BadExpression(sentence("The expression is empty."))
    if "matches" in source:
        raise BadExpression(
            sentence("Regular expressions (matches) are not allowed. Use contains, startsWith or endsWith.")
        )
    if macros_deep(source) > 1:
        raise BadExpression(sentence("map, filter, all and exists cannot be nested."))
    own = {name for _macro, name in OWN.findall(source)}
    put, asked = _put(source, set(names) - own)
    try:
        program = cel.compile(put)
        used = program.references()
    except ValueError as error:
        raise BadExpression(reason_of(error)) from error
    read = sorted(set(used["variables"]) - own - set(asked))
    if wrong := [name for name in read if name not in names]:
        raise BadExpression(unknown(wrong[0], names))
    _calls_known(source, functions)
    named = {str(steps[0]) for steps in asked.values()}
    mine = {**functions, _LENGTH: length}
    return Judged(
        program, sorted({*read, *named}), {name: mine[name] for name in used["functions"] if name in mine}, asked
    )


def _put(source: str, names: Collection[str]) -> tuple[str, dict[str, tuple[str | int, ...]]]:
    """The source for the engine, with unchanged positions, and the paths that has(…) checks.

    has(…) is evaluated here, because the engine fails if the path leads through a missing value.
    """
    plain, put = blanked(source), list(source)
    for found in _SIZE.finditer(plain):
        put[found.start() : found.end()] = _LENGTH
    asked: dict[str, tuple[str | int, ...]] = {}
    for number, found in enumerate(_HAS.finditer(source)):
        steps = simple.steps_of(found[1])
        if plain[found.start()] == "h" and steps[0] in names:
            name = f"_{number}".ljust(found.end() - found.start(), "_")
            put[found.start() : found.end()] = name
            asked[name] = steps
    return "".join(put), asked


def _calls_known(source: str, functions: Mapping[str, Function]) -> None:
    for call in calls(source):
        mine = functions.get(call.name)
        given = call.given + (1 if call.is_method and mine is not None else 0)
        takes = (ON_VALUES if call.is_method else CALLED).get(call.name)
        if mine is not None:
            fits = _takes(mine, given)
        elif takes is None:
            names = ", ".join(sorted(functions))
            if call.is_method:
                raise BadExpression(
                    sentence("Unknown function .%(name)s(…). Available: %(names)s.", name=call.name, names=names)
                )
            raise BadExpression(
                sentence("Unknown function “%(name)s”. Available: %(names)s.", name=call.name, names=names)
            )
        else:
            fits = given in takes
        if not fits and takes == {0} and call.name.startswith("get"):
            raise BadExpression(sentence("%(name)s() accepts no time zone; the result is in UTC.", name=call.name))
        if not fits:
            raise BadExpression(
                sentences(
                    "“%(name)s” does not accept %(n)d argument.",
                    "“%(name)s” does not accept %(n)d arguments.",
                    call.given,
                    name=call.name,
                )
            )


def _takes(function: Function, given: int) -> bool:
    try:
        inspect.signature(function).bind(*range(given))
    except TypeError:
        return False
    except ValueError:  # a function written in C without a signature
        return True
    return True


def unknown(name: str, names: Collection[str]) -> str:
    return sentence("Unknown name “%(name)s”. Available: %(names)s.", name=name, names=", ".join(sorted(names)))


def reason_of(error: Exception) -> str:
    """The engine's error in short: the position of a syntax error, or the message of one of our functions."""
    text = str(error)
    if ours := re.search(r"Python function call failed: \w+: ([^\n]+)", text):
        return ours[1].removesuffix(". Check function arguments and their types.")[:200]
    found = re.search(r"<input>:\d+:(\d+): (?:Syntax error: )?([^\n]+)", text)
    if found and "<EOF>" in found[2]:
        return sentence("The expression is incomplete. Check its end and its brackets.")
    if found and "token recognition" in found[2]:
        return sentence(
            "Character %(place)s is not allowed. Write a line break in a text as \\n (in TOML \\\\n).",
            place=found[1],
        )
    if found:
        what = found[2].partition(" expecting ")[0][:120]
        return sentence("Error at character %(place)s: %(what)s.", place=found[1], what=what)
    return text.split("\n")[0][:200].replace(_LENGTH, "size")
