from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflows", "0010_guest_link")]

    operations = [
        migrations.AddField(
            "Endpoint",
            "has_hex_signature",
            models.BooleanField("old signature", default=False, editable=False),
        ),
    ]
