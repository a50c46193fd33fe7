"""The names of fields as people read them. Rows and mappings use the keys, which are never shown or translated."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils import translation

from hub.core.sentences import Sentence, sentence

NAMES: Mapping[str, Sentence] = {
    "title": sentence("title"),
    "description": sentence("description"),
    "priority": sentence("priority"),
    "status": sentence("status"),
    "visibility": sentence("visibility"),
    "audience": sentence("audience"),
    "reference": sentence("our reference"),
}


def name_of(field: str) -> str:
    """The name of a field as a sentence; a key without a name as it is.

    >>> name_of("reference"), name_of("impact")
    ('our reference', 'impact')
    """
    return NAMES.get(field, field)


def label_of(choice: object) -> Sentence:
    """The label of a choice of a model as a sentence, which a lazy translation is not."""
    with translation.override(None):
        return sentence(str(choice))
