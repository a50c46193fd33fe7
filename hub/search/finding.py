"""Finds tickets by what people remember of them, within what the reader may read.

The order of results: the ticket with this number; tickets with this vendor's number, or a part of it; then all others
by the time of the text that was found, newest first. If nothing is found, similar words are tried. Each step is a query
of its own that stops at a page, because one query with all of it could use no index.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from hub.models import SearchEntry, SearchWord, Ticket, User
from hub.queries import permissions
from hub.queries.tickets import our_number
from hub.search import analysis
from hub.search.analysis import Term
from hub.search.matching import condition
from hub.search.snippets import Piece, marked, snippet

PAGE = 50
CHUNK = 150
"""How many entries are read at once; of several in the same ticket the newest counts."""
MOST_CHUNKS = 20
"""After so many, a page ends even if it is not full: a ticket may have thousands of messages with the same words."""
MOST_KEYS = 5000
"""Up to so many tickets of a vendor or requester are searched by their keys."""

Kind = SearchEntry.Kind


@dataclass(frozen=True, kw_only=True)
class Place:
    """After which entry a page of results begins."""

    at: datetime
    entry: int


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A ticket that was found, and where."""

    ticket_id: int
    kind: str
    """A `SearchEntry.Kind`; empty for the ticket's own number."""
    at: datetime | None = None
    """When the text was written that was found."""
    author: str = ""
    """Of a message, if the reader may know."""
    pieces: Sequence[Piece] = ()
    """The words around what was found; empty if the title says it."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One page of results."""

    hits: Sequence[Hit] = ()
    next: Place | None = None
    """Where the next page begins; None if there is none."""
    terms: Sequence[Term] = ()
    is_similar: bool = False
    """Whether nothing had the words themselves, and these have similar ones."""
    similar: Mapping[str, Collection[str]] = field(default_factory=dict)

    def title(self, ticket: Ticket) -> list[Piece]:
        """The ticket's title, with what was searched for marked."""
        return marked(ticket.title, self.terms, self.similar)


def find(
    user: User, text: str, *, tickets: QuerySet[Ticket] | None = None, after: Place | None = None, most: int = PAGE
) -> Found:
    """One page of the tickets that this person may read and that have the words of the query.

    `tickets` restricts them further. Nothing the person may not read leads to a result, or changes one.
    """
    terms = analysis.terms(text)
    if not terms:
        return Found()
    search = _Search(user, terms, tickets)
    numbered = search.by_number(text, most)
    found = search.by_words(after=after, most=most, without={hit.ticket_id for hit in numbered})
    first = [] if after is not None else numbered
    if numbered or found.hits:
        return search.page(first, found)
    search.like = search.similar_words()
    near = search.by_words(after=after, most=most, without=set()) if search.like else found
    return search.page([], near, is_similar=bool(near.hits))


@dataclass(frozen=True)
class _Rows:
    hits: Sequence[SearchEntry]
    next: Place | None


