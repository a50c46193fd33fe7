from __future__ import annotations

from typing import Any

from django.db import migrations

MOST_WORDS = 1000
"""PostgreSQL's statistics target of the tokens, ten times the usual one.

With the usual one, the planner takes any rare word to be in one of two thousand entries, and looks for it by walking
through the entries by time.
"""


def keep_more(_apps: Any, schema_editor: Any) -> None:
    _keep(schema_editor, MOST_WORDS)


def keep_the_usual(_apps: Any, schema_editor: Any) -> None:
    _keep(schema_editor, -1)


def _keep(schema_editor: Any, words: int) -> None:
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(f"ALTER INDEX search_entry_by_tokens ALTER COLUMN 1 SET STATISTICS {words}")
            cursor.execute("ANALYZE hub_searchentry")


class Migration(migrations.Migration):
    dependencies = [("hub", "0032_console_indexes")]

    operations = [migrations.RunPython(keep_more, keep_the_usual)]
