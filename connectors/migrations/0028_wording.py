"""Labels, help texts and choices in plain English; hook_note becomes a text column."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0027_words"),
        ("hub", "0016_wording"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="inbound",
            options={"verbose_name": "inbound item", "verbose_name_plural": "inbound items"},
        ),
        migrations.AlterModelOptions(
            name="outbound",
            options={"verbose_name": "outbound item", "verbose_name_plural": "outbound items"},
        ),
        migrations.AlterModelOptions(
            name="trouble",
            options={"verbose_name": "fault", "verbose_name_plural": "faults"},
        ),
        migrations.AlterField(
            model_name="alertstate",
            name="acknowledgement",
            field=models.CharField(
                blank=True,
                choices=[
                    ("due", "acknowledgement is due"),
                    ("done", "acknowledged in the tool"),
                    ("failed", "could not be acknowledged in the tool"),
                    ("left_out", "skipped"),
                ],
                default="",
                max_length=8,
                verbose_name="acknowledged in the tool",
            ),
        ),
        migrations.AlterField(
            model_name="alertstate",
            name="count",
            field=models.PositiveIntegerField(default=1, verbose_name="number of times received"),
        ),
        migrations.AlterField(
            model_name="alertstate",
            name="said",
            field=models.CharField(blank=True, max_length=255, verbose_name="comment in the tool"),
        ),
        migrations.AlterField(
            model_name="awaitedfile",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "will be tried again"),
                    ("parked", "could not be fetched"),
                    ("too_large", "too large to be fetched automatically"),
                    ("left_out", "skipped"),
                    ("done", "fetched"),
                ],
                default="waiting",
                max_length=16,
                verbose_name="state",
            ),
        ),
        migrations.AlterField(
            model_name="connection",
            name="acceptance",
            field=models.CharField(
                choices=[
                    ("status", "the vendor's status means accepted"),
                    ("assigned", "the vendor's status means accepted, or one of the vendor's people is assigned"),
                ],
                default="status",
                max_length=16,
                verbose_name="accepted when",
            ),
        ),
        migrations.AlterField(
            model_name="connection",
            name="hook_note",
            field=models.TextField(blank=True, editable=False, verbose_name="webhook note"),
        ),
        migrations.AlterField(
            model_name="connection",
            name="hook_url",
            field=models.CharField(
                blank=True, editable=False, max_length=300, verbose_name="URL registered for the webhook"
            ),
        ),
        migrations.AlterField(
            model_name="connection",
            name="intake",
            field=models.CharField(
                choices=[
                    ("adopt", "import: a ticket created by the vendor becomes our ticket"),
                    ("ignore", "ignore: only tickets that we sent are synchronised"),
                ],
                default="adopt",
                max_length=16,
                verbose_name="tickets created by the vendor",
            ),
        ),
        migrations.AlterField(
            model_name="connection",
            name="left_out",
            field=models.TextField(blank=True, editable=False, verbose_name="records missing from the vendor's list"),
        ),
        migrations.AlterField(
            model_name="connection",
            name="own_user",
            field=models.CharField(blank=True, editable=False, max_length=64, verbose_name="our user"),
        ),
        migrations.AlterField(
            model_name="connection",
            name="resting_until",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="paused until"),
        ),
        migrations.AlterField(
            model_name="connection",
            name="service",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="connections",
                to="hub.service",
                verbose_name="service of tickets created by the vendor",
            ),
        ),
        migrations.AlterField(
            model_name="connection",
            name="share",
            field=models.PositiveIntegerField(
                blank=True, null=True, verbose_name="our share of the vendor's rate limit (percent)"
            ),
        ),
        migrations.AlterField(
            model_name="difference",
            name="is_dealt_with",
            field=models.BooleanField(default=False, verbose_name="handled"),
        ),
        migrations.AlterField(
            model_name="difference",
            name="value",
            field=models.CharField(max_length=255, verbose_name="vendor's value"),
        ),
        migrations.AlterField(
            model_name="fieldrule",
            name="authority",
            field=models.CharField(
                choices=[("ours", "our value wins"), ("theirs", "the vendor's value wins")],
                default="ours",
                max_length=8,
                verbose_name="authority",
            ),
        ),
        migrations.AlterField(
            model_name="fieldrule",
            name="direction",
            field=models.CharField(
                choices=[("both", "both ways"), ("in", "from the vendor to us"), ("out", "from us to the vendor")],
                default="both",
                max_length=8,
                verbose_name="direction",
            ),
        ),
        migrations.AlterField(
            model_name="heardmail",
            name="number",
            field=models.CharField(blank=True, max_length=60, verbose_name="vendor's number"),
        ),
        migrations.AlterField(
            model_name="link",
            name="born_at",
            field=models.DateTimeField(null=True, verbose_name="created by the vendor at"),
        ),
        migrations.AlterField(
            model_name="link",
            name="missed",
            field=models.PositiveIntegerField(default=0, verbose_name="not found (count)"),
        ),
        migrations.AlterField(
            model_name="link",
            name="reference",
            field=models.CharField(max_length=64, unique=True, verbose_name="our reference"),
        ),
        migrations.AlterField(
            model_name="link",
            name="remote_key",
            field=models.CharField(blank=True, max_length=100, verbose_name="vendor's key"),
        ),
        migrations.AlterField(
            model_name="link",
            name="remote_url",
            field=models.URLField(blank=True, max_length=500, verbose_name="vendor's URL"),
        ),
        migrations.AlterField(
            model_name="link",
            name="state",
            field=models.CharField(
                choices=[
                    ("active", "active"),
                    ("paused", "paused"),
                    ("quarantined", "quarantined"),
                    ("alias", "merged by the vendor"),
                    ("archived", "archived"),
                ],
                default="active",
                max_length=16,
                verbose_name="state",
            ),
        ),
        migrations.AlterField(
            model_name="link",
            name="why",
            field=models.TextField(blank=True, verbose_name="reason for stopping"),
        ),
        migrations.AlterField(
            model_name="noterule",
            name="audience",
            field=models.CharField(
                choices=[
                    ("us", "us only"),
                    ("legs", "every organisation on the ticket"),
                    ("requester", "the requester and every organisation"),
                ],
                max_length=16,
                verbose_name="audience",
            ),
        ),
        migrations.AlterField(
            model_name="noterule",
            name="is_written",
            field=models.BooleanField(
                default=False,
                help_text="Our messages for this audience get this visibility.",
                verbose_name="used for our messages",
            ),
        ),
        migrations.AlterField(
            model_name="noterule",
            name="is_written_for_legs",
            field=models.BooleanField(
                default=False,
                help_text="Messages for organisations only also get this visibility if no other is set for them.",
                verbose_name="also for organisations only",
            ),
        ),
        migrations.AlterField(
            model_name="noterule",
            name="is_written_for_vendor",
            field=models.BooleanField(
                default=False,
                help_text="Our messages for this vendor only get this visibility, such as a private log.",
                verbose_name="for this vendor only",
            ),
        ),
        migrations.AlterField(
            model_name="noterule",
            name="label",
            field=models.CharField(blank=True, max_length=100, verbose_name="vendor's label"),
        ),
        migrations.AlterField(
            model_name="noterule",
            name="theirs",
            field=models.CharField(max_length=100, verbose_name="vendor's visibility"),
        ),
        migrations.AlterField(
            model_name="outbound",
            name="remote_key",
            field=models.CharField(blank=True, max_length=100, verbose_name="vendor's key"),
        ),
        migrations.AlterField(
            model_name="statusrule",
            name="label",
            field=models.CharField(blank=True, max_length=100, verbose_name="vendor's label"),
        ),
        migrations.AlterField(
            model_name="statusrule",
            name="says",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "nothing"),
                    ("offered", "ticket offered"),
                    ("working", "in progress"),
                    ("waiting", "waiting"),
                    ("done", "done"),
                    ("recalled", "recalled"),
                    ("closed", "ticket closed"),
                ],
                default="",
                max_length=16,
                verbose_name="set by us for",
            ),
        ),
        migrations.AlterField(
            model_name="statusrule",
            name="theirs",
            field=models.CharField(max_length=100, verbose_name="vendor's status"),
        ),
        migrations.AlterField(
            model_name="statusrule",
            name="verb",
            field=models.CharField(
                choices=[
                    ("acknowledge", "no effect yet"),
                    ("accept", "accepted"),
                    ("work", "working"),
                    ("wait", "waiting"),
                    ("done", "done"),
                    ("decline", "declined"),
                    ("return", "returned"),
                ],
                max_length=16,
                verbose_name="means",
            ),
        ),
        migrations.AlterField(
            model_name="statusrule",
            name="wait_reason",
            field=models.CharField(blank=True, max_length=100, verbose_name="reason for waiting"),
        ),
        migrations.AlterField(
            model_name="statusrule",
            name="waits_on",
            field=models.CharField(
                blank=True,
                choices=[("requester", "the requester"), ("us", "us"), ("own", "the vendor itself")],
                max_length=16,
                verbose_name="waiting for",
            ),
        ),
        migrations.AlterField(
            model_name="valuerule",
            name="label",
            field=models.CharField(blank=True, max_length=100, verbose_name="vendor's label"),
        ),
        migrations.AlterField(
            model_name="valuerule",
            name="ours",
            field=models.CharField(max_length=64, verbose_name="our value"),
        ),
        migrations.AlterField(
            model_name="valuerule",
            name="theirs",
            field=models.CharField(max_length=100, verbose_name="vendor's value"),
        ),
    ]
