"""Endpoints that have a secret already go on sending the old signature, beside the standard one.

Going back needs nothing: the column goes with the migration before this one, and the secrets are as they were.
"""

from typing import Any

from django.db import migrations


def keep_signing(apps: Any, _editor: Any) -> None:
    apps.get_model("workflows", "Endpoint").objects.exclude(sealed=b"").update(has_hex_signature=True)


class Migration(migrations.Migration):
    dependencies = [("workflows", "0011_hex_signature")]

    operations = [migrations.RunPython(keep_signing, migrations.RunPython.noop)]
