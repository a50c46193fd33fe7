"""What a query asks of a search entry, in the languages of both databases.

A text has a word of the query if it has one of the word's tokens, a token with the right beginning, or all parts of an
identifier. The ticket's title counts as well, but at least one word must be in the text itself: otherwise every message
of a ticket would be found by its title.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from hub.search.analysis import Term

TITLE = "^"
"""Marks the tokens of the ticket's title in entries of its messages, files and numbers."""


@dataclass(frozen=True)
class Condition:
    """The same condition twice."""

    tsquery: str
    """For PostgreSQL, the text of a tsquery."""
    fts5: str
    """For SQLite, a full-text query."""


def condition(terms: Sequence[Term], *, like: Mapping[str, Collection[str]] | None = None) -> Condition:
    """What an entry must have for a query. `like` names words that are as good as a term's own, by its text."""
    near = like or {}
    return Condition(tsquery=_POSTGRESQL.of(terms, near), fts5=_SQLITE.of(terms, near))


def exactly(token: str) -> Condition:
    """An entry with this token, in its text or in the ticket's title."""
    term = Term(text=token, folded=token, tokens=frozenset({token, TITLE + token}), beginnings=frozenset())
    return condition([term])


@dataclass(frozen=True)
class _Language:
    """How a full-text query is written."""

    conjunction: str
    disjunction: str
    beginning: str
    quoted: Callable[[str], str]

    def of(self, terms: Sequence[Term], like: Mapping[str, Collection[str]]) -> str:
        here = [self._term(term, like.get(term.text, ()), "") for term in terms]
        either = [
            f"({one}{self.disjunction}{self._term(term, like.get(term.text, ()), TITLE)})"
            for one, term in zip(here, terms, strict=True)
        ]
        if len(terms) == 1:
            return here[0]
        return f"{self.conjunction.join(either)}{self.conjunction}({self.disjunction.join(here)})"

    def _term(self, term: Term, like: Collection[str], mark: str) -> str:
        found = [self.quoted(mark + token) for token in sorted({*term.tokens, *like} - term.beginnings)]
        found += [self.quoted(mark + token) + self.beginning for token in sorted(term.beginnings)]
        if term.parts:
            *first, last = term.parts
            parts = [*(self.quoted(mark + part) for part in first), self.quoted(mark + last) + self.beginning]
            found.append(f"({self.conjunction.join(parts)})")
        return f"({self.disjunction.join(found)})"


_POSTGRESQL = _Language(" & ", " | ", ":*", lambda token: "'" + token.replace("\\", "\\\\") + "'")
_SQLITE = _Language(" AND ", " OR ", " *", lambda token: f'"{token}"')
# Neither kind of quotes is part of a token.
