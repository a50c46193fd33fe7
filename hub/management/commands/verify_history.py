"""Check the hash chain of every ticket. Lists the first event that was tampered with; exit status 1 if there is any.

manage.py verify_history [TH-1042 ...]
manage.py verify_history --files       also check the content of every attachment
"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from hub.core.chunks import in_chunks
from hub.domain import history
from hub.queries.named_tickets import chosen_tickets


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--files", action="store_true", help="also check every attachment, like verify_files")
        parser.add_argument("tickets", nargs="*", help="ticket numbers (default: all tickets)")

    def handle(self, *_args: Any, **options: Any) -> None:
        tickets = events = 0
        found = []
        for ticket in in_chunks(chosen_tickets(options["tickets"])):
            tickets, events = tickets + 1, events + ticket.last_seq
            tampering = history.verify(ticket)
            if tampering:
                found.append(tampering)
                self.stdout.write(f"{ticket.label}: event {tampering.seq}: {tampering.what}")
        self.stdout.write(f"{tickets} tickets, {events} events checked: {len(found)} tampered with.")
        if options["files"]:
            call_command("verify_files", stdout=self.stdout)
        if found:
            sys.exit(1)
