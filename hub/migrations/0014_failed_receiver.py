from typing import Any

from django.db import migrations, models
from django.db.models import Q

NAMES = {"workflows.reactions.set_off": "rules", "connectors.engine.outbox.queue": "outbox"}
"""What was kept until now, where the function stood, and the name it registers with."""


def name_them(apps: Any, _schema_editor: Any) -> None:
    rows = apps.get_model("hub", "FailedReceiver").objects
    for before, after in NAMES.items():
        rows.filter(receiver=before).update(receiver=after)


def name_them_as_before(apps: Any, _schema_editor: Any) -> None:
    rows = apps.get_model("hub", "FailedReceiver").objects
    for before, after in NAMES.items():
        rows.filter(receiver=after).update(receiver=before)


class Migration(migrations.Migration):
    dependencies = [("hub", "0013_remote_title")]

    operations = [
        migrations.RemoveConstraint("Reaction", "reaction_once_per_event"),
        migrations.RemoveIndex("Reaction", "reaction_next_to_try"),
        migrations.RenameModel("Reaction", "FailedReceiver"),
        migrations.AlterModelOptions(
            "FailedReceiver", {"verbose_name": "failed receiver", "verbose_name_plural": "failed receivers"}
        ),
        migrations.AlterField(
            "FailedReceiver",
            "event",
            models.ForeignKey("hub.Event", models.CASCADE, related_name="failed_receivers"),
        ),
        migrations.AddConstraint(
            "FailedReceiver",
            models.UniqueConstraint(fields=["event", "receiver"], name="failed_receiver_once_per_event"),
        ),
        migrations.AddIndex(
            "FailedReceiver",
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(next_attempt_at__isnull=False),
                name="failed_receiver_next_to_try",
            ),
        ),
        migrations.RunPython(name_them, name_them_as_before),
    ]
