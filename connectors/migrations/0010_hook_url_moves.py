"""Where they call us moves out of what a connector has learned, which is forgotten with every new setting."""

from __future__ import annotations

from typing import Any

from django.db import migrations


def move(apps: Any, schema_editor: Any) -> None:
    for row in apps.get_model("connectors", "Connection").objects.exclude(hook_id="").iterator():
        row.hook_url = str(row.memory.pop("hook_url", ""))
        row.save(update_fields=["hook_url", "memory"])


class Migration(migrations.Migration):
    dependencies = [("connectors", "0009_hook_url")]

    operations = [migrations.RunPython(move, migrations.RunPython.noop)]
