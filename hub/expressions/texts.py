"""Texts that contain {expressions}, and request bodies made of such texts.

A text that is a single expression keeps the type of its result: "{number(fields.status)}" is a number in JSON.
In a body, a key whose text gives None is left out; so is an object whose "$when" is not true.
"{{" and "}}" are literal braces.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from hub.core.sentences import sentence
from hub.expressions import BadExpression, Expression, expression
from hub.expressions import text as plain

Functions = Mapping[str, Callable[..., Any]]
WHEN = "$when"


class Unsaid(str):
    """An empty text that counts as None when it is a whole value; in comparisons and within texts it is an empty text.

    >>> text_of("{a}", names=["a"], functions={}).value({"a": Unsaid()}) is None
    True
    >>> text_of("{a == ''}", names=["a"], functions={}).value({"a": Unsaid()})
    True
    """


@dataclass(frozen=True)
class Text:
    """A text as a sequence of literal parts and expressions."""

    parts: tuple[str | Expression, ...]

    def value(self, values: Mapping[str, Any]) -> Any:
        """The result: of any type if the text is a single expression, otherwise text."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Expression):
            found = self.parts[0](values)
            return None if isinstance(found, Unsaid) else found
        return self.text(values)

    def text(self, values: Mapping[str, Any]) -> str:
        pattern, read = self._filling
        return pattern % tuple([each(values) for each in read])

    @cached_property
    def _filling(self) -> tuple[str, tuple[Callable[[Mapping[str, Any]], str], ...]]:
        """A %-pattern and the readers of the expressions, built once and used for every record."""
        pattern = "".join(part.replace("%", "%%") if isinstance(part, str) else "%s" for part in self.parts)
        return pattern, tuple(part.text_in for part in self.parts if not isinstance(part, str))

    def path(self, values: Mapping[str, Any]) -> str:
        """The text as a URL path, in which values cannot leave their path segment. Raises ValueError if one could.

        A text that begins with an expression is a URL given by the vendor and stays unchanged.
        """
        if self.parts and isinstance(self.parts[0], Expression):
            return self.text(values)
        found = []
        for part in self.parts:
            piece = part if isinstance(part, str) else quote(plain(part(values)), safe="")
            if not isinstance(part, str) and piece in ("", ".", ".."):
                raise ValueError(sentence("A part of the address is empty or leads outside the path."))
            found.append(piece)
        return "".join(found)

    @property
    def names(self) -> set[str]:
        return {name for part in self.expressions for name in part.names}

    @property
    def expressions(self) -> list[Expression]:
        return [part for part in self.parts if isinstance(part, Expression)]


def text_of(source: str, *, names: Collection[str], functions: Functions) -> Text:
    """The text, ready to be filled in. Raises BadExpression for an unmatched brace or an invalid expression.

    >>> text_of("/issues/{item.id}.json", names=["item"], functions={}).path({"item": {"id": "a/b"}})
    '/issues/a%2Fb.json'
    >>> text_of("{item.id}", names=["item"], functions={}).value({"item": {"id": 5}})
    5
    >>> text_of("{{x}}", names=[], functions={}).value({})
    '{x}'
    """
    parts: list[str | Expression] = []
    literal = ""
    at = 0
    while at < len(source):
        if source[at : at + 2] in ("{{", "}}"):
            literal += source[at]
            at += 2
        elif source[at] == "{":
            end = _end(source, at)
            if literal:
                parts.append(literal)
                literal = ""
            parts.append(expression(source[at + 1 : end], names=names, functions=functions))
            at = end + 1
        elif source[at] == "}":
            raise BadExpression(sentence("There is a } without a {. Write }} for a literal brace."))
        else:
            literal += source[at]
            at += 1
    if literal or not parts:
        parts.append(literal)
    return Text(tuple(parts))


def _end(source: str, at: int) -> int:
    """The position of the closing brace. Braces in quoted texts do not count; those of CEL maps are matched."""
    depth = 0
    quoted = ""
    while at < len(source):
        char = source[at]
        if quoted:
            if char == "\\":
                at += 1
            elif char == quoted:
                quoted = ""
        elif char in "\"'":
            quoted = char
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise BadExpression(sentence("There is a { without a }. Write {{ for a literal brace."))


_NOTHING = object()


@dataclass(frozen=True)
class Tree:
    """A request body with its fixed parts and the parts to be filled in."""

    root: Any

    def value(self, values: Mapping[str, Any]) -> Any:
        found = _filled(self.root, values)
        return None if found is _NOTHING else found

    @property
    def expressions(self) -> list[Expression]:
        return list(_expressions(self.root))


def _filled(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, Text):
        found = node.value(values)
        return _NOTHING if found is None else found
    if isinstance(node, dict):
        when = node.get(WHEN)
        if when is not None and when.value(values) is not True:
            return _NOTHING
        filled = [(key, _filled(inner, values)) for key, inner in node.items() if key != WHEN]
        return {
            key.text(values) if isinstance(key, Text) else key: inner for key, inner in filled if inner is not _NOTHING
        }
    if isinstance(node, list):
        return [inner for inner in (_filled(each, values) for each in node) if inner is not _NOTHING]
    return node


def _expressions(node: Any) -> Iterator[Expression]:
    if isinstance(node, Text):
        yield from node.expressions
    elif isinstance(node, dict):
        for key, inner in node.items():
            yield from _expressions(key)
            yield from _expressions(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _expressions(inner)


def tree_of(
    value: Any,
    *,
    names: Collection[str],
    functions: Functions,
    bad: Callable[[str, BadExpression, str], None],
) -> Tree:
    """The body, ready to be filled in, including the names of its keys.

    `bad` is called for each invalid text with its place, the error and the text.

    >>> tree = tree_of({"{a}": "{b}"}, names=["a", "b"], functions={}, bad=print)
    >>> tree.value({"a": "cf_1", "b": 2})
    {'cf_1': 2}
    """

    def text(source: str, where: str) -> Text | None:
        try:
            return text_of(source, names=names, functions=functions)
        except BadExpression as error:
            bad(where, error, source)
            return None

    def made(node: Any, where: str) -> Any:
        if isinstance(node, str):
            return text(node, where)
        if isinstance(node, Mapping):
            inside = [(str(key), f"{where}.{key}".strip("."), inner) for key, inner in node.items()]
            return {text(key, at) if "{" in key else key: made(inner, at) for key, at, inner in inside}
        if isinstance(node, list):
            return [made(inner, f"{where}.{n}".strip(".")) for n, inner in enumerate(node)]
        return node

    return Tree(made(value, ""))
