"""Texts that are stored in English and translated when they are shown.

Packages without Django, and every text that is stored to be shown later, use this module: it keeps the English text
together with its message id and values. `hub.translation.localized` translates it into the reader's language.
Whatever vendors and people wrote is a value and is never translated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

_SEPARATOR = "\x1e"
"""ASCII's record separator: in a stored sentence, it stands between the English text and its message id and values."""


class Sentence(str):
    """A text with the message id and the values it was made from.

    An f-string or a concatenation gives a plain text. The unchanged text stays a sentence: `str(error)` of an
    exception raised with it, or a slice that cuts nothing off.
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
        """The same sentence with another text, for example its translation."""
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
    """A sentence from its English message, with a `%(name)s` placeholder for each value.

    >>> sentence("%(vendor)s answered %(status)s.", vendor="Hostwerk", status=403)
    'Hostwerk answered 403.'
    """
    kept = {name: _kept(value) for name, value in values.items()}
    return Sentence(message % kept if kept else message, message=message, values=kept)


def sentences(singular: str, plural: str, number: int, /, **values: object) -> Sentence:
    """Like `sentence`, in the singular or plural form for the number, which the messages may use as `%(n)d`.

    >>> sentences("%(n)d note", "%(n)d notes", 2)
    '2 notes'
    """
    kept = {name: _kept(value) for name, value in values.items()} | {"n": number}
    text = (singular if number == 1 else plural) % kept
    return Sentence(text, message=singular, values=kept, plural=plural, number=number)


def packed(text: str) -> str:
    """The text as it is stored: readable English, which `unpacked` turns into a sentence again.

    A separator in a text from outside becomes a space, so that no outside text can be read as a sentence.
    """
    readable = (_english(text) if isinstance(text, Sentence) else text).replace(_SEPARATOR, " ")
    if not isinstance(text, Sentence):
        return readable
    return f"{readable}{_SEPARATOR}{json.dumps(_parts(text), ensure_ascii=False)}"


def unpacked(stored: str) -> str:
    """The text that was given to `packed`; a sentence comes back in English."""
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
