"""Versions that were published before there were fingerprints get one: they never change, so any will do."""

from __future__ import annotations

from typing import Any

from django.db import migrations


def mark(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("hub", "WorkflowVersion").objects.filter(fingerprint="").exclude(status="draft")
    for row in rows:
        row.fingerprint = f"before.{row.pk}"
        row.save(update_fields=["fingerprint"])


class Migration(migrations.Migration):
    dependencies = [("workflows", "0003_policy"), ("hub", "0005_policy")]

    operations = [migrations.RunPython(mark, migrations.RunPython.noop)]
