"""What texts and queries become, the same for both databases."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.search import analysis, matching, snippets
from hub.search.snippets import Piece


def test_the_examples_in_the_docs() -> None:
    assert doctest.testmod(analysis).failed == 0


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("Überlauf", "uberlauf"),
        ("Ueberlauf", "uberlauf"),
        ("ÜBERLAUF", "uberlauf"),
        ("Straße", "strasse"),
        ("printers", "print"),
        ("gedruckt", "gedruckt"),
        ("(T20261128.0012)", "t20261128.0012"),
        ("KB5034441,", "kb5034441"),
        ("0x80070005", "0x80070005"),
        ("db-01.corp.example", "db-01.corp.example"),
        ("rosa.r@site.test", "rosa.r@site.test"),
        (r"\\srv-01\share\plan.xlsx", r"srv-01\share\plan.xlsx"),
        ("https://wiki.example/a/b/", "wiki.example/a/b"),
        ("O'Brien", "obrien"),
        ("ZERO\u200bWIDTH", "zerowidth"),
        ("\u202etfel", "tfel"),
        ("ｆｕｌｌ", "full"),
        ("x" * 200, "x" * 64),
    ],
)
def test_a_text_has_this_token(text: str, token: str) -> None:
    assert token in analysis.tokens(text)


@pytest.mark.parametrize("word", ["queue", "neue", "value", "Goethe", "Israel", "blaue", "Bauer"])
def test_folding_digraphs_is_the_same_in_text_and_query(word: str) -> None:
    [term] = analysis.terms(word)
    assert term.folded in analysis.tokens(word)


def test_a_title_of_hostile_text_has_few_tokens() -> None:
    assert len(analysis.tokens("aa ab ac ad " * 25_000)) < 20
    many = analysis.tokens(" ".join(f"w{n}" for n in range(90_000)))
    assert 10_000 < len(many) < 90_000
    assert len(" ".join(many)) <= analysis.MOST_BYTES


@pytest.mark.parametrize("text", ["", " ", "#", "[]", "%", "_", "...", "\x00", "\u200b"])
def test_what_is_no_word_is_not_searched_for(text: str) -> None:
    assert analysis.terms(text) == []


@given(st.text(max_size=60))
def test_no_text_makes_a_token_that_a_database_could_misread(text: str) -> None:
    for token in [*analysis.tokens(text), *analysis.number_tokens(text)]:
        assert token
        assert not set(token) & set("\"' \t\n\x00")
        assert len(token) <= analysis.LONGEST + 1
    terms = analysis.terms(text)
    if terms:
        matching.condition(terms)


@given(st.text(max_size=60))
def test_every_text_is_found_by_each_of_its_words(text: str) -> None:
    found = set(analysis.number_tokens(text))
    for term in analysis.terms(text):
        assert found & term.tokens or any(token.startswith(tuple(term.beginnings)) for token in found), term


def test_a_condition_asks_for_every_word_and_at_least_one_outside_the_title() -> None:
    wanted = matching.condition(analysis.terms("port db-1"))
    assert wanted.tsquery == (
        "(('port':* | '~port':*) | ('^port':* | '^~port':*)) & "
        "(('db-1':* | '~db-1':* | ('db' & '1':*)) | ('^db-1':* | '^~db-1':* | ('^db' & '^1':*))) & "
        "(('port':* | '~port':*) | ('db-1':* | '~db-1':* | ('db' & '1':*)))"
    )
    assert wanted.fts5.startswith('(("port" * OR "~port" *) OR ("^port" * OR "^~port" *)) AND ')


def test_a_snippet_begins_a_few_words_before_what_was_found() -> None:
    text = "one two three four five six seven eight the stale port again " + "and so on " * 20
    assert snippets.snippet(text, analysis.terms("ports stale")) == [
        Piece("… four five six seven eight the ", False),
        Piece("stale", True),
        Piece(" ", False),
        Piece("port", True),
        Piece(" again and so on and so on and so on and so on and so on …", False),
    ]
    assert snippets.snippet("nothing here", analysis.terms("port")) == []


@given(st.text(max_size=200), st.text(max_size=20))
def test_marking_changes_no_text(text: str, query: str) -> None:
    assert "".join(piece.text for piece in snippets.marked(text, analysis.terms(query))) == text
