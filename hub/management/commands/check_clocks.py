"""Check files of worked cases against the product's own calendars and clocks. Exit status 1 if anything differs.

manage.py check_clocks FILE.json [FILE.json ...]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.sla import worked_cases


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", type=Path, nargs="+")

    def handle(self, *_args: Any, **options: Any) -> None:
        differences = 0
        for path in options["files"]:
            outcome = _run(path)
            for line in outcome.differences:
                self.stdout.write(line)
            for line in outcome.contested:
                self.stdout.write(f"contested, not counted: {line}")
            self.stdout.write(
                f"{path.name}: {outcome.compared} states compared, {len(outcome.differences)} differences."
            )
            differences += len(outcome.differences)
        if differences:
            sys.exit(1)


def _run(path: Path) -> worked_cases.Outcome:
    try:
        return worked_cases.run(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CommandError(f"{path}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} is not a file of cases: {error} is missing or has the wrong type.") from error
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from error
