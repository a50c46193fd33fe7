"""Check a vendor's export against its manifest, its ledger and its history; exit status 1 if a check fails.

manage.py verify_export exit-hostwerk
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from workflows.vendor_change import export


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *_args: Any, **options: Any) -> None:
        wrong = export.verify(options["folder"])
        for line in wrong:
            self.stdout.write(line)
        if wrong:
            sys.exit(1)
        self.stdout.write("No file was changed, the ledger has no gaps and every history is complete.")
