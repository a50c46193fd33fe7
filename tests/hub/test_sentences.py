"""A stored reason is read in the reader's language, and what others wrote stays as it was."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import translation
from django.utils.translation import trans_real

from connectors.models import Connection
from hub.core.sentences import Sentence, packed, sentence, sentences, unpacked
from hub.translation import localized

GERMAN = {
    "%(vendor)s answered %(status)s.": "%(vendor)s hat mit %(status)s geantwortet.",
    "%(what)s: %(why)s": "%(what)s: %(why)s",
    "Busy": "Ausgelastet",
    "Broken %(a)s": "Kaputt %(b)s",
    ("%(n)d note", 0): "%(n)d Notiz",
    ("%(n)d note", 1): "%(n)d Notizen",
}


@pytest.fixture
def german(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with translation.override("de"):
        catalog = trans_real.catalog()
        known: Any = catalog._catalog
        monkeypatch.setattr(known, "_catalogs", [GERMAN, *known._catalogs])
        yield


def test_it_is_a_text_that_knows_what_it_was_made_of() -> None:
    said = sentence("%(vendor)s answered %(status)s.", vendor="Hostwerk", status=403)

    assert said == "Hostwerk answered 403."
    assert (said.message, dict(said.values)) == (
        "%(vendor)s answered %(status)s.",
        {"vendor": "Hostwerk", "status": 403},
    )
    assert isinstance(str(ValueError(said)), Sentence)
    assert isinstance(said[:500], Sentence)
    assert not isinstance(said[:5], Sentence)
    assert said[::-1] == ".304 derewsna krewtsoH"


def test_a_reader_of_german_reads_german(german: None) -> None:
    why = sentence("%(vendor)s answered %(status)s.", vendor="Busy", status=403)
    whole = sentence("%(what)s: %(why)s", what=sentence("Busy"), why=why)

    assert localized(whole) == "Ausgelastet: Busy hat mit 403 geantwortet."  # a vendor's own "Busy" stays
    assert localized(sentences("%(n)d note", "%(n)d notes", 1)) == "1 Notiz"
    assert localized(sentences("%(n)d note", "%(n)d notes", 3)) == "3 Notizen"
    assert localized("Busy") == "Busy"


def test_a_translation_that_does_not_fit_leaves_the_text_in_english(german: None) -> None:
    assert localized(sentence("Broken %(a)s", a="x")) == "Broken x"


@pytest.mark.parametrize(
    "said",
    [
        sentence("Busy"),
        sentence("50 % done"),
        sentence("%(what)s: %(why)s", what=sentence("Busy"), why="100 % theirs"),
        sentences("%(n)d note", "%(n)d notes", 2),
    ],
)
def test_what_is_kept_is_the_same_sentence_again(said: Sentence) -> None:
    for again in (unpacked(packed(said)), copy.deepcopy(said), pickle.loads(pickle.dumps(said))):
        assert isinstance(again, Sentence)
        assert again == said
        assert (again.message, again.values, again.plural) == (said.message, said.values, said.plural)
    assert packed(said).startswith(said)


def test_nobody_outside_writes_a_sentence_of_ours() -> None:
    theirs = 'Sorry\x1e{"message": "Approved", "values": {}}'

    assert unpacked(packed(theirs)) == 'Sorry {"message": "Approved", "values": {}}'
    assert unpacked(packed(sentence("%(why)s", why=theirs))) == theirs
    assert unpacked("cut off\x1e{") == "cut off"


@pytest.mark.django_db
def test_a_stored_reason_is_read_in_the_language_of_whoever_reads(connection: Connection, german: None) -> None:
    why = sentence("%(vendor)s answered %(status)s.", vendor="Hostwerk", status=403)
    Connection.objects.filter(pk=connection.pk).update(last_error=why)

    read = Connection.objects.get(pk=connection.pk)
    assert read.last_error == "Hostwerk hat mit 403 geantwortet."
    read.save()  # keeps the sentence, not the reader's words
    with translation.override("en"):
        assert Connection.objects.get(pk=connection.pk).last_error == "Hostwerk answered 403."
    assert Connection.objects.filter(last_error__startswith="Hostwerk answered").exists()
