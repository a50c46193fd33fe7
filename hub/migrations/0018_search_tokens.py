"""The index of the search entries' tokens: GIN on PostgreSQL, FTS5 on SQLite.

A later migration that makes SQLite rebuild the table of the entries must call `index` again: the triggers go with the
old table.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

INSIDE = "!#$%&()*+,-./:;<=>?@[\\]^_{|}~"
"""Everything in ASCII but spaces, quotes, letters and digits is part of a token, too."""

FTS5 = (
    "CREATE VIRTUAL TABLE hub_searchentry_tokens USING fts5("
    "tokens, content='hub_searchentry', content_rowid='id', detail=none, columnsize=0, "
    f"tokenize=\"ascii tokenchars '{INSIDE}'\")",
    "INSERT INTO hub_searchentry_tokens(hub_searchentry_tokens) VALUES('rebuild')",
    "CREATE TRIGGER hub_searchentry_added AFTER INSERT ON hub_searchentry BEGIN "
    "INSERT INTO hub_searchentry_tokens(rowid, tokens) VALUES (new.id, new.tokens); END",
    "CREATE TRIGGER hub_searchentry_removed AFTER DELETE ON hub_searchentry BEGIN "
    "INSERT INTO hub_searchentry_tokens(hub_searchentry_tokens, rowid, tokens) "
    "VALUES ('delete', old.id, old.tokens); END",
    "CREATE TRIGGER hub_searchentry_changed AFTER UPDATE OF tokens ON hub_searchentry BEGIN "
    "INSERT INTO hub_searchentry_tokens(hub_searchentry_tokens, rowid, tokens) "
    "VALUES ('delete', old.id, old.tokens); "
    "INSERT INTO hub_searchentry_tokens(rowid, tokens) VALUES (new.id, new.tokens); END",
)


def index(_apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        if schema_editor.connection.vendor == "postgresql":
            cursor.execute(
                "CREATE INDEX search_entry_by_tokens ON hub_searchentry "
                "USING gin (array_to_tsvector(string_to_array(tokens, ' ')))"
            )
        else:
            for statement in FTS5:
                cursor.execute(statement)


def drop(_apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        if schema_editor.connection.vendor == "postgresql":
            cursor.execute("DROP INDEX search_entry_by_tokens")
        else:
            for name in ("added", "removed", "changed"):
                cursor.execute(f"DROP TRIGGER hub_searchentry_{name}")
            cursor.execute("DROP TABLE hub_searchentry_tokens")


class Migration(migrations.Migration):
    dependencies = [("hub", "0017_search")]

    operations = [migrations.RunPython(index, drop)]
