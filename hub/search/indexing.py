"""Keeps the search index in step with the texts of tickets.

Whatever changes a ticket's texts marks the ticket (`Ticket.is_indexed`) in the same transaction. A timed job takes the
marked tickets, writes the entries that are missing and removes those that are out of date. So a change waits for
nothing, no crash loses an entry, and the index can be made anew at any time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.signals import post_save
from django.dispatch import receiver

from hub.models import Attachment, Leg, Message, Person, SearchEntry, SearchWord, Ticket
from hub.search import analysis
from hub.search.matching import TITLE, exactly

BATCH = 10
"""The most tickets in one transaction, which holds their locks."""
AT_ONCE_SECONDS = 0.3
"""A worker indexes for so long in each second, so that a million imported tickets do not delay what it sends."""
ROWS = 500
"""The most rows of one statement."""

Kind = SearchEntry.Kind
log = logging.getLogger(__name__)


def waiting() -> QuerySet[Ticket]:
    """Tickets whose texts have changed since they were indexed."""
    return Ticket.objects.filter(is_indexed=False)


@receiver(post_save, sender=Person)
def _mark_tickets_of(instance: Person, created: bool, **_: Any) -> None:
    """Their name or address may have changed."""
    if not created:
        mark(Ticket.objects.filter(requester=instance))


def mark(tickets: QuerySet[Ticket]) -> None:
    """Have these tickets indexed again."""
    tickets.update(is_indexed=False)  # one that is being indexed is waited for


def index_for_a_while() -> bool:
    """Index what is waiting for a short time; False, so that the next turn is a whole sweep later."""
    index(seconds=AT_ONCE_SECONDS)
    return False


def index(*, seconds: float = 60.0) -> int:
    """Index what is waiting, batch by batch, for so long at most; returns the number of tickets indexed."""
    began, done = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        found = _index_together(waiting())
        if not found:
            break
        done += found
    return done


def index_anew(tickets: Collection[int]) -> None:
    """Remove all entries of these tickets, and write them again."""
    with transaction.atomic():
        # The tickets are locked first, so that no other worker writes the same entries.
        list(Ticket.objects.select_for_update().filter(pk__in=tickets).order_by("pk").values_list("pk"))
        Ticket.objects.filter(pk__in=tickets).update(is_indexed=False)
        SearchEntry.objects.filter(ticket__in=tickets).delete()
        while _index_together(waiting().filter(pk__in=tickets)):
            pass


@transaction.atomic
def forget(ticket: Ticket, erased: Iterable[str] = ()) -> None:
    """Remove the entries of a ticket of which these texts are being erased, and the words that no other text has.

    The caller holds the row lock of `ticket`. What remains of its texts is indexed again.
    """
    entries = SearchEntry.objects.filter(ticket=ticket)
    words = {word for text in erased for word in analysis.vocabulary(text)}
    words |= {token.removeprefix(TITLE) for row in entries.values_list("tokens", flat=True) for token in row.split()}
    entries.delete()
    Ticket.objects.filter(pk=ticket.pk).update(is_indexed=False)
    known = SearchWord.objects.filter(pk__in=words).values_list("word", flat=True)
    gone = [word for word in known if not SearchEntry.objects.filter(tokens__having=exactly(word)).exists()]
    SearchWord.objects.filter(pk__in=gone).delete()


@dataclass
class _Batch:
    """What is to be written for some tickets."""

    new: list[SearchEntry] = field(default_factory=list)
    changed: list[SearchEntry] = field(default_factory=list)
    old: list[int] = field(default_factory=list)
    """Keys of entries that are out of date."""
    words: set[str] = field(default_factory=set)

    def save(self) -> None:
        SearchEntry.objects.filter(pk__in=self.old).delete()
        for row in self.changed:
            row.save(update_fields=["tokens", "at"])
        SearchEntry.objects.bulk_create(self.new, batch_size=ROWS)
        # In the same order everywhere, or two workers may wait for each other.
        words = [SearchWord(word=word) for word in sorted(self.words)]
        SearchWord.objects.bulk_create(words, batch_size=ROWS, ignore_conflicts=True)


def _index_together(tickets: QuerySet[Ticket]) -> int:
    """Index up to BATCH of these tickets, without those that are being changed; returns how many.

    If that fails, each is tried alone; a ticket that cannot be indexed is not found, and keeps no other from being.
    """
    try:
        return _index_batch(tickets)
    except DatabaseError as error:
        keys = list(tickets.order_by("pk").values_list("pk", flat=True)[:BATCH])  # fails if the database is away
        log.warning("Texts are indexed one by one: %s", type(error).__name__)
    return sum(_index_alone(pk) for pk in keys)


def _index_alone(pk: int) -> int:
    try:
        return _index_batch(Ticket.objects.filter(pk=pk))
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError:
        log.exception("The texts of ticket %s cannot be indexed", pk)
        return Ticket.objects.filter(pk=pk).update(is_indexed=True)


@transaction.atomic
def _index_batch(tickets: QuerySet[Ticket]) -> int:
    rows = tickets.select_for_update(of=("self",), skip_locked=True).select_related("requester").order_by("pk")
    found = list(rows[:BATCH])
    if not found:
        return 0
    batch = _Batch()
    entries = _entries_of(found)
    for ticket in found:
        _index_head(ticket, entries[ticket.pk], batch)
    _index_messages(found, batch)
    _index_attachments(found, batch)
    batch.save()
    Ticket.objects.filter(pk__in=[ticket.pk for ticket in found]).update(is_indexed=True)
    return len(found)


HEAD = (Kind.TICKET, Kind.REQUESTER, Kind.ADDRESS, Kind.NUMBER)


@dataclass
class _Head:
    """The entries of one ticket that change with its fields."""

    by_key: dict[tuple[str, int | None], SearchEntry] = field(default_factory=dict)
    """By kind and engagement."""
    numbered: list[Leg] = field(default_factory=list)


def _entries_of(tickets: Sequence[Ticket]) -> dict[int, _Head]:
    heads = {ticket.pk: _Head() for ticket in tickets}
    for leg in Leg.objects.filter(ticket__in=tickets).exclude(remote_number="").order_by("pk"):
        heads[leg.ticket_id].numbered.append(leg)
    for row in SearchEntry.objects.filter(ticket__in=tickets, kind__in=HEAD):
        heads[row.ticket_id].by_key[row.kind, row.leg_id] = row
    return heads


def _index_head(ticket: Ticket, head: _Head, batch: _Batch) -> None:
    """The entries of the ticket's own texts, its requester and its numbers.

    If the title has changed, the entries of its messages and files are written anew, because they have its words.
    """
    title, before = title_tokens(ticket), head.by_key.get((Kind.TICKET, None))
    if before is not None and set(title) != {token for token in before.tokens.split() if token.startswith(TITLE)}:
        SearchEntry.objects.filter(ticket=ticket, kind__in=[Kind.MESSAGE, Kind.ATTACHMENT]).delete()
    wanted = _wanted(ticket, head, batch)
    batch.old += [row.pk for key, row in head.by_key.items() if key not in wanted]
    for (kind, leg_id), row in wanted.items():
        known = head.by_key.get((kind, leg_id))
        if known is None:
            row.ticket, row.kind = ticket, kind
            batch.new.append(row)
        elif known.tokens != row.tokens or known.at != row.at:
            known.tokens, known.at = row.tokens, row.at
            batch.changed.append(known)


def _wanted(ticket: Ticket, head: _Head, batch: _Batch) -> dict[tuple[str, int | None], SearchEntry]:
    """The entries that the ticket's head should have, by kind and engagement."""
    title = title_tokens(ticket)
    text = f"{ticket.number} {ticket.title}\n{ticket.description}"
    batch.words |= analysis.vocabulary(text)
    found: dict[tuple[str, int | None], SearchEntry] = {}
    own = [*analysis.tokens(text), *analysis.number_tokens(ticket.source_number), *title]
    found[Kind.TICKET.value, None] = SearchEntry(at=ticket.opened_at, tokens=_joined(own))
    if ticket.requester is not None:
        batch.words |= analysis.vocabulary(ticket.requester.name)
        # Only we and the requester may read the address.
        for kind, text in ((Kind.REQUESTER, ticket.requester.name), (Kind.ADDRESS, ticket.requester.email)):
            if text:
                tokens = _joined([*analysis.tokens(text), *title])
                found[kind.value, None] = SearchEntry(at=ticket.opened_at, tokens=tokens)
    for leg in head.numbered:
        tokens = _joined([*analysis.number_tokens(leg.remote_number), *title])
        found[Kind.NUMBER.value, leg.pk] = SearchEntry(leg=leg, at=leg.offered_at, tokens=tokens)
    return found


