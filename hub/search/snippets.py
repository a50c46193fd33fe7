"""The words around what was found, and which of them were searched for."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from hub.search import analysis
from hub.search.analysis import Term

BEFORE, AFTER = 6, 18
"""How many words are shown before and after the first one that was found."""
LONGEST_WORD = 80
"""A longer word is cut in a snippet."""

_WORDS = re.compile(r"\S+")


class Piece(NamedTuple):
    """A stretch of text."""

    text: str
    is_match: bool


Like = Mapping[str, Collection[str]]


def marked(text: str, terms: Sequence[Term], like: Like | None = None) -> list[Piece]:
    """The whole text in pieces."""
    words = [(found[0], found.start()) for found in _WORDS.finditer(text)]
    pieces, at = list[Piece](), 0
    for word, start in words:
        pieces += [Piece(text[at:start], False), Piece(word, is_match(word, terms, like or {}))]
        at = start + len(word)
    return _joined([*pieces, Piece(text[at:], False)])


def snippet(text: str, terms: Sequence[Term], like: Like | None = None) -> list[Piece]:
    """The words around the first one that was searched for; empty if there is none."""
    words = _WORDS.findall(text[: analysis.MOST_TEXT])
    first = next((at for at, word in enumerate(words) if is_match(word, terms, like or {})), None)
    if first is None:
        return []
    begin, end = max(0, first - BEFORE), first + AFTER
    pieces = [Piece("… ", False)] if begin else []
    for word in words[begin:end]:
        cut = word if len(word) <= LONGEST_WORD else word[:LONGEST_WORD] + "…"
        pieces += [Piece(cut, is_match(word, terms, like or {})), Piece(" ", False)]
    return _joined([*pieces, Piece("…", False)] if end < len(words) else pieces[:-1])


def is_match(word: str, terms: Sequence[Term], like: Like) -> bool:
    """Whether a word of a text is one that was searched for."""
    found = analysis.number_tokens(word) if any(term.is_identifier for term in terms) else analysis.tokens(word)
    return any(_has(set(found), term, like.get(term.text, ())) for term in terms)


def _has(found: set[str], term: Term, like: Collection[str]) -> bool:
    if found & {*term.tokens, *like}:
        return True
    if any(token.startswith(beginning) for token in found for beginning in term.beginnings):
        return True
    return bool(term.parts) and found.issuperset(term.parts)


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Neighbours of the same kind as one piece."""
    joined: list[Piece] = []
    for piece in pieces:
        if not piece.text:
            continue
        if joined and joined[-1].is_match == piece.is_match:
            joined[-1] = Piece(joined[-1].text + piece.text, piece.is_match)
        else:
            joined.append(piece)
    return joined
