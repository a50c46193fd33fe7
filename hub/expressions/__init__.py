"""Expressions that admins write, in CEL: checked when they are saved, bounded when they run.

An expression is at most 1,000 characters, has no macro within a macro, no patterns, and sees lists of
at most 10,000 entries; what it could come to is bounded at each step (limits). It can read what it is given and
call what is listed in `functions` and `judging`; it can do nothing else. Whoever follows a path that is not there,
or leads through null, gets nothing, so that an optional field needs no ceremony; `item.x == null` is true only for
a field that is there and null, and `has(item.x)` says whether it is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

import cel

from hub.core.sentences import sentence
from hub.expressions import quick
from hub.expressions.errors import BadExpression, Failed
from hub.expressions.functions import FUNCTIONS, text
from hub.expressions.judging import Judged, judged, reason_of, unknown
from hub.expressions.limits import Growth, bounded, rationed
from hub.expressions.reading import arguments, blanked, closing, parts_of

__all__ = ["FUNCTIONS", "BadExpression", "Expression", "Failed", "expression", "text"]

LONGEST = 1000

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d{1,4}\]|\[\"[^\"\\]{1,80}\"\]|\['[^'\\]{1,80}'\])*")
_RESERVED = {"true", "false", "null", "in"}

_FAULTS = (TypeError, ValueError, RuntimeError, ArithmeticError, AttributeError)
"""What the engine and our functions raise for values that do not fit an expression."""

Function = Callable[..., Any]


class Expression:
    """One expression, ready to run; equal texts with equal names are the same object."""

    def __init__(self, source: str, names: Collection[str], functions: Mapping[str, Function]) -> None:
        if len(source) > LONGEST:
            raise BadExpression(
                sentence("It has %(count)s characters; at most %(most)s are allowed.", count=len(source), most=LONGEST)
            )
        self.source = source
        self.steps = _steps(source)
        if self.steps and self.steps[0] not in names:
            raise BadExpression(unknown(str(self.steps[0]), names))
        self.quick = quick.walker(self.steps) if self.steps else quick.compiled(source, functions, names)
        self.choices = () if self.quick else tuple(Expression(each, names, functions) for each in _choices(source))
        # What is quick is judged by the engine all the same, so that it means the same.
        plain = Judged(None, [str(self.steps[0])], {}, {}) if self.steps else None
        self.judged = plain or judged(source, names, functions)
        self.names, self.functions = self.judged.names, self.judged.functions
        self.parts = {name: parts_of(source, name) for name in self.names}
        self.growth = Growth.of(source, self.names, self.functions)
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
        """Whether it fails only for looking into nothing, as `first([]).name` does: the engine says no more than that
        kinds do not fit. Where nothing is an empty table, such a path is one that is not there."""
        functions = {name: _empty_for_none(function) for name, function in self.functions.items()}
        try:
            self._run({name: _without_none(value) for name, value in self._given(values).items()}, functions)
        except (KeyError, IndexError):
            return True
        except _FAULTS:
            return False  # it fails for another reason too; the caller reports the first failure
        return False

    def _known(self, name: str, value: Any) -> Any:
        """What of a record the expression looks at, bounded: the rest need not be brought before the engine."""
        parts = self.parts[name]
        if parts is None or not isinstance(value, Mapping):
            return bounded(value)
        return {key: bounded(value[key]) for key in parts if key in value}

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"


def _is_there(values: Mapping[str, Any], steps: tuple[str | int, ...]) -> bool:
    """Whether a path leads to something, null included."""
    try:
        quick.walker(steps)(values)
    except quick.Absent:
        return False
    return True


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
        except _FAULTS:
            found = expression(values)  # fails again, and reports it as Failed
        return found if type(found) is str else text(found)

    return read


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
    hub.expressions.errors.BadExpression: There is no “ticket” here. Available: answer, item.
    """
    return _made(source.strip(), tuple(sorted(names)), tuple(sorted((FUNCTIONS | dict(functions or {})).items())))


@lru_cache(maxsize=4096)
def _made(source: str, names: tuple[str, ...], functions: tuple[tuple[str, Function], ...]) -> Expression:
    return Expression(source, names, dict(functions))


def _steps(source: str) -> tuple[str | int, ...]:
    """The steps of a plain path; empty for any other expression."""
    return quick.steps_of(source) if _PATH.fullmatch(source) and source not in _RESERVED else ()


def _choices(source: str) -> list[str]:
    """What an `either(…)` that is the whole expression chooses from, each a text of its own; none of any other."""
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
