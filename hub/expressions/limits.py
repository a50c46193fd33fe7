"""How large what an expression works on may become, at each of its steps.

The engine has no limits of its own (cel 0.10: a text that is added to itself in a row of `map`s doubles at each), so
what it could come to at worst is reckoned before it runs, from how it is written and from the size of what it is
given. Functions are ours: each looks at its own result, and all in one run share what is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.core.sentences import sentence
from hub.expressions.errors import BadExpression, Failed
from hub.expressions.reading import MACRO, blanked, closing, parts_of

MOST_IN_A_LIST = 10_000
MOST_CHARACTERS = 4_000_000
"""Of what one function gives."""
MOST_OF_A_FILE = 32_000_000
"""Characters of a file in base64, which come and go as one text."""
MOST_IN_A_RUN = 64_000_000
"""Characters of everything in one run of the engine."""
MOST_GROWTH = 1_000_000
DEEPEST = 40

_OF_ONE = 8
"""What anything that is no text counts as, in characters."""
_LISTS = {"split", "flat"}
_ADDING = re.compile(r"[+,]")


def kept(found: Any, most: int = MOST_CHARACTERS) -> Any:
    """The text as it is; Failed where it is too long."""
    if len(found) > most:
        raise Failed(sentence("A text has more than %(most)s characters.", most=f"{most:,}"))
    return found


def few(entries: int) -> None:
    """Failed for a list that is too long."""
    if entries > MOST_IN_A_LIST:
        raise Failed(sentence("It uses a list of more than %(most)s entries.", most=f"{MOST_IN_A_LIST:,}"))


def bounded(value: Any, depth: int = 0) -> Any:
    """The value with nothing that CEL does not know; Failed for a list that is too long."""
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
    """How many characters it counts as: those of its texts, and a little for everything else.

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
    """The length of the longest list in it."""
    if isinstance(value, dict):
        return max(map(longest_in, value.values()), default=0)
    if isinstance(value, list):
        return max(len(value), max(map(longest_in, value), default=0))
    return 0


@dataclass(frozen=True)
class Growth:
    """What the way an expression is written can make of what it is given."""

    times: int
    """How often anything can stand in the result beside itself."""
    repeated: Mapping[str, set[str] | None]
    """Names whose parts (None: the whole) are looked at anew for each entry of a list."""
    makes_lists: bool

    @classmethod
    def of(cls, source: str, names: Collection[str], functions: Collection[str]) -> Growth:
        """:raises BadExpression: where a short value could become millions of characters"""
        plain = blanked(source)
        times, rest = 1, list(plain)
        repeated: dict[str, set[str] | None] = {}
        for found in MACRO.finditer(plain):
            end = closing(plain, found.end())
            body = plain[found.end() : end]
            # The comma behind the name of each entry adds nothing.
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
        """How many characters functions may give in this run; Failed where what it is given is too much already."""
        at_worst = size_of(given)
        if self.repeated:
            entries = max(longest_in(given), MOST_IN_A_LIST if self.makes_lists else 0)
            at_worst += entries * sum(_repeated(given.get(name), parts) for name, parts in self.repeated.items())
        left = MOST_IN_A_RUN // self.times - at_worst
        if left < 0:
            raise Failed(
                sentence(
                    "The result could come to more than %(most)s characters. Shorten the values with cut(…).",
                    most=f"{MOST_IN_A_RUN:,}",
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
    """The functions, together giving no more than so many characters; Failed beyond."""

    def limited(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            nonlocal left
            found = function(*given)
            left -= size_of(found)
            if left < 0:
                raise Failed(sentence("The result has more than %(most)s characters.", most=f"{MOST_IN_A_RUN:,}"))
            return found

        return run

    return {name: limited(function) for name, function in functions.items()}
