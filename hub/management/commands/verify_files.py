"""Read every attachment and hold it against its digest; name those that are not whole, exit status 1 if any.

manage.py verify_files
"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from hub.domain import files
from hub.models import Attachment


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        broken = 0
        for attachment, what in files.verify():
            broken += 1
            self.stdout.write(f"{attachment.ticket.label}: {attachment.name}: {what}")
        self.stdout.write(f"{Attachment.objects.count()} attachments read: {broken} not whole.")
        if broken:
            self.stdout.write("Restore the files folder from a backup; what comes in again is written again.")
            sys.exit(1)
