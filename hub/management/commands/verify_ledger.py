"""Check the time ledger: every second of every ticket has one holder and one charge. Exit status 1 if not.

manage.py verify_ledger [TH-1042 ...]
"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from hub.core.chunks import in_chunks
from hub.core.clock import now
from hub.domain import ledger
from hub.queries.named_tickets import chosen_tickets
from hub.sla import ledger as sums


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tickets", nargs="*", help="ticket numbers (default: all tickets)")

    def handle(self, *_args: Any, **options: Any) -> None:
        as_of = int(now().timestamp())
        tickets = seconds = faults = 0
        for ticket in in_chunks(chosen_tickets(options["tickets"]).select_related("owner")):
            tickets += 1
            wrong = ledger.verify(ticket)
            segments = ledger.stored(ticket)
            ends_at = segments[-1].end if segments and segments[-1].end is not None else as_of
            life = ends_at - int(ticket.opened_at.timestamp())
            charged = sum(sums.seconds_by(segments, "charge", as_of=ends_at).values())
            if charged != max(life, 0):
                wrong.append(f"{charged} seconds are charged, but the ticket was open for {life}")
            seconds += charged
            faults += bool(wrong)
            for line in wrong:
                self.stdout.write(f"{ticket.label}: {line}")
        self.stdout.write(f"{tickets} tickets, {seconds} seconds checked: {faults} tickets with errors.")
        if faults:
            sys.exit(1)
