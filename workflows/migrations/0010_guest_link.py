from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflows", "0009_levels_per_revision"), ("hub", "0014_failed_receiver")]

    operations = [
        migrations.RenameModel("Door", "GuestLink"),
        migrations.AlterModelOptions("GuestLink", {"verbose_name": "guest link", "verbose_name_plural": "guest links"}),
        migrations.AlterField(
            "GuestLink",
            "leg",
            models.ForeignKey("hub.Leg", models.CASCADE, related_name="guest_links", verbose_name="leg"),
        ),
    ]
