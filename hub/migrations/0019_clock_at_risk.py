from typing import Any

from django.db import migrations, models


def fold_again(apps: Any, _schema_editor: Any) -> None:
    """Have the worker fold the running clocks once, as if they were due: it finds out from when they are at risk."""
    clocks = apps.get_model("hub", "Clock").objects.filter(is_current=True, state="active", is_breached=False)
    clocks.filter(next_fire_at__isnull=False).update(next_fire_at=models.F("as_of"))


class Migration(migrations.Migration):
    dependencies = [("hub", "0018_search_tokens")]

    operations = [
        migrations.AddField(model_name="clock", name="risk_at", field=models.DateTimeField(null=True)),
        migrations.AddIndex(
            model_name="clock",
            index=models.Index(condition=models.Q(risk_at__isnull=False), fields=["risk_at"], name="clock_at_risk"),
        ),
        migrations.RunPython(fold_again, migrations.RunPython.noop),
    ]
