from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connectors", "0025_acknowledgement"), ("hub", "0014_failed_receiver")]

    operations = [
        migrations.RemoveIndex("Storm", "storm_by_connection_and_last"),
        migrations.RenameModel("Storm", "AlertStorm"),
        migrations.AlterField(
            "AlertStorm",
            "connection",
            models.ForeignKey("connectors.Connection", models.CASCADE, related_name="alert_storms"),
        ),
        migrations.AlterField(
            "AlertStorm", "parent", models.ForeignKey("hub.Ticket", models.PROTECT, related_name="alert_storms")
        ),
        migrations.AddIndex("AlertStorm", models.Index(fields=["connection", "-last_at"], name="alert_storm_by_last")),
        migrations.RemoveConstraint("Turn", "turn_once_per_endpoint"),
        migrations.RenameModel("Turn", "CallSlot"),
        migrations.AlterModelOptions("CallSlot", {"verbose_name": "call slot", "verbose_name_plural": "call slots"}),
        migrations.AlterField(
            "CallSlot",
            "connection",
            models.ForeignKey("connectors.Connection", models.CASCADE, related_name="call_slots"),
        ),
        migrations.AddConstraint(
            "CallSlot",
            models.UniqueConstraint(fields=["connection", "endpoint", "number"], name="call_slot_once_per_endpoint"),
        ),
    ]
