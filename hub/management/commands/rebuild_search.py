"""Make the search index anew, or that of some tickets only. Search goes on meanwhile.

manage.py rebuild_search
manage.py rebuild_search TH-1042
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from hub.models import SearchWord
from hub.queries.named_tickets import chosen_tickets
from hub.search import indexing


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tickets", nargs="*", help="TH-1042 or 1042; without any, all tickets")

    def handle(self, *_args: Any, **options: Any) -> None:
        tickets = chosen_tickets(options["tickets"])
        if not options["tickets"]:
            SearchWord.objects.all().delete()  # words of erased texts must not remain
        done, last = 0, 0
        while keys := list(tickets.filter(pk__gt=last).values_list("pk", flat=True)[: indexing.BATCH]):
            indexing.index_anew(keys)
            done, last = done + len(keys), keys[-1]
            if done % (50 * indexing.BATCH) == 0:
                self.stdout.write(f"{done} tickets indexed …")
        self.stdout.write(f"{done} tickets indexed.")
