import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("hub", "0015_language"),
    ]

    operations = [
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("fold", models.CharField(choices=[("ledger", "ledger"), ("clocks", "clocks")], max_length=8)),
                ("occurred_at", models.DateTimeField()),
                ("seq", models.IntegerField()),
                ("covered_seq", models.IntegerField()),
                ("next_seq", models.IntegerField()),
                ("rules", models.CharField(max_length=64)),
                ("state", models.JSONField()),
                (
                    "ticket",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="checkpoints", to="hub.ticket"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("ticket", "fold"), name="checkpoint_once_per_fold")],
            },
        ),
    ]
