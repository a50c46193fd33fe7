"""Sentences of the product in the language of whoever reads them."""

from __future__ import annotations

from django.utils.translation import gettext, ngettext

from hub.core.sentences import Sentence


def localized(text: str) -> str:
    """A sentence in the active language, its values that are sentences too; any other text as it is.

    A translation whose placeholders do not fit leaves the text in English: a reason is never lost.
    """
    if not isinstance(text, Sentence):
        return text
    values = {name: localized(value) if isinstance(value, Sentence) else value for name, value in text.values.items()}
    form = ngettext(text.message, text.plural, text.number) if text.plural else gettext(text.message)
    try:
        return text.said(form % values if values else form)
    except (KeyError, TypeError, ValueError):
        return text
