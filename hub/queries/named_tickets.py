"""Tickets named on a command line."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.management.base import CommandError
from django.db.models import QuerySet

from hub.models import Ticket


def chosen_tickets(labels: Iterable[str]) -> QuerySet[Ticket]:
    """The tickets with these numbers (TH-1042 or 1042), or all tickets if none is given.

    Raises CommandError for a text that is not a number, and for a ticket that does not exist.
    """
    wanted = [label.upper().removeprefix("TH-") for label in labels]
    for text in wanted:
        if not text.isdecimal():
            raise CommandError(f"{text!r} is not a ticket number. Use a number such as TH-1042.")
    tickets = Ticket.objects.order_by("pk")
    if not wanted:
        return tickets
    found = tickets.filter(number__in=[int(text) for text in wanted])
    missing = {int(text) for text in wanted} - set(found.values_list("number", flat=True))
    if missing:
        raise CommandError(f"TH-{min(missing)} does not exist.")
    return found
