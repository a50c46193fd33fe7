"""Verbs on what of the past an organisation may read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from django.db.models import QuerySet

from hub.models import HistoryShare, Leg, Organisation, Ticket, User

BATCH = 1000


def share(tickets: Iterable[Ticket], *, organisation: Organisation, why: str, by: User | None, at: datetime) -> int:
    """Let the organisation read these tickets; how many it could not before. What it works on it reads anyway."""
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
        # Two that share at once: the constraint lets one of them through.
        HistoryShare.objects.bulk_create(made, ignore_conflicts=True)
        count += len(made)
    return count


def end(shares: QuerySet[HistoryShare], *, at: datetime) -> int:
    """They may not read it any more; how many ended now. Those that had ended stay as they were."""
    return shares.filter(ended_at=None).update(ended_at=at)
