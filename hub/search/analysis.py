"""What a text is found by: its tokens, made the same way for every database.

The databases' own stemmers and tokenizers differ, and take identifiers apart. Therefore texts and queries are analysed
here, and the databases only compare tokens:

* **Identifiers** stay whole: ``T20261128.0012``, ``KB5034441``, ``0x80070005``, host names, addresses, paths. Their
  parts are tokens as well.
* **Words** are found by their beginning, and by their German and English stems.
* **Numbers of vendors** are found by any part of at least three characters: each of their endings is a token.

Umlauts and ß are folded, and so are ``ae``, ``oe`` and ``ue``, so that *Überlauf*, *Ueberlauf* and *uberlauf* are one
word. Invisible characters are dropped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

MOST_TEXT = 100_000
"""Of a longer text only the beginning is searched."""
MOST_BYTES = 400_000
"""The most bytes of one text's tokens. PostgreSQL refuses more than a megabyte in one tsvector."""
LONGEST = 64
"""Tokens are cut to this length, in texts and queries alike."""
LEAST_PART = 3
"""The shortest part of a vendor's number that is found."""
ENDING = "~"
"""Marks the endings of a vendor's number among the tokens."""
MOST_WORDS = 10
"""Of a longer query only the first words count."""

_AROUND = "()[]{}<>\"'`´‘’“”„‚«»‹›,;:!?¡¿.…*#|=+&~^"
"""Characters around a word that do not belong to it."""
_INNER = re.compile(r"[^\w]+|_+")
_DIGRAPHS = re.compile(r"(?<![aeqou])ue|(?<![aeou])[ao]e")
_TO_UMLAUT = {"ae": "ä", "oe": "ö", "ue": "ü"}
_QUOTES = dict.fromkeys(map(ord, "\"'`´‘’"))
"""Not part of any token."""
_OURS = re.compile(r"TH-?([0-9]{1,17})", re.IGNORECASE)
"""One of our numbers, which is found where it stands with and without its letters."""
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://")


@dataclass(frozen=True)
class Term:
    """One word of a query: a text has it if it has one of these tokens, or all the parts."""

    text: str
    """As written."""
    folded: str
    """The whole word as a token."""
    tokens: frozenset[str]
    beginnings: frozenset[str]
    """Tokens of which the beginning is enough."""
    parts: tuple[str, ...] = ()
    """The parts of an identifier; of the last one the beginning is enough."""
    is_identifier: bool = False


def tokens(text: str) -> list[str]:
    """The tokens of a text, sorted and without repetitions."""
    found: set[str] = set()
    size = 0
    for chunk in _chunks(text):
        new = _tokens_of(chunk) - found
        size += sum(len(token.encode()) + 1 for token in new)
        if size > MOST_BYTES:
            break
        found |= new
    return sorted(found)


def number_tokens(number: str) -> list[str]:
    """The tokens of a vendor's number: those of any text, and each of its endings.

    >>> number_tokens("INC001")
    ['inc001', '~001', '~c001', '~inc001', '~nc001']
    """
    endings = set()
    for chunk in _chunks(number):
        whole = _fold(chunk)
        endings |= {ENDING + whole[at : at + LONGEST] for at in range(len(whole) - LEAST_PART + 1)}
    return sorted({*tokens(number), *endings})


def vocabulary(text: str) -> set[str]:
    """The words of a text that a misspelt query may have meant."""
    return {
        word
        for chunk in _chunks(text)
        for part in _parts(chunk)
        if is_word(part) and 4 <= len(word := _fold(part)) <= 24
    }


def terms(query: str) -> list[Term]:
    """The words of a query; empty if nothing in it can be searched for."""
    return [_term(chunk) for chunk in list(_chunks(query))[:MOST_WORDS]]


def is_identifier(chunk: str) -> bool:
    """Whether it is kept whole: it has a digit, or punctuation inside.

    >>> [is_identifier(word) for word in ("printer", "KB5034441", "db-01.corp", "Überlauf", "rosa@site.test", "0x8007")]
    [False, True, True, False, True, True]
    """
    return any(char.isdigit() for char in chunk) or _INNER.search(chunk) is not None


def is_word(part: str) -> bool:
    return part.isalpha()


