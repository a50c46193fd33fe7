"""Simple expressions without the engine: paths, calls of our functions on paths, and comparisons of two of these.

Most expressions in profiles are this simple, and run about twenty times faster this way. They have the same meaning as
in CEL: if a path does not exist, the whole expression gives None. All other expressions are left to CEL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

Run = Callable[[Mapping[str, Any]], Any]
_TOKEN = re.compile(
    r"\s*(?:(?P<path>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d{1,4}\]|\[\"[^\"\\]{1,80}\"\]|\['[^'\\]{1,80}'\])*)"
    r"|(?P<tail>(?:\.[A-Za-z_]\w*|\[\d{1,4}\]|\[\"[^\"\\]{1,80}\"\]|\['[^'\\]{1,80}'\])+)"
    r"|(?P<text>\"[^\"\\]*\"|'[^'\\]*')|(?P<number>\d{1,15})(?![\w.])|(?P<mark>==|!=|[(),]))"
)
_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]|\[\"([^\"]+)\"\]|\['([^']+)'\]")
_WORDS = {"true": True, "false": False, "null": None}


class Absent(Exception):
    """A path does not exist."""


class NotQuick(Exception):
    """The expression is not one of the simple forms."""


def steps_of(path: str) -> tuple[str | int, ...]:
    """The steps of a plain path.

    >>> steps_of("item.a[0]['b-c']")
    ('item', 'a', 0, 'b-c')
    """
    return tuple(int(n) if n else name or quoted or single for name, n, quoted, single in _STEP.findall(path))


def walker(steps: tuple[str | int, ...]) -> Run:
    """A function that follows a path. It raises Absent if the path does not exist."""
    first, *rest = steps
    if len(rest) == 1 and isinstance(rest[0], str):
        only = rest[0]

        def step_in(values: Mapping[str, Any]) -> Any:
            # By far the most common paths, read for every field of every record.
            try:
                return values[first][only]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                raise Absent from None

        return step_in

    def walk(values: Mapping[str, Any]) -> Any:
        try:
            found = values[first]  # type: ignore[index]
        except KeyError:
            raise Absent from None
        return _into(found, rest)

    return walk


def _into(found: Any, steps: Iterable[str | int]) -> Any:
    try:
        for step in steps:
            if type(found) is str:
                raise Absent  # a text has no entries, though Python can index its characters
            found = found[step]
    except (KeyError, IndexError, TypeError):
        raise Absent from None
    return found


def path_as_text(steps: tuple[str | int, ...], text: Callable[[Any], str]) -> Callable[[Mapping[str, Any]], str]:
    """A function that follows a path of two or three steps and gives its text; empty if the path does not exist."""
    if not all(isinstance(step, str) for step in steps):
        follow = walker(steps)

        def of_entry(values: Mapping[str, Any]) -> str:
            try:
                return text(follow(values))
            except Absent:
                return ""

        return of_entry
    name, first, *rest = steps
    second = rest[0] if rest else None

    def of_record(values: Mapping[str, Any]) -> str:
        try:
            found = values[name][first]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return ""
        return found if type(found) is str else text(found)

    def of_part(values: Mapping[str, Any]) -> str:
        try:
            found = values[name][first][second]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return ""
        return found if type(found) is str else text(found)

    return of_part if rest else of_record


def compiled(source: str, functions: Mapping[str, Callable[..., Any]], names: Collection[str]) -> Run | None:
    """The expression as a function of its values; None if it needs CEL."""
    try:
        reader = _Reader(source, functions, names)
        run = reader.comparison()
        reader.end()
    except NotQuick:
        return None
    return run


class _Reader:
    def __init__(self, source: str, functions: Mapping[str, Callable[..., Any]], names: Collection[str]) -> None:
        self.functions, self.names = functions, names
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while source[at:].strip():
            found = _TOKEN.match(source, at)
            if found is None:
                raise NotQuick
            self.tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            at = found.end()
        self.at = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, mark: str = "") -> tuple[str, str]:
        token = self.peek()
        if token[0] == "end" or (mark and token[1] != mark):
            raise NotQuick
        self.at += 1
        return token

    def end(self) -> None:
        if self.peek()[0] != "end":
            raise NotQuick

    def comparison(self) -> Run:
        left = self.side()
        if self.peek()[1] not in ("==", "!="):
            return left
        is_equal = self.take()[1] == "=="
        right = self.side()
        return lambda values: _same(left(values), right(values)) is is_equal

    def side(self) -> Run:
        kind, token = self.take()
        if kind == "text":
            return lambda values: token[1:-1]
        if kind == "number":
            number = int(token)
            return lambda values: number
        if kind != "path":
            raise NotQuick
        if self.peek()[1] == "(":
            return self.followed(self.call(token))
        if token in _WORDS:
            return lambda values: _WORDS[token]
        steps = steps_of(token)
        if steps[0] not in self.names:
            raise NotQuick
        return walker(steps)

    def followed(self, run: Run) -> Run:
        """A call, with the path into its result if one follows it."""
        kind, tail = self.peek()
        if kind != "tail":
            return run
        self.take()
        if self.peek()[1] == "(":
            raise NotQuick  # a method of CEL's own
        steps = steps_of(tail)

        return lambda values: _into(run(values), steps)

    def call(self, name: str) -> Run:
        if name not in self.functions:
            raise NotQuick
        function = self.functions[name]
        arguments: list[Run] = []
        self.take("(")
        while self.peek()[1] != ")":
            arguments.append(self.side())
            if self.peek()[1] != ")":
                self.take(",")
        self.take(")")
        if name == "either":
            return _either(arguments)
        if len(arguments) == 1:
            only = arguments[0]
            return lambda values: function(only(values))
        return lambda values: function(*[argument(values) for argument in arguments])


def _either(arguments: list[Run]) -> Run:
    """`either`, the only function that skips arguments that do not exist."""

    def run(values: Mapping[str, Any]) -> Any:
        for argument in arguments:
            try:
                found = argument(values)
            except Absent:
                continue
            if found is not None and found != "":
                return found
        return None

    return run


def _same(left: Any, right: Any) -> bool:
    """Equality as in CEL: a boolean never equals a number."""
    if type(left) is str and type(right) is str:
        return left == right
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)
