"""Compare a file of expected figures with the hub's own records. Exit status 1 if they differ.

manage.py compare_history EXPECTED.csv
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.importing import figures
from hub.management.commands.history_report import newest_import
from hub.models import HistoryImport

SHOWN = 20
# The log's own results, and the column that describes the file, are never compared.
LEFT_ALONE = {"reassignment_count", "reopen_count", "made_sla", "slice"}


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("expected", type=Path)
        parser.add_argument("--import", dest="batch", help="the public id of an import (default: the newest)")

    def handle(self, *_args: Any, **options: Any) -> None:
        expected = _read(options["expected"])
        batch = _batch(list(expected[0]), options["batch"])
        key = figures.KEYS[batch.format]
        ours = {str(row[key]): row for row in figures.figures_of(batch, figures.POLICIES[batch.format])}
        compared = [name for name in expected[0] if name not in LEFT_ALONE]
        known = {name for row in ours.values() for name in row}
        unknown = [name for name in compared if name not in known]
        differences = [f"the hub has no figures for the column {name}" for name in unknown]
        for row in expected:
            mine = ours.get(row[key])
            if mine is None:
                differences.append(f"{row[key]}: not imported")
                continue
            differences += [
                f"{row[key]} {name}: expected {row[name]!r}, the hub has {mine.get(name, 0)!r}"
                for name in compared
                if name not in unknown and not figures.same(row[name], mine.get(name, 0))
            ]
        for line in differences[:SHOWN]:
            self.stdout.write(line)
        columns = len(compared) - len(unknown)
        self.stdout.write(f"{len(expected)} tickets, {columns} columns compared: {len(differences)} differences.")
        if differences:
            sys.exit(1)


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path}: {error}") from error
    if not rows:
        raise CommandError(f"{path} has no rows.")
    return rows


def _batch(columns: list[str], public_id: str | None) -> HistoryImport:
    formats = [name for name, key in figures.KEYS.items() if key in columns]
    if not formats:
        raise CommandError("The file has no column “number” or “sr”.")
    return newest_import(public_id, figures.POLICIES[formats[0]][0])
