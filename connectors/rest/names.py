"""Checks that every setting, field and step that a profile uses exists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from connectors.rest.schema import Filled
from hub.core.sentences import sentence
from hub.expressions import Expression
from hub.expressions.texts import Text, Tree

from .profile import Profile, Step

Wrong = Callable[[str, str], None]
CHANGE = {
    "id",
    "kind",
    "key",
    "reference",
    "ticket",
    "visibility",
    "text",
    "marked",
    "mark",
    "name",
    "content",
    "size",
    "type",
}
_TEXTS = re.compile(
    r"(?<![\w.])(me|key|since|reference|prefix|cursor|after|page|offset|limit)\.([A-Za-z_]\w*)(?!\w*\s*\()"
)
_BARE = re.compile(r"(?:fields|change|settings|secrets|steps|heads)\.\w[\w.]*")
_NAMED = re.compile(r"(?<![\w.])(settings|secrets|fields|change|steps|heads)\.([A-Za-z_]\w*)")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")


def check(profile: Profile, wrong: Wrong) -> None:
    """Report every use of a setting, secret, field or step that does not exist."""
    plain = {row.name for row in profile.settings if not row.secret}
    secret = {row.name for row in profile.settings if row.secret}
    steps = {name: {step.name for step in group if step.name} for name, group in profile.operations.items()}
    known: Mapping[str, set[str]] = {
        "settings": plain,
        "secrets": secret,
        "change": CHANGE,
        "fields": set(profile.ticket.fields) | {f"{name}_of" for name in profile.picklists if profile.parts_of(name)},
    }
    for place, told in _fixed(profile.operations, "operations"):
        wrong(place, sentence("This is sent literally. Did you mean %(expression)s?", expression=f"{{{told}}}"))
    for place, source in _sources(profile, ""):
        for what, name in _TEXTS.findall(_QUOTED.sub("''", source)):
            if not re.search(rf"\(\s*{what}\s*,", source):  # not the name that a macro gives each entry
                wrong(place, sentence("“%(what)s” is text and has no “%(name)s”.", what=what, name=name))
        for what, name in _NAMED.findall(_QUOTED.sub("''", source)):
            group = steps.get(place.split(".")[1], set()) if place.startswith("operations.") else None
            there = known.get(what, group)
            if there is None or name in there:
                continue
            wrong(place, _why_not(what, name, there, plain, secret))


def _why_not(what: str, name: str, there: set[str], plain: set[str], secret: set[str]) -> str:
    """Why a name does not exist where it is used, and what to write instead."""
    if what == "settings" and name in secret:
        return sentence(
            "“%(name)s” is a secret. Write %(expression)s, in requests only.",
            name=name,
            expression=f"{{secrets.{name}}}",
        )
    if what == "secrets" and name in plain:
        return sentence(
            "“%(name)s” is not a secret. Write %(expression)s.", name=name, expression=f"{{settings.{name}}}"
        )
    return _not_there(f"{what}.{name}", there)


def _not_there(name: str, known: set[str]) -> str:
    if not known:
        return sentence("There is no “%(name)s”.", name=name)
    return sentence("There is no “%(name)s”. Known names: %(names)s.", name=name, names=", ".join(sorted(known)))


def _fixed(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text of a request that has no {expression} but looks like one."""
    if isinstance(node, Text):
        told = "".join(part for part in node.parts if isinstance(part, str))
        if not node.expressions and _BARE.fullmatch(told):
            yield path, told
    elif isinstance(node, Tree):
        yield from _fixed(node.root, path)
    elif is_dataclass(node):
        for each in fields(node):
            yield from _fixed(getattr(node, each.name), f"{path}.{each.name.rstrip('_')}")
    elif isinstance(node, Mapping):
        for key, inner in node.items():
            yield from _fixed(inner, f"{path}.{key}")
    elif isinstance(node, list | tuple):
        for number, inner in enumerate(node):
            yield from _fixed(inner, path if len(node) == 1 else f"{path}.{number}")


def _sources(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every expression of a profile with its place."""
    if isinstance(node, Expression):
        yield path, node.source
    elif isinstance(node, Text):
        yield from ((path, part.source) for part in node.parts if isinstance(part, Expression))
    elif isinstance(node, Tree):
        yield from _sources(node.root, path)
    elif is_dataclass(node):
        for each in fields(node):
            yield from _sources(getattr(node, each.name), f"{path}.{each.name.rstrip('_')}".strip("."))
    elif isinstance(node, Mapping):
        for key, inner in node.items():
            name = (
                "".join(part if isinstance(part, str) else f"{{{part.source}}}" for part in key.parts)
                if (isinstance(key, Text))
                else key
            )
            if isinstance(key, Filled | Text):
                yield from _sources(key.text if isinstance(key, Filled) else key, f"{path}.{name}".strip("."))
            yield from _sources(inner, f"{path}.{name}".strip("."))
    elif isinstance(node, list | tuple):
        for number, inner in enumerate(node):
            yield from _sources(inner, path if len(node) == 1 else f"{path}.{number}")


def mentions(steps: tuple[Step, ...], *what: str) -> bool:
    """Whether one of these requests uses one of these names."""
    found = " ".join(source for step in steps for _place, source in _sources(step, ""))
    return any(re.search(rf"\b{re.escape(each)}", found) for each in what)