def near(word: str) -> set[str]:
    """All spellings one slip away: a letter too many, too few, wrong, or two exchanged.

    >>> sorted(near("ab") & {"a", "b", "ba", "abc", "xb", "xyz"})
    ['a', 'abc', 'b', 'ba', 'xb']
    """
    letters = "abcdefghijklmnopqrstuvwxyz"
    splits = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    return {
        *(left + right[1:] for left, right in splits if right),
        *(left + right[1] + right[0] + right[2:] for left, right in splits if len(right) > 1),
        *(left + char + right[1:] for left, right in splits if right for char in letters),
        *(left + char + right for left, right in splits for char in letters),
    } - {word}


def _chunks(text: str) -> Iterator[str]:
    """The text between spaces, without what stands around it."""
    for chunk in _plain(text).split():
        bare = chunk.strip(_AROUND)
        if any(char.isalnum() for char in bare):
            yield bare


def _plain(text: str) -> str:
    """The text without control and invisible characters; what only looks different is the same (NFKC)."""
    whole = unicodedata.normalize("NFKC", text[:MOST_TEXT])[:MOST_TEXT]
    if whole.isascii() and whole.isprintable():
        return whole
    return "".join(
        " " if char.isspace() or unicodedata.category(char) == "Cc" else char
        for char in whole
        if unicodedata.category(char) != "Cf"
    )


def _parts(chunk: str) -> list[str]:
    return [part for part in _INNER.split(chunk) if part]


def _tokens_of(chunk: str) -> frozenset[str]:
    # Long chunks are rare and different each time; keeping them would fill the memory.
    return _tokens_of_short(chunk) if len(chunk) <= 2 * LONGEST else _all_tokens_of(chunk)


@lru_cache(maxsize=50_000)
def _tokens_of_short(chunk: str) -> frozenset[str]:
    return _all_tokens_of(chunk)


def _all_tokens_of(chunk: str) -> frozenset[str]:
    if not is_identifier(chunk):
        return _stems(chunk) | {_fold(chunk)[:LONGEST]}
    whole = _whole(chunk)
    found = {whole} if whole else set()
    for part in _parts(chunk):
        found.add(_fold(part)[:LONGEST])
        if is_word(part):
            found |= _stems(part)
    return frozenset(found)


def _whole(chunk: str) -> str:
    """An identifier as one token: without a scheme, and without what stands around the rest."""
    return _SCHEME.sub("", _fold(chunk)).strip("/\\" + _AROUND)[:LONGEST]


def _term(chunk: str) -> Term:
    ours = _OURS.fullmatch(chunk)
    if ours is not None:
        tokens = frozenset({ours[1], _fold(chunk)})
        return Term(text=chunk, folded=ours[1], tokens=tokens, beginnings=frozenset(), is_identifier=True)
    whole = _whole(chunk) or _fold(chunk)[:LONGEST]
    beginnings = frozenset({whole, ENDING + whole} if len(whole) >= LEAST_PART else {whole} if len(whole) > 1 else ())
    if not is_identifier(chunk):
        return Term(text=chunk, folded=whole, tokens=_stems(chunk) | {whole}, beginnings=beginnings)
    parts = tuple(_fold(part)[:LONGEST] for part in _parts(chunk))
    return Term(
        text=chunk,
        folded=whole,
        tokens=frozenset({whole}),
        beginnings=beginnings,
        parts=parts if len(parts) > 1 else (),
        is_identifier=True,
    )


_german = snowballstemmer.stemmer("german")
_english = snowballstemmer.stemmer("english")


@lru_cache(maxsize=50_000)
def _stems(word: str) -> frozenset[str]:
    """The German and the English stem of a word."""
    if len(word) > LONGEST:
        return frozenset({_fold(word)[:LONGEST]})
    lower = word.lower()
    with_umlauts = _DIGRAPHS.sub(lambda found: _TO_UMLAUT[found[0]], lower)
    stems = (_german.stemWord(with_umlauts), _english.stemWord(lower))
    return frozenset(_fold(stem)[:LONGEST] for stem in stems if stem)


def _fold(text: str) -> str:
    """Lower case, without quotes and marks on letters; ß is ss, and ae, oe and ue are the vowel."""
    lower = text.casefold().translate(_QUOTES)
    if not lower.isascii():
        lower = "".join(
            char for char in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(char) and char != " "
        )
    return _DIGRAPHS.sub(lambda found: found[0][0], lower)
