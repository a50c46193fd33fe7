"""Expressions that admins write, in CEL: checked when they are saved, bounded when they run.

An expression is at most 1,000 characters, has no macro within a macro, no patterns, and sees lists of
at most 10,000 entries. It can read what it is given and call what is listed here; it can do nothing else.
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

from . import quick

LONGEST = 1000
MOST_IN_A_LIST = 10_000
DEEPEST = 40

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d{1,4}\]|\[\"[^\"\\]{1,80}\"\]|\['[^'\\]{1,80}'\])*")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
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
        if self.steps and self.steps[0] not in names:
            raise BadExpression(_unknown(str(self.steps[0]), names))
        self.quick = quick.walker(self.steps) if self.steps else quick.compiled(source, functions, names)
        self.choices = () if self.quick else tuple(Expression(each, names, functions) for each in _choices(source))
        # What is quick is judged by the engine all the same, so that it means the same.
        self.program = None if self.steps else _program(source, names, functions)
        own = {name for _macro, name in _OWN.findall(source)}
        used = self.program.references() if self.program else {"variables": [str(self.steps[0])], "functions": []}
        self.names = sorted(set(used["variables"]) - own)
        self.functions = {name: functions[name] for name in used["functions"] if name in functions}
        self.parts = {name: _parts(source, name) for name in self.names}
        self.text_in = _text_of(self)
        """What it comes to as a text; empty where something it names is not there. Failed for what makes no sense."""

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """What it comes to; None where something it names is not there. Failed for what makes no sense."""
        try:
            if self.quick is not None:
                return self.quick(values)
            if self.choices:
                return next((found for each in self.choices if (found := each(values)) not in (None, "")), None)
            return self._run(self._given(values), self.functions)
        except (quick.Absent, KeyError, IndexError):
            return None
        except TypeError as error:
            if self._leads_nowhere(values):
                return None
            raise Failed(f"{self.source}: {_sentence(error)}") from error
        except Failed as error:
            raise Failed(f"{self.source}: {error}") from error
        except (ValueError, RuntimeError, ArithmeticError, OverflowError, AttributeError) as error:
            raise Failed(f"{self.source}: {_sentence(error)}") from error

    def _run(self, known: Mapping[str, Any], functions: Mapping[str, Function]) -> Any:
        return self.program.execute(cel.Context(variables=dict(known), functions=dict(functions)))  # type: ignore[union-attr]

    def _given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._known(name, values[name]) for name in self.names if name in values}

    def _leads_nowhere(self, values: Mapping[str, Any]) -> bool:
        """Whether it fails only for looking into nothing, as `first([]).name` does: the engine says no more than that
        kinds do not fit. Where nothing is an empty table, such a path is one that is not there."""
        functions = {name: _empty_for_none(function) for name, function in self.functions.items()}
        try:
            self._run({name: _without_none(value) for name, value in self._given(values).items()}, functions)
        except (KeyError, IndexError):
            return True
        except Exception:
            return False
        return False

    def _known(self, name: str, value: Any) -> Any:
        """What of a record the expression looks at, bounded: the rest need not be brought before the engine."""
        parts = self.parts[name]
        if parts is None or not isinstance(value, Mapping):
            return _bounded(value)
        return {key: _bounded(value[key]) for key in parts if key in value}

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"


def _text_of(expression: Expression) -> Callable[[Mapping[str, Any]], str]:
    """Every field of every record of a poll is read so: for a plain path of a record, in one call."""
    steps = expression.steps
    if len(steps) in (2, 3):
        return quick.path_as_text(steps, text)
    run = expression.quick
    if run is None:
        return lambda values: text(expression(values))

    def read(values: Mapping[str, Any]) -> str:
        try:
            found = run(values)
        except (quick.Absent, KeyError, IndexError):
            return ""
        except Exception:
            found = expression(values)  # says in a sentence what is wrong
        return found if type(found) is str else text(found)

    return read


def _parts(source: str, name: str) -> set[str] | None:
    """The keys of a record that are looked at by name; None where it is looked at as a whole."""
    plain = _QUOTED.sub("''", source)
    found = re.findall(rf"(?<![\w.]){name}(\.[A-Za-z_]\w*(?!\s*\())?", plain)
    return {each[1:] for each in found} if found and all(found) else None


def expression(source: str, *, names: Collection[str], functions: Mapping[str, Function] | None = None) -> Expression:
    """An expression over these names; BadExpression for what is none.

    >>> expression("item.status.name", names=["item"])({"item": {"status": {"name": "New"}}})
    'New'
    >>> expression("item.status.name", names=["item"])({"item": {"status": None}}) is None
    True
    >>> expression("first(item.tags.filter(t, t.id > 1)).name", names=["item"])({"item": {"tags": []}}) is None
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


