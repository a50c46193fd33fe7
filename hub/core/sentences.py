"""Sentences that can be said in another language later.

Packages without Django, and everything that is stored to be shown later, make their texts here: the English text,
with the message id and the values it was made of. `hub.translation.localized` says one in the language of whoever
reads. What vendors and people wrote is a value and never translated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

_SEPARATOR = "\x1e"
"""ASCII's record separator: between the English text and what it was made of, where a sentence is stored."""


class Sentence(str):
    """A text that knows the message id and the values it was made of.

    An f-string or a concatenation around it is a plain text. The whole of it (`str(error)` of an exception made with
    it, a slice that leaves nothing out) stays a sentence.
    """

    message: str
    values: Mapping[str, Any]
    plural: str
    number: int

    def __new__(
        cls, text: str, *, message: str, values: Mapping[str, Any] | None = None, plural: str = "", number: int = 0
    ) -> Self:
        made = super().__new__(cls, text)
        made.message, made.values, made.plural, made.number = message, values or {}, plural, number
        return made

    def said(self, text: str) -> Sentence:
        """The same sentence in other words, as those of another language."""
        return Sentence(text, message=self.message, values=self.values, plural=self.plural, number=self.number)

    def __str__(self) -> str:
        return self

    def __getitem__(self, key: Any) -> str:
        part = super().__getitem__(key)
        return self if part == self else part

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (str.__str__(self),), {
            "message": self.message,
            "values": self.values,
            "plural": self.plural,
            "number": self.number,
        }


def sentence(message: str, /, **values: object) -> Sentence:
    """A sentence from its English message, with `%(name)s` where a value stands.

    >>> sentence("%(vendor)s answered %(status)s.", vendor="Hostwerk", status=403)
    'Hostwerk answered 403.'
    """
    kept = {name: _kept(value) for name, value in values.items()}
    return Sentence(message % kept if kept else message, message=message, values=kept)


def sentences(singular: str, plural: str, number: int, /, **values: object) -> Sentence:
    """As `sentence`, in the form that fits the number; the messages may name it as `%(n)d`.

    >>> sentences("%(n)d note", "%(n)d notes", 2)
    '2 notes'
    """
    kept = {name: _kept(value) for name, value in values.items()} | {"n": number}
    text = (singular if number == 1 else plural) % kept
    return Sentence(text, message=singular, values=kept, plural=plural, number=number)


def packed(text: str) -> str:
    """The form in which a text is stored: readable as it stands, and a sentence again by `unpacked`.

    A separator in somebody else's text becomes a space, so nobody outside can write a sentence of ours.
    """
    readable = (_english(text) if isinstance(text, Sentence) else text).replace(_SEPARATOR, " ")
    if not isinstance(text, Sentence):
        return readable
    return f"{readable}{_SEPARATOR}{json.dumps(_parts(text), ensure_ascii=False)}"


def unpacked(stored: str) -> str:
    """What `packed` was given, sentences in English."""
    text, separator, parts = stored.partition(_SEPARATOR)
    if not separator:
        return stored
    try:
        return _made(json.loads(parts))
    except (ValueError, TypeError, KeyError, AttributeError):
        return text


def _kept(value: object) -> object:
    return value if isinstance(value, str | int | float) else str(value)


def _english(text: Sentence) -> str:
    return str.__str__(_made(_parts(text)))


def _parts(text: Sentence) -> dict[str, Any]:
    values = {name: _parts(value) if isinstance(value, Sentence) else value for name, value in text.values.items()}
    parts: dict[str, Any] = {"message": text.message, "values": values}
    return parts | ({"plural": text.plural, "number": text.number} if text.plural else {})


def _made(parts: dict[str, Any]) -> Sentence:
    values = {name: _made(value) if isinstance(value, dict) else value for name, value in parts["values"].items()}
    if parts.get("plural"):
        values.pop("n", None)
        return sentences(parts["message"], parts["plural"], parts["number"], **values)
    return sentence(parts["message"], **values)
