"""Expressions that admins write, in CEL: checked when they are saved, bounded when they run.

An expression is at most 1,000 characters, has no macro within a macro, no patterns, and sees lists of
at most 200 entries. It can read what it is given and call what is listed here; it can do nothing else.
What is missing in a record is null, so that an optional field needs no ceremony.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import cel

LONGEST = 1000
MOST_IN_A_LIST = 200
DEEPEST = 40

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d{1,4}\]|\[\"[^\"\\]{1,80}\"\]|\['[^'\\]{1,80}'\])*")
_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]|\[\"([^\"]+)\"\]|\['([^']+)'\]")
_MACRO = re.compile(r"\.(map|filter|all|exists|exists_one)\s*\(")
_OWN = re.compile(r"\.(map|filter|all|exists|exists_one)\s*\(\s*([A-Za-z_]\w*)\s*,")
"""The name that a macro gives each entry."""
_RESERVED = {"true", "false", "null", "in"}


class BadExpression(ValueError):
    """It cannot be an expression here; the text says why, and where in it."""


class Failed(ValueError):
    """It could not be worked out for these values."""


Function = Callable[..., Any]


class Expression:
    """One expression, ready to run; equal texts with equal names are the same object."""

    def __init__(self, source: str, names: Collection[str], functions: Mapping[str, Function]) -> None:
        if len(source) > LONGEST:
            raise BadExpression(f"It has {len(source)} characters; at most {LONGEST} are allowed.")
        self.source = source
        self.steps = _steps(source)
        self.functions = functions
        self.program = None if self.steps else _program(source, names, functions)
        self.has_macro = _MACRO.search(source) is not None
        if self.steps and self.steps[0] not in names:
            raise BadExpression(_unknown(str(self.steps[0]), names))
        self.names = [str(self.steps[0])] if self.steps else _named(self.program)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """What it comes to; None where something it names is not there. Failed for what makes no sense."""
        if self.steps:
            return _walk(values, self.steps)
        known = {name: _bounded(values[name]) for name in self.names if name in values}
        try:
            return self.program.execute(cel.Context(variables=known, functions=dict(self.functions)))  # type: ignore[union-attr]
        except (KeyError, IndexError):
            return None
        except (TypeError, ValueError, RuntimeError, ArithmeticError, OverflowError) as error:
            raise Failed(f"{self.source}: {_sentence(error)}") from error

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"


def expression(source: str, *, names: Collection[str], functions: Mapping[str, Function] | None = None) -> Expression:
    """An expression over these names; BadExpression for what is none.

    >>> expression("item.status.name", names=["item"])({"item": {"status": {"name": "New"}}})
    'New'
    >>> expression("item.status.name", names=["item"])({"item": {"status": None}}) is None
    True
    >>> expression("size(item.tags) > 1 ? 'many' : 'few'", names=["item"])({"item": {"tags": [1, 2]}})
    'many'
    >>> expression("ticket.id", names=["item", "answer"])
    Traceback (most recent call last):
    hub.expr.BadExpression: There is no “ticket” here; there are: answer, item.
    """
    return _made(source.strip(), tuple(sorted(names)), tuple(sorted((FUNCTIONS | dict(functions or {})).items())))


@lru_cache(maxsize=4096)
def _made(source: str, names: tuple[str, ...], functions: tuple[tuple[str, Function], ...]) -> Expression:
    return Expression(source, names, dict(functions))


def _program(source: str, names: Collection[str], functions: Mapping[str, Function]) -> Any:
    if not source:
        raise BadExpression("It is empty.")
    if "matches" in source:
        raise BadExpression("Patterns (matches) are not allowed; use contains, startsWith or endsWith.")
    if _macros_deep(source) > 1:
        raise BadExpression("One of map, filter, all, exists within another is not allowed.")
    try:
        program = cel.compile(source)
        used = program.references()
    except ValueError as error:
        raise BadExpression(_sentence(error)) from error
    own = {name for _macro, name in _OWN.findall(source)}
    if wrong := sorted(set(used["variables"]) - set(names) - own):
        raise BadExpression(_unknown(wrong[0], names))
    known = set(functions) | _BUILT_IN
    if wrong := sorted(name for name in set(used["functions"]) - known if name[0].isalpha()):
        raise BadExpression(f"There is no function “{wrong[0]}” here; there are: {', '.join(sorted(functions))}.")
    return program


def _named(program: Any) -> list[str]:
    return sorted(program.references()["variables"])


def _steps(source: str) -> tuple[str | int, ...]:
    """The steps of a plain path, which needs no engine; empty for any other expression."""
    if not _PATH.fullmatch(source) or source in _RESERVED:
        return ()
    return tuple(int(n) if n else name or quoted or single for name, n, quoted, single in _STEP.findall(source))


def _walk(values: Any, steps: tuple[str | int, ...]) -> Any:
    found = values
    for step in steps:
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int) and step < len(found):
            found = found[step]
        else:
            return None
    return found


def _macros_deep(source: str) -> int:
    """How deep macros lie in each other, by their brackets."""
    plain = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', '""', source)
    opened: list[bool] = []
    deepest = at = 0
    while at < len(plain):
        found = _MACRO.match(plain, at)
        if found or plain[at] == "(":
            opened.append(found is not None)
            deepest = max(deepest, sum(opened))
            at = found.end() if found else at + 1
            continue
        if plain[at] == ")" and opened:
            opened.pop()
        at += 1
    return deepest


def _bounded(value: Any, depth: int = 0) -> Any:
    """The value with every list cut, and nothing that CEL does not know."""
    if isinstance(value, Mapping):
        if depth > DEEPEST:
            return None
        return {str(key): _bounded(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [] if depth > DEEPEST else [_bounded(inner, depth + 1) for inner in value[:MOST_IN_A_LIST]]
    if value is None or isinstance(value, str | bytes | bool | float | datetime):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    return str(value)


def _unknown(name: str, names: Collection[str]) -> str:
    return f"There is no “{name}” here; there are: {', '.join(sorted(names))}."


def _sentence(error: Exception) -> str:
    """The engine's own words, shortened: for a mistake of writing, the place."""
    text = str(error)
    found = re.search(r"<input>:\d+:(\d+): (?:Syntax error: )?([^\n]+)", text)
    if found and "<EOF>" in found[2]:
        return "It ends too early: something is missing at its end, or a bracket is not closed."
    if found and "token recognition" in found[2]:
        hint = "a new line in a text is written \\n (in TOML \\\\n)"
        return f"At character {found[1]} stands something that cannot; {hint}."
    if found:
        return f"At character {found[1]}: {found[2].partition(' expecting ')[0][:120]}."
    return text.split("\n")[0][:200]


