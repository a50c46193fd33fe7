"""Granting and ending read access to the tickets of a predecessor."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from django.db.models import QuerySet

from hub.models import HistoryShare, Leg, Organisation, Ticket, User

BATCH = 1000


def share(tickets: Iterable[Ticket], *, organisation: Organisation, why: str, by: User | None, at: datetime) -> int:
    """Let the organisation read these tickets. Returns how many it could not read before.

    Tickets on which it is or was engaged are skipped: it can read them anyway.
    """
    rows = iter(tickets)
    count = 0
    while chunk := list(islice(rows, BATCH)):
        known = set(Leg.objects.filter(organisation=organisation, ticket__in=chunk).values_list("ticket_id", flat=True))
        known |= set(
            HistoryShare.objects.filter(organisation=organisation, ticket__in=chunk, ended_at=None).values_list(
                "ticket_id", flat=True
            )
        )
        made = [
            HistoryShare(organisation=organisation, ticket=ticket, why=why[:255], shared_by=by, shared_at=at)
            for ticket in chunk
            if ticket.pk not in known
        ]
        # If two people share at the same time, the constraint lets only one row through.
        HistoryShare.objects.bulk_create(made, ignore_conflicts=True)
        count += len(made)
    return count


def end(shares: QuerySet[HistoryShare], *, at: datetime) -> int:
    """End the shares that are not ended yet. Returns how many."""
    return shares.filter(ended_at=None).update(ended_at=at)
