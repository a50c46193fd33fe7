"""The key under which a clock's level fires once names the revision of the goal from now on."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

PARTS = 5
"""clock, rule, contract, party, cycle: what a key was made of before."""


def name_revisions(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """What has fired, or waits to, did so for the revision in force now: else it would fire twice, or never."""
    clocks = apps.get_model("hub", "Clock").objects
    for model in ("Pending", "EscalationRun"):
        rows = apps.get_model("workflows", model).objects
        for row in rows.filter(key__startswith="clock:").iterator():
            parts = row.key.split(":")
            if len(parts) != PARTS:
                continue
            contract, party, cycle = parts[2:]
            of_it = clocks.filter(ticket=row.ticket_id, contract=contract, party=party, cycle=cycle)
            revision = of_it.order_by("-revision").values_list("revision", flat=True).first() or 0
            rows.filter(pk=row.pk).update(key=f"{row.key}:{revision}")


class Migration(migrations.Migration):
    dependencies = [("workflows", "0008_planned_are_confirmed"), ("hub", "0011_more_guards")]

    operations = [migrations.RunPython(name_revisions, migrations.RunPython.noop)]
