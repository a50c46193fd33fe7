"""Import a ticket log from another system, with its ledger and clocks.

manage.py import_history --format servicenow-audit FILE|FOLDER [--profile FILE] [--parties MAP.csv]
"""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.core.clock import now
from hub.importing import profile as profiles
from hub.importing.run import Importer, RejectFile, fingerprint, publish_policies, read_stories
from hub.models import HistoryImport, Organisation


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path, help="a .csv or .csv.gz file, or a folder of them")
        parser.add_argument("--format", required=True, help=f"one of: {', '.join(profiles.shipped())}")
        parser.add_argument("--profile", type=Path, help="your own TOML profile instead of the built-in one")
        parser.add_argument("--parties", type=Path, help="CSV file with the columns value and party")

    def handle(self, *_args: Any, **options: Any) -> None:
        source: Path = options["source"]
        profile = _profile(options["format"], options["profile"])
        parties = _parties(options["parties"])
        if not source.exists():
            raise CommandError(f"{source} does not exist.")
        if not Organisation.objects.filter(is_us=True).exists():
            Organisation.objects.create(name="Our IT organisation", kind=Organisation.Kind.US, is_us=True)
            self.stdout.write("There was no organisation of your own yet. “Our IT organisation” was created.")
        publish_policies(profile)
        batch, is_new = HistoryImport.objects.get_or_create(
            fingerprint=fingerprint(source, profile, parties),
            defaults={
                "source": str(source)[-255:],
                "format": profile.format,
                "profile": profile.raw,
                "parties": parties,
                "imported_at": now(),
            },
        )
        if batch.status == HistoryImport.Status.DONE:
            self.stdout.write(
                f"This log is already imported ({batch.tickets_done} tickets). Next: manage.py history_report OUT.csv"
            )
            return
        if not is_new:
            self.stdout.write(f"Continuing after {batch.tickets_done} tickets.")
        self._run(source, profile, batch)

    def _run(self, source: Path, profile: profiles.Profile, batch: HistoryImport) -> None:
        rejects = RejectFile(batch.public_id)
        try:
            stories = read_stories(source, profile, rejects)
        finally:
            rejects.close()
        if not stories and not batch.tickets_done:
            batch.delete()
            raise CommandError(_nothing(source, profile, rejects))
        batch.rows_rejected = rejects.count
        batch.save(update_fields=["rows_rejected"])
        Importer(batch=batch, profile=profile, at=now()).run(stories, _Bar(self.stdout))
        self.stdout.write(f"{batch.tickets_done} tickets, {batch.rows_done} rows imported.")
        if rejects.count:
            self.stdout.write(f"{rejects.count} rows or files could not be read. The list is in {rejects.path}")
        self.stdout.write("Next: manage.py history_report OUT.csv --policy NAME")


def _nothing(source: Path, profile: profiles.Profile, rejects: RejectFile) -> str:
    """Why nothing could be imported from a source, and what is expected."""
    first = f" First error: {rejects.first}." if rejects.first else ""
    return (
        f"Nothing in {source} could be read as a {profile.label}; nothing was imported.{first} Expected: a CSV file "
        f"or a folder of CSV files whose first line contains the columns {', '.join(profile.columns)}."
    )


class _Bar:
    """A progress bar with rate and remaining time; on a terminal it stays on one line."""

    def __init__(self, out: Any) -> None:
        self.out = out
        self.began = self.said = time.monotonic()
        self.began_with: int | None = None

    def __call__(self, done: int, of: int, rows: int) -> None:
        at = time.monotonic()
        if self.began_with is None:
            self.began_with = done
        is_terminal = getattr(self.out, "isatty", lambda: False)()
        if not is_terminal and done < of and at - self.said < 5:
            return
        self.said = at
        rate = (done - self.began_with) / max(at - self.began, 0.001)
        left = f"{(of - done) / rate:.0f} s left" if rate else "starting"
        filled = 20 * done // max(of, 1)
        line = f"[{'#' * filled}{'.' * (20 - filled)}] {done}/{of} tickets, {rows} rows, {rate:.0f} tickets/s, {left}"
        self.out.write(f"\r{line}" if is_terminal else line, ending="" if is_terminal and done < of else "\n")


def _profile(format_: str, path: Path | None) -> profiles.Profile:
    shipped = profiles.SHIPPED / f"{format_}.toml"
    if path is None and not shipped.is_file():
        raise CommandError(f"Unknown format {format_!r}; use one of {', '.join(profiles.shipped())}.")
    try:
        return profiles.load(path or shipped)
    except profiles.BadProfile as error:
        raise CommandError(str(error)) from error


def _parties(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path}: {error}") from error
    if not rows or "party" not in rows[0] or len(rows[0]) < 2:
        raise CommandError(f"{path}: the first line must contain a column with the values and a column “party”.")
    party = rows[0].index("party")
    value = 0 if party else 1
    return {row[value].strip(): row[party].strip() for row in rows[1:] if len(row) > max(party, value)}
