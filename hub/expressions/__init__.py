"""Expressions that admins write in CEL: checked when they are saved, limited when they run.

An expression has at most 1,000 characters, no nested macros and no regular expressions, and lists have at most
10,000 entries; the size of its result is limited at each step (see `limits`). It can read only the values it is given
and call only the functions listed in `functions` and `judging`. A path that does not exist, or that leads through
null, gives None, so that optional fields need no special handling; `item.x == null` is true only if the field exists
and is null, and `has(item.x)` tells whether it exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

import cel

from hub.core.sentences import sentence
from hub.expressions import simple
from hub.expressions.compiling import Judged, judged, reason_of, unknown
from hub.expressions.errors import BadExpression, Failed
from hub.expressions.functions import FUNCTIONS, text
from hub.expressions.limits import Growth, bounded, rationed
from hub.expressions.scanning import arguments, blanked, closing, parts_of

__all__ = ["FUNCTIONS", "BadExpression", "Expression", "Failed", "expression", "text"]

LONGEST = 1000

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d{1,4}\]|\[\"[^\"\\]{1,80}\"\]|\['[^'\\]{1,80}'\])*")
_RESERVED = {"true", "false", "null", "in"}

_FAULTS = (TypeError, ValueError, RuntimeError, ArithmeticError, AttributeError)
"""What the engine and our functions raise for values that an expression cannot process."""

Function = Callable[..., Any]


class Expression:
    """One expression, ready to run. Equal sources with equal names share one object."""

    def __init__(self, source: str, names: Collection[str], functions: Mapping[str, Function]) -> None:
        if len(source) > LONGEST:
            raise BadExpression(
                sentence(
                    "The expression has %(count)s characters; at most %(most)s are allowed.",
                    count=len(source),
                    most=LONGEST,
                )
            )
        self.source = source
        self.steps = _steps(source)
        if self.steps and self.steps[0] not in names:
            raise BadExpression(unknown(str(self.steps[0]), names))
        self.quick = simple.walker(self.steps) if self.steps else simple.compiled(source, functions, names)
        self.choices = () if self.quick else tuple(Expression(each, names, functions) for each in _choices(source))
        # The engine also checks expressions that run without it, so that both accept the same.
        plain = Judged(None, [str(self.steps[0])], {}, {}) if self.steps else None
        self.judged = plain or judged(source, names, functions)
        self.names, self.functions = self.judged.names, self.judged.functions
        self.parts = {name: parts_of(source, name) for name in self.names}
        self.growth = Growth.of(source, self.names, self.functions)
        self.text_in = _text_of(self)
        """The result as text; empty if something it names does not exist. Raises Failed if it cannot be evaluated."""

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """The result; None if something it names does not exist. Raises Failed if it cannot be evaluated."""
        try:
            if self.quick is not None:
                return self.quick(values)
            if self.choices:
                return next((found for each in self.choices if (found := each(values)) not in (None, "")), None)
            return self._run(self._given(values), self.functions)
        except (simple.Absent, KeyError, IndexError):
            return None
        except TypeError as error:
            if self._leads_nowhere(values):
                return None
            raise Failed(sentence("%(source)s: %(reason)s", source=self.source, reason=reason_of(error))) from error
        except Failed as error:
            raise Failed(sentence("%(source)s: %(reason)s", source=self.source, reason=str(error))) from error
        except _FAULTS as error:
            raise Failed(sentence("%(source)s: %(reason)s", source=self.source, reason=reason_of(error))) from error

    def _run(self, known: Mapping[str, Any], functions: Mapping[str, Function]) -> Any:
        mine = rationed(functions, self.growth.left(known))
        return self.judged.program.execute(cel.Context(variables=dict(known), functions=mine))

    def _given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        known = {name: self._known(name, values[name]) for name in self.names if name in values}
        return known | {name: _is_there(values, steps) for name, steps in self.judged.asked.items()}

    def _leads_nowhere(self, values: Mapping[str, Any]) -> bool:
        """Whether it fails only because it looks into None, as `first([]).name` does.

        The engine reports such a failure only as a type error. If it succeeds or misses a key once None is replaced by
        an empty object, the path simply does not exist.
        """
        functions = {name: _empty_for_none(function) for name, function in self.functions.items()}
        try:
            self._run({name: _without_none(value) for name, value in self._given(values).items()}, functions)
        except (KeyError, IndexError):
            return True
        except _FAULTS:
            return False  # it also fails for another reason; the caller reports the first failure
        return False

    def _known(self, name: str, value: Any) -> Any:
        """The parts of a record that the expression uses, within the limits; the engine does not get the rest."""
        parts = self.parts[name]
        if parts is None or not isinstance(value, Mapping):
            return bounded(value)
        return {key: bounded(value[key]) for key in parts if key in value}

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"


def _is_there(values: Mapping[str, Any], steps: tuple[str | int, ...]) -> bool:
    """Whether a path exists, even if its value is null."""
    try:
        simple.walker(steps)(values)
    except simple.Absent:
        return False
    return True


def _text_of(expression: Expression) -> Callable[[Mapping[str, Any]], str]:
    """A function that gives the result as text. Polls use it for every field of every record, so it must be fast."""
    steps = expression.steps
    if len(steps) in (2, 3):
        return simple.path_as_text(steps, text)
    run = expression.quick
    if run is None:
        return lambda values: text(expression(values))

    def read(values: Mapping[str, Any]) -> str:
        try:
            found = run(values)
        except (simple.Absent, KeyError, IndexError):
            return ""
        except _FAULTS:
            found = expression(values)  # fails again, and reports it as Failed
        return found if type(found) is str else text(found)

    return read


def expression(source: str, *, names: Collection[str], functions: Mapping[str, Function] | None = None) -> Expression:
    """The expression over these names. Raises BadExpression if it is not valid.

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
    hub.expressions.errors.BadExpression: Unknown name “ticket”. Available: answer, item.
    """
    return _made(source.strip(), tuple(sorted(names)), tuple(sorted((FUNCTIONS | dict(functions or {})).items())))


@lru_cache(maxsize=4096)
def _made(source: str, names: tuple[str, ...], functions: tuple[tuple[str, Function], ...]) -> Expression:
    return Expression(source, names, dict(functions))


def _steps(source: str) -> tuple[str | int, ...]:
    """The steps of a plain path; empty for all other expressions."""
    return simple.steps_of(source) if _PATH.fullmatch(source) and source not in _RESERVED else ()


def _choices(source: str) -> list[str]:
    """The sources of the arguments if the whole expression is one `either(…)`; empty for all other expressions."""
    found = re.match(r"either\s*\(", source)
    plain = blanked(source)
    if found is None or closing(plain, found.end()) != len(source) - 1:
        return []
    choices = [source[begins:ends].strip() for begins, ends in arguments(plain, found.end())]
    return choices if all(choices) else []


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value


def _empty_for_none(function: Function) -> Function:
    def run(*given: Any) -> Any:
        found = function(*given)
        return {} if found is None else found

    return run
