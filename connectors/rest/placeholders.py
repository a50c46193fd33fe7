"""Which names have a value in which request: one without a value would silently be left out of it.

Also applies `[defaults]` to every request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.rest.schema import Filled
from hub.expressions import Expression
from hub.expressions.texts import Text, Tree

from .profile import REQUEST, Profile, Step

PAGES = frozenset({"page", "offset", "limit", "cursor", "after"})
CHANGES = frozenset({"change", "fields"})
ALWAYS = frozenset(REQUEST)
OF_OPERATION: Mapping[str, frozenset[str]] = {
    "list": PAGES | {"since"},
    "get": frozenset({"key"}),
    "find": PAGES | {"reference"},
    "carrying": PAGES | {"prefix", "since"},
    "create": CHANGES,
    "update": CHANGES | {"key"},
    "note": CHANGES | {"key"},
    "file": CHANGES | {"key"},
    "download": frozenset({"key", "file"}),
    "person": frozenset({"key"}),
    "hooks": PAGES,
    "hook_create": frozenset({"hook"}),
    "hook_enable": frozenset({"hook", "item"}),
    "hook_delete": frozenset({"hook", "item"}),
    "who": frozenset(),
    "quota": frozenset(),
}
"""In addition to those that always have a value. The author's own operations get those of the table that uses them."""
DEFAULTS = ("method", "path", "query", "headers", "is_read")


def with_defaults(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The profile with `[defaults]` applied to every request that does not define the same key.

    >>> with_defaults({"defaults": {"method": "POST", "query": {"v": "1"}}, "operations": {"get": {"query": {"k": "2"}}}})
    {'operations': {'get': {'query': {'v': '1', 'k': '2'}, 'method': 'POST'}}}
    """  # noqa: E501
    told = {name: value for name, value in raw.items() if name != "defaults"}
    defaults, operations = raw.get("defaults"), raw.get("operations")
    if not isinstance(defaults, Mapping) or not isinstance(operations, Mapping):
        return dict(raw)
    told["operations"] = {
        name: [_filled(step, defaults) for step in steps] if isinstance(steps, list) else _filled(steps, defaults)
        for name, steps in operations.items()
    }
    return told


def _filled(step: Any, defaults: Mapping[str, Any]) -> Any:
    if not isinstance(step, Mapping):
        return step  # reported when it is read
    filled = dict(step)
    for name in DEFAULTS:
        default, own = defaults.get(name), step.get(name)
        if isinstance(default, Mapping) and isinstance(own, Mapping | None):
            filled[name] = {**default, **(own or {})}
        elif default is not None and own is None:
            filled[name] = default
    return filled


def unset(profile: Profile) -> Iterator[tuple[str, str, str]]:
    """Each name in a request that has no value there: its place, the name, and the names that have one."""
    for name, steps in profile.operations.items():
        there = _given(profile, name)
        if there is None:
            continue  # an unused operation, which is reported elsewhere
        for number, step in enumerate(steps):
            where = f"operations.{name}" if len(steps) == 1 else f"operations.{name}.{number}"
            for part, used in _used(step):
                for each in sorted(used - there - ALWAYS):
                    yield f"{where}.{part}", each, ", ".join(sorted(there)) or "nothing"


def _given(profile: Profile, name: str) -> frozenset[str] | None:
    found: set[str] = set()
    is_used = name in OF_OPERATION
    found |= OF_OPERATION.get(name, frozenset())
    if name in {row.operation for row in profile.notes} | {row.operation for row in profile.files}:
        found, is_used = found | PAGES | {"key", "item"}, True
    for note in profile.notes:
        if note.detail == name:
            found, is_used = found | {"key", "note", "item"}, True
    if name in {row.detail for row in profile.files}:
        found, is_used = found | {"key", "item"}, True
    if any(row.operation == name for row in profile.picklists.values()):
        found, is_used = found | PAGES, True
    return frozenset(found) if is_used else None


def _used(step: Step) -> Iterator[tuple[str, set[str]]]:
    parts = ("path", "query", "headers", "body", "form", "multipart", "file_name", "when", "require", "refuse")
    for part in parts:
        names = {name for each in _expressions(getattr(step, part)) for name in each.names}
        if names:
            yield part, names


def _expressions(value: Any) -> Iterator[Expression]:
    if isinstance(value, Expression):
        yield value
    elif isinstance(value, Text | Tree):
        yield from value.expressions
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(key, Filled):
                yield from key.text.expressions
            yield from _expressions(inner)
