"""Limits for the size of values at each step of an expression.

The engine has no limits of its own (cel 0.10: a text that is added to itself in consecutive `map`s doubles each time).
Therefore the largest possible result is estimated before the expression runs, from its source and from the size of its
input. Our own functions check their results, and all calls in one run share the remaining characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.core.sentences import sentence
from hub.expressions.errors import BadExpression, Failed
from hub.expressions.scanning import MACRO, blanked, closing, parts_of

MOST_IN_A_LIST = 10_000
MOST_CHARACTERS = 4_000_000
"""The most characters one function may return."""
MOST_OF_A_FILE = 32_000_000
"""The most characters of a file in base64, which is one text."""
MOST_IN_A_RUN = 64_000_000
"""The most characters of all values in one run of the engine."""
MOST_GROWTH = 1_000_000
DEEPEST = 40

_OF_ONE = 8
"""How many characters a value counts that is not a text."""
_LISTS = {"split", "flat"}
_ADDING = re.compile(r"[+,]")


def too_long(most: int) -> str:
    """The reason for a text that is longer than `most` characters, a whole number of millions."""
    return sentence("A text has more than %(millions)s million characters.", millions=most // 1_000_000)


def kept(found: Any, most: int = MOST_CHARACTERS) -> Any:
    """The unchanged text. Raises Failed if it is too long."""
    if len(found) > most:
        raise Failed(too_long(most))
    return found


def few(entries: int) -> None:
    """Raise Failed for a list that is too long."""
    if entries > MOST_IN_A_LIST:
        raise Failed(sentence("A list has more than %(most)s entries.", most=MOST_IN_A_LIST))


def bounded(value: Any, depth: int = 0) -> Any:
    """The value in types that CEL knows. Raises Failed for a list that is too long."""
    if isinstance(value, Mapping):
        if depth > DEEPEST:
            return None
        return {str(key): bounded(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        few(len(value))
        return [] if depth > DEEPEST else [bounded(inner, depth + 1) for inner in value]
    if value is None or isinstance(value, str | bytes | bool | float | datetime):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    return str(value)


def size_of(value: Any) -> int:
    """The size in characters: those of its texts, and a few for every other value.

    >>> size_of("abc"), size_of([1, "abc"]), size_of({"a": None})
    (3, 19, 17)
    """
    if type(value) is str or type(value) is bytes:
        return len(value)
    if isinstance(value, dict):
        return _OF_ONE + sum(len(str(key)) + size_of(inner) for key, inner in value.items())
    if isinstance(value, list):
        return _OF_ONE + sum(map(size_of, value))
    return _OF_ONE


def longest_in(value: Any) -> int:
    """The length of the longest list in a value."""
    if isinstance(value, dict):
        return max(map(longest_in, value.values()), default=0)
    if isinstance(value, list):
        return max(len(value), max(map(longest_in, value), default=0))
    return 0


@dataclass(frozen=True)
class Growth:
    """How much an expression can enlarge its input, judged by its source."""

    times: int
    """How often the same value can occur in the result at most."""
    repeated: Mapping[str, set[str] | None]
    """Names whose parts (None: the whole value) are read again for each entry of a list."""
    makes_lists: bool

    @classmethod
    def of(cls, source: str, names: Collection[str], functions: Collection[str]) -> Growth:
        """The growth of an expression. Raises BadExpression if a short value could become millions of characters."""
        plain = blanked(source)
        times, rest = 1, list(plain)
        repeated: dict[str, set[str] | None] = {}
        for found in MACRO.finditer(plain):
            end = closing(plain, found.end())
            body = plain[found.end() : end]
            # The comma after the name of the entry adds nothing.
            times *= max(1, len(_ADDING.findall(body)))
            rest[found.end() : end] = " " * (end - found.end())
            repeated |= {name: parts_of(source[found.end() : end], name) for name in names if _names(body, name)}
        times *= len(_ADDING.findall("".join(rest))) + 1
        if times > MOST_GROWTH:
            raise BadExpression(
                sentence("The result could have millions of characters even for a short text. Use + or map less often.")
            )
        return cls(times, repeated, bool(_LISTS & set(functions)))

    def left(self, given: Mapping[str, Any]) -> int:
        """How many characters functions may return in this run. Raises Failed if the input alone is too large."""
        at_worst = size_of(given)
        if self.repeated:
            entries = max(longest_in(given), MOST_IN_A_LIST if self.makes_lists else 0)
            at_worst += entries * sum(_repeated(given.get(name), parts) for name, parts in self.repeated.items())
        left = MOST_IN_A_RUN // self.times - at_worst
        if left < 0:
            raise Failed(
                sentence(
                    "The result could exceed %(millions)s million characters. Shorten the values with cut(…).",
                    millions=MOST_IN_A_RUN // 1_000_000,
                )
            )
        return left


def _names(body: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){name}(?!\w)", body) is not None


def _repeated(value: Any, parts: set[str] | None) -> int:
    if parts is None or not isinstance(value, dict):
        return size_of(value)
    return sum(size_of(value[part]) for part in parts if part in value)


def rationed(functions: Mapping[str, Callable[..., Any]], left: int) -> dict[str, Callable[..., Any]]:
    """The functions, limited to `left` characters in all. They raise Failed beyond that."""

    def limited(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            nonlocal left
            found = function(*given)
            left -= size_of(found)
            if left < 0:
                raise Failed(
                    sentence(
                        "The result has more than %(millions)s million characters.",
                        millions=MOST_IN_A_RUN // 1_000_000,
                    )
                )
            return found

        return run

    return {name: limited(function) for name, function in functions.items()}
