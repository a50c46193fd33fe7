"""Encrypt every credential again with the newest key of TICKETHUB_SEAL_KEYS, and check that each can be opened.

manage.py rotate_keys            encrypt again what an older key encrypted; if interrupted, it continues next time
manage.py rotate_keys --check    only show which key opens how many credentials

Exit status 1 if no key of this installation opens a credential.
"""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from connectors.engine import vault


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        done = 0
        opened = [0] * len(settings.SEAL_KEYS)
        lost: list[str] = []
        for kind, pk in vault.sealed_rows():
            if not options["check"]:
                done += vault.reseal(kind, pk)
            name, number = vault.opened_by(kind, pk)
            if number is None:
                lost.append(name)
            else:
                opened[number] += 1
        if not options["check"]:
            self.stdout.write(f"Credentials encrypted again with the newest key: {done}.")
        for number, count in enumerate(opened):
            what = "The newest key" if number == 0 else f"Key {number + 1} (older)"
            rest = "" if number == 0 or count else " It can be removed from TICKETHUB_SEAL_KEYS."
            self.stdout.write(f"{what} opens {count} of {sum(opened) + len(lost)}.{rest}")
        for name in lost:
            self.stderr.write(f"{name}: no key opens its credentials. Restore the key, or enter the credentials again.")
        if lost:
            sys.exit(1)
