"""Functions that expressions may call besides CEL's own. Each limits its result, if possible before computing it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Callable, Mapping
from typing import Any

from hub.core.sentences import sentence
from hub.expressions.errors import Failed
from hub.expressions.limits import MOST_CHARACTERS, MOST_OF_A_FILE, few, kept, too_long

Function = Callable[..., Any]


def text(value: Any) -> str:
    """A value as text: None is empty, whole numbers have no fraction, booleans are `true` and `false`.

    >>> text(None), text(5), text(5.0), text(True), text("x")
    ('', '5', '5', 'true', 'x')
    """
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def number(value: Any) -> int | None:
    """The whole number that a text contains; None if it is empty. Raises ValueError for any other text.

    >>> number("5"), number(""), number("5.0")
    (5, None, 5)
    """
    plain = text(value).strip()
    if not plain:
        return None
    try:
        return int(plain)
    except ValueError:
        if float(plain).is_integer():
            return int(float(plain))
        raise


def first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def lookup(entries: Any, key: Any, wanted: Any, value: Any) -> Any:
    """From a list of objects, the `value` of the first whose `key` equals `wanted`, for example of custom fields.

    >>> lookup([{"id": 1, "value": "a"}, {"id": 2, "value": "b"}], "id", "2", "value")
    'b'
    """
    asked = text(wanted)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and text(entry.get(key)) == asked:
            return entry.get(value)
    return None


def pick(value: Any, *steps: Any) -> Any:
    """The value at a path of keys in nested objects; None if the path does not exist.

    >>> pick({"user": {"name": "Rita"}}, "user", "name"), pick(None, "user", "name"), pick("x", "user")
    ('Rita', None, None)
    """
    for step in steps:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def either(*values: Any) -> Any:
    """The first value that is not empty. In an expression, arguments that name something missing are skipped.

    >>> either(None, "", "b", "c")
    'b'
    """
    return next((value for value in values if value not in (None, "")), None)


def number_after(value: Any, mark: Any) -> str:
    """The digits that follow the first `mark` in a text; empty if there are none.

    >>> number_after("merged into request #40: toner", "#"), number_after("none", "#"), number_after("#x", "#")
    ('40', '', '')
    """
    _before, _mark, rest = text(value).partition(text(mark))
    return rest[: len(rest) - len(rest.lstrip("0123456789"))][:40]


def length(value: Any) -> int:
    """The characters of a text, or the entries of a list or object. Replaces the engine's `size`, which counts bytes.

    >>> length("žluť"), length([1, 2]), length({})
    (4, 2, 0)
    """
    if not isinstance(value, str | list | dict | bytes):
        raise Failed(sentence("size() takes a text, a list or an object."))
    return len(value)


def flat(value: Any) -> list[Any]:
    entries = value or ()
    few(sum(len(inner) if isinstance(inner, list) else 1 for inner in entries))
    return [each for inner in entries for each in (inner if isinstance(inner, list) else [inner])]


def joined(value: Any, between: Any) -> str:
    texts, mark = [text(each) for each in value or ()], text(between)
    _not_too_long(sum(map(len, texts)) + len(mark) * max(0, len(texts) - 1))
    return mark.join(texts)


def replace(value: Any, old: Any, new: Any) -> str:
    """The text with `old` replaced by `new`.

    >>> replace("a-b", "-", "+")
    'a+b'
    """
    source, was, becomes = text(value), text(old), text(new)
    if len(becomes) > len(was):
        _not_too_long(len(source) + source.count(was) * (len(becomes) - len(was)))
    return source.replace(was, becomes)


def split(value: Any, between: Any) -> list[str]:
    source, mark = text(value), text(between)
    few(source.count(mark))
    return source.split(mark)


def as_json(value: Any) -> str:
    return str(kept(json.dumps(value, ensure_ascii=False, default=str)))


def _not_too_long(characters: int) -> None:
    if characters > MOST_CHARACTERS:
        raise Failed(too_long(MOST_CHARACTERS))


def _escaped(value: Any) -> str:
    return str(kept("<br>\n".join(html.escape(line) for line in text(value).split("\n"))))


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else text(value).encode()


FUNCTIONS: dict[str, Function] = {
    "text": text,
    "number": number,
    "first": first,
    "flat": flat,
    "lookup": lookup,
    "pick": pick,
    "either": either,
    "number_after": number_after,
    "last": lambda value: value[-1] if isinstance(value, list) and value else None,
    "lower": lambda value: text(value).lower(),
    "upper": lambda value: text(value).upper(),
    "trim": lambda value: text(value).strip(),
    "joined": joined,
    "cut": lambda value, length: text(value)[: int(length)],
    "replace": replace,
    "json": as_json,
    "quoted": lambda value: as_json(text(value)),
    "html": _escaped,
    "base64": lambda value: kept(base64.b64encode(_bytes(value)).decode(), MOST_OF_A_FILE),
    "from_base64": lambda value: base64.b64decode(text(value), validate=False),
    "split": split,
    "sha256": lambda value: hashlib.sha256(_bytes(value)).hexdigest(),
}
