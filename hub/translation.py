"""Sentences of the product in the active language."""

from __future__ import annotations

from django.utils.translation import gettext, ngettext

from hub.core.sentences import Sentence


def localized(text: str) -> str:
    """A sentence in the active language, including values that are sentences; any other text unchanged.

    If the placeholders of a translation do not fit, the text stays in English.
    """
    if not isinstance(text, Sentence):
        return text
    values = {name: localized(value) if isinstance(value, Sentence) else value for name, value in text.values.items()}
    form = ngettext(text.message, text.plural, text.number) if text.plural else gettext(text.message)
    try:
        return text.said(form % values if values else form)
    except (KeyError, TypeError, ValueError):
        return text


class Refusal(Exception):
    """A refusal for a person: its `sentence` is shown in the active language, and stored as a sentence."""

    def __str__(self) -> str:
        return localized(super().__str__())
