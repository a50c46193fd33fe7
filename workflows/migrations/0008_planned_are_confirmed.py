"""What was planned before a switch had to be confirmed begins as it was planned."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models import F


def confirm(apps: Any, schema_editor: Any) -> None:
    apps.get_model("workflows", "VendorSwitch").objects.filter(confirmed_at=None).update(confirmed_at=F("made_at"))


class Migration(migrations.Migration):
    dependencies = [("workflows", "0007_switch_confirmed")]

    operations = [migrations.RunPython(confirm, migrations.RunPython.noop)]