def _index_messages(tickets: Sequence[Ticket], batch: _Batch) -> None:
    """Entries for the current messages that have none; entries of others are removed."""
    entries = SearchEntry.objects.filter(ticket__in=tickets, message__isnull=False)
    is_past = Q(message__withdrawn_at__isnull=False) | Q(message__superseded_by__isnull=False, kind=Kind.MESSAGE)
    batch.old += entries.filter(is_past).values_list("pk", flat=True)
    mine = SearchEntry.objects.filter(message=OuterRef("pk"), kind=Kind.MESSAGE)
    messages = Message.objects.filter(~Exists(mine), ticket__in=tickets, withdrawn_at=None, superseded_by=None)
    titles = {ticket.pk: title_tokens(ticket) for ticket in tickets}
    for message in messages.order_by("pk"):
        batch.words |= analysis.vocabulary(message.body)
        tokens = _joined([*analysis.tokens(message.body), *titles[message.ticket_id]])
        batch.new.append(
            SearchEntry(
                ticket_id=message.ticket_id, kind=Kind.MESSAGE, message=message, at=message.occurred_at, tokens=tokens
            )
        )


def _index_attachments(tickets: Sequence[Ticket], batch: _Batch) -> None:
    """Entries for the names of files, except those of withdrawn messages."""
    mine = SearchEntry.objects.filter(attachment=OuterRef("pk"))
    files = Attachment.objects.filter(~Exists(mine), ticket__in=tickets)
    files = files.filter(message__withdrawn_at=None)
    titles = {ticket.pk: title_tokens(ticket) for ticket in tickets}
    for each in files.order_by("pk"):
        batch.words |= analysis.vocabulary(each.name)
        batch.new.append(
            SearchEntry(
                ticket_id=each.ticket_id,
                kind=Kind.ATTACHMENT,
                attachment=each,
                message_id=each.message_id,
                at=each.added_at,
                tokens=_joined([*analysis.tokens(each.name), *titles[each.ticket_id]]),
            )
        )


def title_tokens(ticket: Ticket) -> list[str]:
    """The marked tokens of the ticket's number and title."""
    return [TITLE + token for token in analysis.tokens(f"{ticket.number} {ticket.title}")]


def _joined(tokens: Iterable[str]) -> str:
    return " ".join(sorted(set(tokens)))
