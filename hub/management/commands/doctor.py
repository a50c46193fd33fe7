"""Show the versions and the state of this installation, for example for a bug report. Exit status 1 if a check fails.

manage.py doctor
"""

from __future__ import annotations

import platform
import sys
import zoneinfo
from typing import Any

import django
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from hub import zones


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        wrong = 0
        for name, value, is_well in (_python(), _zones(), *_database()):
            self.stdout.write(f"{name + ':':<18}{value}{'' if is_well else '   <-- wrong'}")
            wrong += not is_well
        if wrong:
            sys.exit(1)


Fact = tuple[str, str, bool]


def _python() -> Fact:
    return "Python, Django", f"{platform.python_version()}, {django.get_version()}", True


def _zones() -> Fact:
    is_locked = not zoneinfo.TZPATH
    where = "the pinned package" if is_locked else f"{', '.join(zoneinfo.TZPATH)}, which is not the pinned package"
    return "time zones", f"IANA {zones.RELEASE}, from {where}", is_locked


def _database() -> list[Fact]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
            found = cursor.fetchone()
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return [("database", f"{connection.vendor} is not responding: {error}".strip(), False)]
    state = "up to date" if not missing else f"{len(missing)} migrations are missing; run manage.py migrate"
    return [
        ("database", f"{connection.vendor} {found[0] if found else ''}".strip(), True),
        ("migrations", state, not missing),
    ]
