"""Make the dump that the upgrade test begins with: the demo of an older commit, played once.

    git worktree add ../old 602caa8 && cd ../old
    TICKETHUB_VAR=old-var python manage.py demo --once
    python ../main/tests/upgrade/make_dump.py old-var/hub.sqlite3

Two receivers that failed are added, as that commit kept them; sessions and sealed credentials are left out.
"""

from __future__ import annotations

import lzma
import sqlite3
import sys
from pathlib import Path

DUMP = Path(__file__).with_name("demo-602caa8.sql.xz")
EMPTIED = ("django_session", "axes_accessattempt", "axes_accesslog", "axes_accessfailurelog", "django_admin_log")
FAILED = ("connectors.engine.outbox.queue", "workflows.reactions.set_off")


def main(database: str) -> None:
    rows = sqlite3.connect(database)
    for table in EMPTIED:
        rows.execute(f"DELETE FROM {table}")
    rows.execute("UPDATE connectors_connection SET sealed = x''")
    rows.execute("DELETE FROM hub_reaction")
    rows.executemany(
        "INSERT INTO hub_reaction (event_id, receiver, error, attempts, failed_at, next_attempt_at) "
        "SELECT MIN(id), ?, 'RuntimeError: no luck', 1, MIN(recorded_at), MIN(recorded_at) FROM hub_event",
        [(name,) for name in FAILED],
    )
    text = "\n".join(rows.iterdump())
    rows.rollback()
    DUMP.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main(sys.argv[1])
