"""What was wrong with a webhook is a sentence, which is stored with its values."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0027_words"),
    ]

    operations = [
        migrations.AlterField(
            model_name="connection",
            name="hook_note",
            field=models.TextField(blank=True, editable=False, verbose_name="webhook note"),
        ),
    ]
