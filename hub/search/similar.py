"""Tickets that may be about the same thing as a title that is being typed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q

from hub.models import OPEN, Ticket, User
from hub.queries import permissions
from hub.search import finding

MOST = 5
SHORTEST = 4
"""Shorter words say nothing about the subject."""
RECENT = timedelta(days=14)


def similar_tickets(user: User, title: str, *, at: datetime) -> list[Ticket]:
    """Open tickets, and those resolved recently, with all long words of the title, then with most of them.

    At most MOST, only such as the person may read; none for a title of fewer than two long words.
    """
    recent = Q(phase__in=OPEN) | Q(resolved_at__gte=at - RECENT)
    tickets = permissions.visible_tickets(user).filter(recent, imported_from=None, merged_into=None)
    found: list[int] = []
    for words in _fewer_and_fewer(title):
        for hit in finding.find(user, words, tickets=tickets, most=MOST).hits:
            if hit.ticket_id not in found:
                found.append(hit.ticket_id)
        if len(found) >= MOST:
            break
    rows = Ticket.objects.select_related("status", "holder").in_bulk(found[:MOST])
    return [rows[pk] for pk in found[:MOST] if pk in rows]


def _fewer_and_fewer(title: str) -> Iterator[str]:
    """The long words of the title, then without its shortest ones, down to two."""
    words = list(dict.fromkeys(word for word in title.split() if len(word) >= SHORTEST))[:8]
    longest = sorted(words, key=len, reverse=True)
    for count in sorted({len(words), 3, 2}, reverse=True):
        if 2 <= count <= len(words):
            yield " ".join(longest[:count])
