"""ConnectWise's conditions, as far as the simulator supports them.

For example ``board/id in (3,2) and status/name!="Closed" and lastUpdated > [2026-01-05T09:30:00Z]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connectors.connectwise.simulated_tenant import refused
from connectors.kit.simulating import Json

_TOKEN = re.compile(
    r'\s*(?:(?P<text>"[^"]*")|(?P<time>\[[^\]]*\])|(?P<op><=|>=|!=|=|<|>)|(?P<mark>[(),])|(?P<word>[\w/.-]+))', re.ASCII
)
Test = Callable[[Json], bool]


def compiled(conditions: str) -> Test:
    """A test for records; 400 ApiFindCondition if the conditions cannot be parsed."""
    if not conditions.strip():
        return lambda record: True
    parser = _Parser(conditions)
    test = parser.either()
    if parser.peek() is not None:
        raise parser.wrong()
    return test


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise self.wrong()
            self.tokens.append((str(found.lastgroup), found[found.lastgroup or 0]))
            at = found.end()
        self.at = 0

    def wrong(self) -> Exception:
        return refused("ApiFindCondition", "The conditions cannot be understood.")

    def peek(self) -> tuple[str, str] | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self) -> tuple[str, str]:
        token = self.peek()
        if token is None:
            raise self.wrong()
        self.at += 1
        return token

    def is_next(self, word: str) -> bool:
        token = self.peek()
        if token is not None and token[1].lower() == word:
            self.at += 1
            return True
        return False

    def either(self) -> Test:
        tests = [self.all_of()]
        while self.is_next("or"):
            tests.append(self.all_of())
        return lambda record: any(test(record) for test in tests)

    def all_of(self) -> Test:
        tests = [self.one()]
        while self.is_next("and"):
            tests.append(self.one())
        return lambda record: all(test(record) for test in tests)

    def one(self) -> Test:
        if self.is_next("("):
            test = self.either()
            if not self.is_next(")"):
                raise self.wrong()
            return test
        kind, path = self.take()
        if kind != "word":
            raise self.wrong()
        operator = self.take()[1].lower()
        if operator == "in":
            values = self.several()
            return lambda record: any(_same(_at(record, path), value) for value in values)
        if operator not in _COMPARE:
            raise self.wrong()
        value = self.value()
        return lambda record: _COMPARE[operator](_at(record, path), value)

    def several(self) -> list[Any]:
        if not self.is_next("("):
            raise self.wrong()
        values = [self.value()]
        while self.is_next(","):
            values.append(self.value())
        if not self.is_next(")"):
            raise self.wrong()
        return values

    def value(self) -> Any:
        kind, token = self.take()
        if kind == "text":
            return token[1:-1]
        if kind == "time":
            return token[1:-1].rstrip("Z")
        if token.lower() in ("true", "false"):
            return token.lower() == "true"
        if token.lstrip("-").isdecimal():
            return int(token)
        raise self.wrong()


def _at(record: Json, path: str) -> Any:
    """The value at a path such as ``company/id``; times without their Z, for comparisons."""
    value: Any = record
    if path in ("lastUpdated", "dateEntered"):
        value = record.get("_info", {}).get(path)
        return str(value).rstrip("Z") if value else None
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _like(value: Any, pattern: Any) -> bool:
    expression = "".join(".*" if c in "%*" else re.escape(c) for c in str(pattern))
    return re.fullmatch(expression, str(value or ""), re.IGNORECASE | re.DOTALL) is not None


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return value.lower() == wanted.lower()
    return bool((value or False) == wanted if isinstance(wanted, bool) else value == wanted)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": _same,
    "!=": lambda value, wanted: not _same(value, wanted),
    "<": lambda value, wanted: value is not None and value < wanted,
    "<=": lambda value, wanted: value is not None and value <= wanted,
    ">": lambda value, wanted: value is not None and value > wanted,
    ">=": lambda value, wanted: value is not None and value >= wanted,
    "contains": lambda value, wanted: str(wanted).lower() in str(value or "").lower(),
    "like": _like,
}
