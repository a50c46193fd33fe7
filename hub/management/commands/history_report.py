"""Write the hub's figures for imported tickets to a CSV file, one line per ticket.

manage.py history_report OUT.csv --policy a|b|v
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub import csv_escaping
from hub.importing import figures
from hub.models import HistoryImport


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("out", type=Path)
        parser.add_argument("--policy", help="a or b (ServiceNow audit), v (VINST); default: every policy of the log")
        parser.add_argument("--import", dest="batch", help="the public id of an import (default: the newest)")

    def handle(self, *_args: Any, **options: Any) -> None:
        batch = newest_import(options["batch"], options["policy"])
        policies = [options["policy"]] if options["policy"] else figures.POLICIES[batch.format]
        rows = list(figures.figures_of(batch, policies))
        names = list(dict.fromkeys(name for row in rows for name in row))
        with options["out"].open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, restval=0)
            writer.writeheader()
            writer.writerows({name: csv_escaping.plain(value) for name, value in row.items()} for row in rows)
        self.stdout.write(f"{len(rows)} tickets written to {options['out']}.")
        self.stdout.write("Next: manage.py compare_history EXPECTED.csv")


def newest_import(public_id: str | None, policy: str | None) -> HistoryImport:
    """The import to report on: the one named, else the newest of a log with this policy. Raises CommandError."""
    batches = HistoryImport.objects.filter(status=HistoryImport.Status.DONE).order_by("-pk")
    if public_id:
        batches = batches.filter(public_id=public_id)
    if policy:
        formats = [name for name, known in figures.POLICIES.items() if policy in known]
        if not formats:
            raise CommandError(f"Unknown policy {policy!r}; use a, b or v.")
        batches = batches.filter(format__in=formats)
    batch = batches.filter(format__in=figures.REPORTS).first()
    if batch is None:
        raise CommandError("No matching import found. Run manage.py import_history first.")
    return batch
