"""History import compared with loading the resulting rows: COPY on PostgreSQL, executemany elsewhere."""

from __future__ import annotations

import csv
import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from django.db import connection, transaction

from hub.core.clock import now
from hub.importing import profile as profiles
from hub.importing.run import Importer, publish_policies, read_stories
from hub.models import HistoryImport, Organisation
from tests.bench.__main__ import Measured, measure

TICKETS = 400
TABLES = ("hub_ticket", "hub_event", "hub_ledgersegment", "hub_clock", "hub_span")
STATES = ("New", "Active", "Awaiting User Info", "Active", "Resolved", "Closed")


def entry() -> Measured:
    profile = profiles.load(profiles.SHIPPED / "servicenow-audit.toml")
    Organisation.objects.create(name="Bench IT", kind="us", is_us=True)
    publish_policies(profile)
    kept: dict[str, Rows] = {}
    with tempfile.TemporaryDirectory() as folder:
        source = _log(Path(folder) / "log.csv")

        def hub() -> int:
            batch = HistoryImport.objects.create(
                source="bench",
                fingerprint=now().isoformat() + str(random.random()),
                format=profile.format,
                profile=profile.raw,
                imported_at=now(),
            )
            stories = read_stories(source, profile, lambda reject: None)
            Importer(batch=batch, profile=profile, at=now()).run(stories, lambda *_: None)
            return TICKETS

        def keep() -> None:
            kept.update({table: _take(table) for table in TABLES})
            _empty()

        def floor() -> int:
            with transaction.atomic():
                for table in TABLES:
                    _put(table, kept[table])
            return TICKETS

        name = (
            "COPY of the resulting rows" if connection.vendor == "postgresql" else "executemany of the resulting rows"
        )
        return measure("history import: tickets", hub, name, floor, before=_empty, between=keep)


Rows = bytes | tuple[list[str], list[tuple[object, ...]]]


def _take(table: str) -> Rows:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} TO STDOUT") as copy:
                return b"".join(bytes(chunk) for chunk in copy)
        cursor.execute(f"SELECT * FROM {table}")
        return [column[0] for column in cursor.description], cursor.fetchall()


def _put(table: str, rows: Rows) -> None:
    with connection.cursor() as cursor:
        if isinstance(rows, bytes):
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(rows)
            return
        columns, values = rows
        marks = ", ".join(["%s"] * len(columns))
        cursor.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)


def _empty() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET hub.allow_truncate = 'on'")
            cursor.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
            return
        for table in reversed(TABLES):
            cursor.execute(f"DELETE FROM {table}")


def _log(path: Path) -> Path:
    rng = random.Random(11)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "number",
                "incident_state",
                "sys_mod_count",
                "opened_at",
                "sys_updated_at",
                "category",
                "subcategory",
                "u_symptom",
                "priority",
                "assignment_group",
                "closed_at",
            ]
        )
        for number in range(TICKETS):
            at = datetime(2016, 3, 1, 8) + timedelta(minutes=rng.randrange(40_000))
            opened = f"{at:%d/%m/%Y %H:%M}"
            for version, state in enumerate(STATES):
                at += timedelta(minutes=rng.randrange(1, 900))
                writer.writerow(
                    [
                        f"INC{number}",
                        state,
                        version,
                        opened,
                        f"{at:%d/%m/%Y %H:%M}",
                        "a",
                        "b",
                        "c",
                        "3 - Moderate",
                        f"Group {rng.randrange(9)}",
                        "?",
                    ]
                )
    return path
