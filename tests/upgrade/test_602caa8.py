"""An installation of 602caa8 becomes one of today with all its data."""

from __future__ import annotations

import lzma
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("own_database")

ROOT = Path(__file__).resolve().parents[2]
DUMP = Path(__file__).with_name("demo-602caa8.sql.xz")
SAID = {
    "verify_history": r"402 tickets, 5017 events checked: 0 tampered with\.",
    "verify_ledger": r"402 tickets, \d+ seconds checked: 0 tickets with errors\.",
}
"""What the commands of that commit said; the seconds of tickets that are open go on until now."""
KEPT = {"hub_ticket": 402, "hub_event": 5017, "hub_leg": 440, "hub_message": 1018, "hub_ledgersegment": 2535}
RENAMED = {
    "workflows_door": "workflows_guestlink",
    "connectors_storm": "connectors_alertstorm",
    "connectors_turn": "connectors_callslot",
    "hub_reaction": "hub_failedreceiver",
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("upgrade") / "hub.sqlite3"
    rows = sqlite3.connect(made)
    rows.executescript(lzma.decompress(DUMP.read_bytes()).decode())
    rows.commit()
    rows.close()
    return made


def counted(database: Path, tables: list[str]) -> dict[str, int]:
    rows = sqlite3.connect(database)
    found = {table: rows.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables}
    rows.close()
    return found


@pytest.fixture(scope="module")
def upgraded(before: Path) -> tuple[Path, dict[str, int]]:
    there = counted(before, list(RENAMED))
    manage(before, "migrate", "-v0")
    return before, there


def manage(database: Path, *command: str) -> str:
    env = os.environ | {"DATABASE_URL": f"sqlite:///{database}", "TICKETHUB_VAR": str(database.parent)}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", SAID)
def test_the_record_verifies_as_before(upgraded: tuple[Path, dict[str, int]], command: str) -> None:
    assert re.fullmatch(SAID[command], manage(upgraded[0], command).splitlines()[-1])


def test_no_row_is_lost(upgraded: tuple[Path, dict[str, int]]) -> None:
    database, before = upgraded
    assert counted(database, list(KEPT)) == KEPT
    after = counted(database, list(RENAMED.values()))
    assert {RENAMED[table]: count for table, count in before.items()} == after
    assert (before["workflows_door"], before["hub_reaction"]) == (397, 2)


def test_receivers_that_failed_are_called_again_by_their_names(upgraded: tuple[Path, dict[str, int]]) -> None:
    rows = sqlite3.connect(upgraded[0])
    names = {row[0] for row in rows.execute("SELECT receiver FROM hub_failedreceiver WHERE done_at IS NULL")}
    rows.close()
    assert names == {"outbox", "rules"}
    manage(
        upgraded[0], "shell", "-c", "from hub.domain.signals import retry_failed_receivers; retry_failed_receivers()"
    )
    rows = sqlite3.connect(upgraded[0])
    left = rows.execute("SELECT COUNT(*) FROM hub_failedreceiver WHERE done_at IS NULL").fetchone()[0]
    rows.close()
    assert left == 0
