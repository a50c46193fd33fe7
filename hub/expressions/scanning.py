"""Finds quoted texts, brackets, macros, calls and the parts of a record in the source of an expression."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
MACRO = re.compile(r"\.\s*(map|filter|all|exists|exists_one)\s*\(")
OWN = re.compile(r"\.\s*(map|filter|all|exists|exists_one)\s*\(\s*([A-Za-z_]\w*)\s*,")
"""A macro with the name that it gives each entry."""
_CALL = re.compile(r"(\.\s*)?(?<!\w)([A-Za-z_]\w*)\s*\(")
_OPENS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def blanked(source: str) -> str:
    """The source with quoted texts replaced by letters, so that brackets and names in texts are not found.

    >>> blanked("a + '(b)'")
    'a + xxxxx'
    """
    return QUOTED.sub(lambda found: "x" * len(found[0]), source)


def closing(plain: str, begins: int) -> int:
    """The position of the bracket that closes the one before `begins`; the end of the text if there is none."""
    depth = 1
    for at in range(begins, len(plain)):
        depth += _OPENS.get(plain[at], 0)
        if depth == 0:
            return at
    return len(plain)


def arguments(plain: str, begins: int) -> list[tuple[int, int]]:
    """The start and end of each argument of the call whose brackets open before `begins`.

    >>> arguments("f(a, [b, c])", 2)
    [(2, 3), (4, 11)]
    """
    end, depth, found, start = closing(plain, begins), 0, [], begins
    for at in range(begins, end):
        depth += _OPENS.get(plain[at], 0)
        if depth == 0 and plain[at] == ",":
            found.append((start, at))
            start = at + 1
    return [*found, (start, end)] if plain[begins:end].strip() else []


def macros_deep(source: str) -> int:
    """How deeply macros are nested.

    >>> macros_deep("a.map(x, x.all(y, y))"), macros_deep("a.map(x, x).map(y, y)")
    (2, 1)
    """
    plain = blanked(source)
    spans = [(found.end(), closing(plain, found.end())) for found in MACRO.finditer(plain)]
    return max((sum(begins <= at < ends for begins, ends in spans) for at, _end in spans), default=0)


@dataclass(frozen=True)
class Call:
    """A call of a function, or of a method on the value before the dot."""

    name: str
    is_method: bool
    given: int
    """The number of arguments in its brackets."""


def calls(source: str) -> Iterator[Call]:
    """All calls in an expression.

    >>> [(c.name, c.is_method, c.given) for c in calls("size(a.filter(t, t > 1)) + b.size()")]
    [('size', False, 1), ('filter', True, 2), ('size', True, 0)]
    """
    plain = blanked(source)
    for found in _CALL.finditer(plain):
        if found[2] != "in":
            yield Call(found[2], found[1] is not None, len(arguments(plain, found.end())))


def parts_of(source: str, name: str) -> set[str] | None:
    """The keys of a record that the expression reads; None if it uses the record as a whole."""
    plain = QUOTED.sub("''", source)
    found = re.findall(rf"(?<![\w.]){name}(?!\w)(\.[A-Za-z_]\w*(?!\w)(?!\s*\())?", plain)
    return {each[1:] for each in found} if found and all(found) else None
