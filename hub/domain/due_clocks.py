"""Clocks whose breach is due: stored with its exact time, for many tickets at once.

At nine o'clock thousands of clocks may breach in the same second. They are processed in batches, each in a transaction
of its own, so that a hand-off waits for one batch at most (docs/decisions/0041).
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from hub.domain import checkpoints, clock_rows
from hub.models import Clock, Ticket

log = logging.getLogger(__name__)

BATCH = 50
"""The most tickets in one transaction."""
AT_ONCE_SECONDS = 1.0
"""After this time, other work gets its turn."""
AGAIN = timedelta(minutes=10)
"""When a ticket whose clocks could not be folded is tried again."""


def waiting(*, at: datetime) -> QuerySet[Clock]:
    """Clocks whose breach has passed and is not stored yet."""
    return Clock.objects.filter(next_fire_at__lte=at)


def fire(*, at: datetime) -> int:
    """Store the breaches that are due, batch by batch for about a second; returns the number of tickets fired."""
    began, fired = time.monotonic(), 0
    still_due: set[int] = set()  # those that are being changed, and those whose goal is reached this very second
    while time.monotonic() - began < AT_ONCE_SECONDS:
        due = waiting(at=at).exclude(ticket__in=still_due).order_by("next_fire_at", "pk")
        tickets = list(dict.fromkeys(due.values_list("ticket_id", flat=True)[: 2 * BATCH]))[:BATCH]
        if not tickets:
            break
        _fire_together(tickets, at)
        left = set(waiting(at=at).filter(ticket__in=tickets).values_list("ticket_id", flat=True))
        fired += len(tickets) - len(left)
        still_due |= left
    return fired


def _fire_together(ticket_ids: list[int], at: datetime) -> None:
    """Fire the clocks of these tickets in one transaction. If that fails, each ticket is tried alone."""
    try:
        _fold(ticket_ids, at)
    except (OperationalError, InterfaceError):
        raise  # the database is away or overloaded, whatever the ticket
    except Exception as error:
        if len(ticket_ids) == 1:
            log.error("The clocks of ticket %s could not be folded", ticket_ids[0], exc_info=error)
            Clock.objects.filter(ticket__in=ticket_ids, next_fire_at__lte=at).update(next_fire_at=at + AGAIN)
            return
        for ticket_id in ticket_ids:
            _fire_together([ticket_id], at)


@transaction.atomic
def _fold(ticket_ids: list[int], at: datetime) -> None:
    rows = Ticket.objects.select_for_update(of=("self",), skip_locked=True).filter(pk__in=ticket_ids)
    tickets = list(rows.select_related("owner").order_by("pk"))  # one that is being changed is folded with the change
    # A ticket may have been changed since the sweep began; its newest event must be within the fold.
    as_of = max([at, *(ticket.changed_at for ticket in tickets)])
    stories = checkpoints.stories(tickets, [checkpoints.CLOCKS])
    clock_rows.refold_all(list(stories.values()), as_of=as_of)
    checkpoints.save(stories.values())
