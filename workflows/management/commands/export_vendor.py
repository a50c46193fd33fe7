"""Export everything recorded about a vendor's work, or what its successor may see.

manage.py export_vendor "Hostwerk" exit-hostwerk [--for successor] [--service Payroll ...]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.core.clock import now
from hub.domain.files import NotWhole
from hub.models import Organisation, Service
from workflows.vendor_change import export


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("vendor", help="the vendor's name")
        parser.add_argument("folder", type=Path, help="a new or empty folder")
        parser.add_argument(
            "--for",
            dest="audience",
            choices=export.AUDIENCES,
            default="us",
            help="us: everything; successor: only what a later organisation may see",
        )
        parser.add_argument("--service", action="append", default=[], help="only tickets of this service")

    def handle(self, *_args: Any, **options: Any) -> None:
        vendor = Organisation.objects.filter(name=options["vendor"]).first()
        if vendor is None:
            names = ", ".join(Organisation.objects.filter(kind="vendor").values_list("name", flat=True))
            raise CommandError(f"There is no vendor {options['vendor']!r}. Vendors: {names or 'none'}.")
        services = list(Service.objects.filter(name__in=options["service"]))
        missing = set(options["service"]) - {service.name for service in services}
        if missing:
            raise CommandError(f"There is no service {min(missing)!r}.")
        try:
            made = export.export(vendor, options["folder"], audience=options["audience"], services=services, at=now())
        except (FileExistsError, NotWhole) as error:
            raise CommandError(str(error)) from error
        counts = ", ".join(f"{count} {name}" for name, count in made["counts"].items())
        self.stdout.write(f"Exported to {options['folder']}: {counts}.")
        self.stdout.write(f"Verify the export with: manage.py verify_export {options['folder']}")
