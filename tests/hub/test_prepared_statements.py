"""Statements are prepared only where sessions are known to lead to PostgreSQL itself and not to a pooler."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HUB = "postgresql://hub:secret@db.example:5432/hub"


def prepares(tmp_path: Path, *, listen: str, flag: str = "", database: str = HUB) -> bool:
    """Whether a process with these addresses prepares its statements."""
    variables = {
        "TICKETHUB_VAR": str(tmp_path),
        "DATABASE_URL": database,
        "TICKETHUB_LISTEN_URL": listen,
        "TICKETHUB_PREPARED_STATEMENTS": flag,
    }
    code = "from hub.settings import DATABASES as found; print('prepare_threshold' in found['default']['OPTIONS'])"
    command = [sys.executable, "-c", code]
    told = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **variables}, check=True, capture_output=True, text=True
    )
    return told.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("listen", "is_direct"),
    [
        (HUB, True),
        ("postgresql://listener:other@db.example/hub", True),
        ("", False),
        ("postgresql://hub:secret@db.example:6432/hub", False),
        ("postgresql://hub:secret@db.example:5432/hub_direct", False),
        ("postgresql://hub:secret@other.example:5432/hub", False),
        ("postgresql://hub:secret@db.example:port/hub", False),
        ("postgresql://hub:secret@[db/hub", False),
        ("postgresql://hub:secret@db.example:5432/hub?host=/run/postgresql", False),
    ],
)
def test_a_direct_session_to_the_same_place_shows_that_there_is_no_pooler(
    listen: str, is_direct: bool, tmp_path: Path
) -> None:
    assert prepares(tmp_path, listen=listen) == is_direct


def test_the_setting_decides_where_it_is_set(tmp_path: Path) -> None:
    assert not prepares(tmp_path, listen=HUB, flag="0")
    assert prepares(tmp_path, listen="", flag="1")


def test_sqlite_knows_no_such_option(tmp_path: Path) -> None:
    assert not prepares(tmp_path, listen="", flag="1", database="sqlite:///x.sqlite3")