def _steps(source: str) -> tuple[str | int, ...]:
    """The steps of a plain path; empty for any other expression."""
    return quick.steps_of(source) if _PATH.fullmatch(source) and source not in _RESERVED else ()


def _choices(source: str) -> list[str]:
    """What an `either(…)` that is the whole expression chooses from, each a text of its own; none of any other."""
    if not re.match(r"either\s*\(", source):
        return []
    plain = _QUOTED.sub(lambda found: "x" * len(found[0]), source)
    begins = source.index("(") + 1
    found, depth = [], 1
    for at, sign in enumerate(plain[begins:], begins):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(sign, 0)
        if depth == 0 or (depth == 1 and sign == ","):
            found.append(source[begins:at].strip())
            begins = at + 1
        if depth == 0:
            return found if at == len(source) - 1 and all(found) else []
    return []


def _macros_deep(source: str) -> int:
    """How deep macros lie in each other, by their brackets."""
    plain = _QUOTED.sub('""', source)
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
    """The value with nothing that CEL does not know; Failed for a list that is too long."""
    if isinstance(value, Mapping):
        if depth > DEEPEST:
            return None
        return {str(key): _bounded(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        if len(value) > MOST_IN_A_LIST:
            raise Failed(f"It looks at a list of more than {MOST_IN_A_LIST:,} entries.")
        return [] if depth > DEEPEST else [_bounded(inner, depth + 1) for inner in value]
    if value is None or isinstance(value, str | bytes | bool | float | datetime):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    return str(value)


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value


def _empty_for_none(function: Function) -> Function:
    def run(*given: Any) -> Any:
        found = function(*given)
        return {} if found is None else found

    return run


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
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
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


def lookup(entries: Any, key: Any, wanted: Any, value: Any) -> Any:
    """Of a list of tables the `value` of the first whose `key` is what is wanted, as custom fields are kept.

    >>> lookup([{"id": 1, "value": "a"}, {"id": 2, "value": "b"}], "id", "2", "value")
    'b'
    """
    asked = text(wanted)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and text(entry.get(key)) == asked:
            return entry.get(value)
    return None


def pick(value: Any, *steps: Any) -> Any:
    """What stands at these steps of a table; nothing where one of them leads nowhere.

    >>> pick({"user": {"name": "Rita"}}, "user", "name"), pick(None, "user", "name"), pick("x", "user")
    ('Rita', None, None)
    """
    for step in steps:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def either(*values: Any) -> Any:
    """The first that is something; as an expression also where one before it names what is not there.

    >>> either(None, "", "b", "c")
    'b'
    >>> expression("either(item.a.b, first(item.tags.filter(t, t.id > 1)).name, item.c)", names=["item"])(
    ...     {"item": {"c": 1, "tags": []}})
    1
    """
    return next((value for value in values if value not in (None, "")), None)


def _escaped(value: Any) -> str:
    return "<br>\n".join(html.escape(line) for line in text(value).split("\n"))


FUNCTIONS: dict[str, Function] = {
    "text": text,
    "number": number,
    "first": first,
    "flat": lambda value: [each for inner in value or () for each in (inner if isinstance(inner, list) else [inner])],
    "lookup": lookup,
    "pick": pick,
    "either": either,
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