class _Search:
    """One query of one reader."""

    def __init__(self, user: User, terms: Sequence[Term], tickets: QuerySet[Ticket] | None) -> None:
        self.user, self.terms, self.tickets = user, terms, tickets
        self.like: Mapping[str, Collection[str]] = {}
        self.sees_everything = permissions.sees_everything(user)

    @property
    def entries(self) -> QuerySet[SearchEntry]:
        """What this reader may be shown."""
        rows = SearchEntry.objects.all() if self.sees_everything else readable_entries(self.user)
        return rows if self.tickets is None else rows.filter(ticket__in=self.tickets.values("pk"))

    def by_number(self, text: str, most: int) -> list[Hit]:
        """The ticket with this number, then those with this vendor's number."""
        hits: list[Hit] = []
        number = our_number(text)
        if number is not None:
            own = permissions.visible_tickets(self.user) if self.tickets is None else self.tickets
            hits += [Hit(ticket_id=pk, kind="") for pk in own.filter(number=number).values_list("pk", flat=True)]
        # A number has digits; entries with a frequent word are not looked through for one.
        if len(self.terms) == 1 and any(map(str.isdigit, text)):
            entries = self.entries.filter(kind=Kind.NUMBER, tokens__having=condition(self.terms))
            known = {hit.ticket_id for hit in hits}
            for row in entries.select_related("leg__organisation").order_by("-at", "-pk")[:most]:
                if row.ticket_id not in known:
                    known.add(row.ticket_id)
                    hits.append(self._hit(row))
        return hits

    def by_words(self, *, after: Place | None, most: int, without: Collection[int]) -> _Rows:
        """Entries with all words, newest first, one for each ticket."""
        matching = self.entries.filter(tokens__having=condition(self.terms, like=self.like))
        rows = matching.select_related("leg__organisation", "attachment", "message", "ticket__requester")
        rows = rows.defer("tokens", "ticket__raw").order_by("-at", "-pk")
        found, seen, place = list[SearchEntry](), set(without), after
        for _ in range(MOST_CHUNKS):
            chunk = list((rows if place is None else rows.filter(_older(place)))[:CHUNK])
            if after is not None:  # tickets of earlier pages
                newer = matching.filter(ticket__in={row.ticket_id for row in chunk}).exclude(_older(after))
                seen |= set(newer.values_list("ticket_id", flat=True))
            for row in chunk:
                if row.ticket_id in seen:
                    continue
                if len(found) == most:
                    return _Rows(found, _place(found[-1]))
                seen.add(row.ticket_id)
                found.append(row)
            if len(chunk) < CHUNK:
                return _Rows(found, None)
            place = _place(chunk[-1])
        return _Rows(found, place)

    def similar_words(self) -> dict[str, list[str]]:
        """Words of the index that are one slip away, by the words of the query."""
        found = {}
        for term in self.terms:
            if not term.is_identifier and len(term.folded) >= 4:
                # All of them: a choice would depend on words that the reader may not read.
                near = analysis.near(term.folded)
                found[term.text] = list(SearchWord.objects.filter(pk__in=near).values_list("word", flat=True))
        return {text: words for text, words in found.items() if words}

    def page(self, first: Sequence[Hit], rows: _Rows, *, is_similar: bool = False) -> Found:
        hits = [*first, *(self._hit(row) for row in rows.hits)]
        return Found(hits=hits, next=rows.next, terms=self.terms, is_similar=is_similar, similar=self.like)

    def _hit(self, row: SearchEntry) -> Hit:
        author = row.message.author_name if row.message and self.sees_everything else ""
        pieces = snippet(_text(row), self.terms, self.like)
        return Hit(ticket_id=row.ticket_id, kind=row.kind, at=row.at, author=author, pieces=pieces)


def _older(place: Place) -> Q:
    # In this form, the first part is where the index begins.
    return Q(at__lte=place.at) & (Q(at__lt=place.at) | Q(pk__lt=place.entry))


def _place(row: SearchEntry) -> Place:
    return Place(at=row.at, entry=row.pk)


def _text(row: SearchEntry) -> str:
    """The text that an entry stands for, without the title."""
    if row.kind == Kind.MESSAGE and row.message is not None:
        return row.message.body
    if row.kind == Kind.ATTACHMENT and row.attachment is not None:
        return row.attachment.name
    if row.kind == Kind.NUMBER and row.leg is not None:
        return f"{row.leg.organisation.name} {row.leg.remote_number}"
    if row.kind == Kind.REQUESTER and row.ticket.requester is not None:
        return row.ticket.requester.name
    if row.kind == Kind.ADDRESS and row.ticket.requester is not None:
        return row.ticket.requester.email
    return f"{row.ticket.description} {row.ticket.source_number}".strip()


def readable_entries(user: User) -> QuerySet[SearchEntry]:
    """The entries of what this person may read on the pages of tickets."""
    if permissions.sees_everything(user):
        return SearchEntry.objects.all()
    # A few tickets are searched by their keys, whatever else there is; for more, the index of tokens leads.
    keys = permissions.visible_keys(user, most=MOST_KEYS)
    rows = SearchEntry.objects.all()
    if keys is None:
        rows = rows.filter(ticket=_same(permissions.visible_tickets(user), "ticket"))
    else:
        rows = rows.filter(ticket__in=list(keys))
    taking_part = Ticket.objects.filter(permissions.takes_part(user))
    messages = permissions.readable_messages(user)
    return rows.filter(
        Q(kind=Kind.TICKET)
        | Q(kind=Kind.REQUESTER, ticket=_same(taking_part, "ticket"))
        | Q(kind=Kind.ADDRESS, ticket__requester__user=user)
        | Q(kind=Kind.NUMBER, leg=_same(permissions.readable_legs(user), "leg"))
        | Q(kind__in=[Kind.MESSAGE, Kind.ATTACHMENT], message=_same(messages, "message"))
    )


def _same(rows: QuerySet[Any], name: str) -> Subquery:
    """The row that an entry's foreign key names if it is one of these, looked up for each entry.

    EXISTS would be better SQL, but PostgreSQL 15 turns several of them into sets of all messages and tickets that
    somebody may read before it looks at the first entry.
    """
    return Subquery(rows.filter(pk=OuterRef(name)).order_by().values("pk")[:1])
