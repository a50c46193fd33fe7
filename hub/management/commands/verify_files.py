"""Read every attachment and compare it with its digest. Lists damaged files; exit status 1 if there are any.

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
        self.stdout.write(f"{Attachment.objects.count()} attachments read: {broken} damaged.")
        if broken:
            self.stdout.write("Restore the files folder from a backup. A file that is received again is stored again.")
            sys.exit(1)
