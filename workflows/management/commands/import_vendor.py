"""Import a vendor's export, and let the new vendor read its tickets.

manage.py import_vendor entry-beta --for "Beta Hosting" [--dry-run]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.core.clock import now
from hub.models import Organisation
from workflows.vendor_change import importing
from workflows.vendor_change import package as export_package


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a folder written by export_vendor")
        parser.add_argument("--for", dest="organisation", required=True, help="the name of the vendor that may read it")
        parser.add_argument("--dry-run", action="store_true", help="only report what would be imported")

    def handle(self, *_args: Any, **options: Any) -> None:
        organisation = Organisation.objects.filter(name=options["organisation"], kind="vendor").first()
        if organisation is None:
            names = ", ".join(Organisation.objects.filter(kind="vendor").values_list("name", flat=True))
            raise CommandError(f"There is no vendor {options['organisation']!r}. Vendors: {names or 'none'}.")
        try:
            package = export_package.read(options["folder"])
            if options["dry_run"]:
                self._report(importing.preview(package), is_done=False)
                return
            found = importing.bring(package, organisation=organisation, by=None, at=now())
        except export_package.NotBrought as refused:
            lines = "\n".join(refused.wrong[: export_package.MOST_TOLD])
            raise CommandError(f"Nothing was imported; problems found: {len(refused.wrong)}.\n{lines}") from refused
        self._report(found, is_done=True)
        self.stdout.write(f"Tickets that {organisation} can read from now on: {found.shared}.")

    def _report(self, found: importing.Brought, *, is_done: bool) -> None:
        self.stdout.write(f"Tickets that already exist: {len(found.here)}.")
        imported = "Tickets imported as history" if is_done else "Tickets that would be imported as history"
        self.stdout.write(f"{imported}: {len(found.new)}.")
        if found.open:
            self.stdout.write(f"Still open, so not shared: {', '.join(found.open[: export_package.MOST_TOLD])}")
        if found.strange:
            labels = ", ".join(found.strange[: export_package.MOST_TOLD])
            self.stdout.write(f"Not shared, because the vendor never worked on them here: {labels}")