# -- functions


def text(value: Any) -> str:
    """A value as text: nothing is empty, whole numbers have no fraction, true and false are words.

    >>> text(None), text(5), text(5.0), text(True), text("x")
    ('', '5', '5', 'true', 'x')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def number(value: Any) -> int | None:
    """A whole number of a text; nothing for an empty one.

    >>> number("5"), number(""), number("5.0")
    (5, None, 5)
    """
    plain = text(value).strip()
    if not plain:
        return None
    try:
        return int(plain)
    except ValueError:
        if float(plain).is_integer():
            return int(float(plain))
        raise


def first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _escaped(value: Any) -> str:
    return "<br>\n".join(html.escape(line) for line in text(value).split("\n"))


FUNCTIONS: dict[str, Function] = {
    "text": text,
    "number": number,
    "first": first,
    "flat": lambda value: [each for inner in value or () for each in (inner if isinstance(inner, list) else [inner])],
    "last": lambda value: value[-1] if isinstance(value, list) and value else None,
    "lower": lambda value: text(value).lower(),
    "upper": lambda value: text(value).upper(),
    "trim": lambda value: text(value).strip(),
    "joined": lambda value, between: text(between).join(text(each) for each in value or ()),
    "cut": lambda value, length: text(value)[: int(length)],
    "replace": lambda value, old, new: text(value).replace(text(old), text(new)),
    "json": lambda value: json.dumps(value, ensure_ascii=False, default=str),
    "quoted": lambda value: json.dumps(text(value), ensure_ascii=False),
    "html": _escaped,
    "base64": lambda value: base64.b64encode(value if isinstance(value, bytes) else text(value).encode()).decode(),
    "from_base64": lambda value: base64.b64decode(text(value), validate=False),
    "split": lambda value, between: text(value).split(text(between)),
    "sha256": lambda value: hashlib.sha256(value if isinstance(value, bytes) else text(value).encode()).hexdigest(),
}
"""What an expression may call beside CEL's own functions."""

_BUILT_IN = {
    "size", "has", "contains", "startsWith", "endsWith", "string", "int", "uint", "double", "bool", "bytes", "type",
    "dyn", "timestamp", "duration", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getHours",
    "getMinutes", "getSeconds", "map", "filter", "all", "exists", "exists_one", "min", "max",
}  # fmt: skip
