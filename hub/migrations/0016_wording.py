"""Labels, help texts and choices in plain English."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import hub.models.fields


class Migration(migrations.Migration):
    dependencies = [
        ("hub", "0015_language"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="leg",
            options={"verbose_name": "engagement", "verbose_name_plural": "engagements"},
        ),
        migrations.AlterModelOptions(
            name="state",
            options={"verbose_name": "status", "verbose_name_plural": "statuses"},
        ),
        migrations.AlterField(
            model_name="asset",
            name="organisation",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="assets",
                to="hub.organisation",
                verbose_name="organisation",
            ),
        ),
        migrations.AlterField(
            model_name="asset",
            name="owner",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="assets",
                to="hub.person",
                verbose_name="owner",
            ),
        ),
        migrations.AlterField(
            model_name="asset",
            name="service",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="assets",
                to="hub.service",
                verbose_name="service",
            ),
        ),
        migrations.AlterField(
            model_name="asset",
            name="site",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="assets",
                to="hub.site",
                verbose_name="site",
            ),
        ),
        migrations.AlterField(
            model_name="calendar",
            name="exceptions",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text='Dates with different hours: {"2026-12-24": [["09:00", "12:00"]]}.',
                verbose_name="exceptions",
            ),
        ),
        migrations.AlterField(
            model_name="calendar",
            name="time_zone",
            field=models.CharField(
                default="UTC",
                help_text="IANA name, for example Europe/Berlin.",
                max_length=64,
                verbose_name="time zone",
            ),
        ),
        migrations.AlterField(
            model_name="calendar",
            name="weekly",
            field=models.JSONField(
                default=dict,
                help_text=(
                    'Per weekday: {"mon": [["09:00", "17:00"]]}. "24:00" ends the day; 22:00-06:00 runs overnight.'
                ),
                verbose_name="working hours",
            ),
        ),
        migrations.AlterField(
            model_name="clock",
            name="target",
            field=models.CharField(
                choices=[
                    ("acknowledge", "acknowledgement"),
                    ("first_response", "first response"),
                    ("next_update", "next update"),
                    ("resolve", "resolution"),
                ],
                max_length=16,
                verbose_name="target",
            ),
        ),
        migrations.AlterField(
            model_name="contract",
            name="history_policy",
            field=models.SlugField(
                blank=True,
                help_text="Only for imported history: the policy of the import profile that this contract represents.",
                verbose_name="history policy",
            ),
        ),
        migrations.AlterField(
            model_name="contract",
            name="may_resolve",
            field=models.BooleanField(
                default=False,
                help_text="The ticket is resolved when the vendor reports completion.",
                verbose_name="may resolve",
            ),
        ),
        migrations.AlterField(
            model_name="contract",
            name="on_change",
            field=models.CharField(
                choices=[
                    ("carry", "carry over: elapsed time keeps the calendar it was counted with"),
                    ("retroactive", "retroactive: elapsed time is recounted with the new calendar"),
                ],
                default="carry",
                max_length=16,
                verbose_name="after a change of terms",
            ),
        ),
        migrations.AlterField(
            model_name="contract",
            name="on_reopen",
            field=models.CharField(
                choices=[
                    ("resume", "resume: time while resolved is not counted"),
                    ("continue", "continue: time while resolved is counted"),
                    ("restart", "restart: a new cycle"),
                ],
                default="resume",
                max_length=16,
                verbose_name="after a reopen",
            ),
        ),
        migrations.AlterField(
            model_name="contract",
            name="on_return",
            field=models.CharField(
                choices=[
                    ("accumulate", "accumulate: the clock continues where it stopped"),
                    ("restart", "restart: every engagement gets the full goal"),
                ],
                default="accumulate",
                max_length=16,
                verbose_name="after a return",
            ),
        ),
        migrations.AlterField(
            model_name="contract",
            name="organisation",
            field=models.ForeignKey(
                blank=True,
                help_text="If empty, the organisation that holds the ticket (imported history only).",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="contracts",
                to="hub.organisation",
                verbose_name="promised by",
            ),
        ),
        migrations.AlterField(
            model_name="contract",
            name="pause_reasons",
            field=models.JSONField(
                default=list,
                help_text=(
                    "Any of waiting_requester, waiting_us, waiting_other, waiting_own and contested (joint triage)."
                ),
                verbose_name="pauses while",
            ),
        ),
        migrations.AlterField(
            model_name="contract",
            name="service",
            field=models.ForeignKey(
                blank=True,
                help_text="If empty, every service without its own contract.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="contracts",
                to="hub.service",
                verbose_name="service",
            ),
        ),
        migrations.AlterField(
            model_name="contract",
            name="starts_on",
            field=models.CharField(
                choices=[("delivery", "confirmed delivery"), ("acceptance", "acceptance")],
                default="delivery",
                max_length=16,
                verbose_name="resolution starts at",
            ),
        ),
        migrations.AlterField(
            model_name="event",
            name="actor_id",
            field=models.CharField(blank=True, max_length=64, verbose_name="id of the actor"),
        ),
        migrations.AlterField(
            model_name="event",
            name="actor_kind",
            field=models.CharField(
                choices=[
                    ("person", "person"),
                    ("vendor", "vendor"),
                    ("timer", "timer"),
                    ("system", "system"),
                    ("api", "API"),
                ],
                max_length=16,
                verbose_name="kind of actor",
            ),
        ),
        migrations.AlterField(
            model_name="event",
            name="actor_name",
            field=models.CharField(blank=True, max_length=150, verbose_name="actor"),
        ),
        migrations.AlterField(
            model_name="event",
            name="actor_organisation",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="hub.organisation",
                verbose_name="organisation of the actor",
            ),
        ),
        migrations.AlterField(
            model_name="event",
            name="digests",
            field=models.JSONField(default=dict, verbose_name="digests"),
        ),
        migrations.AlterField(
            model_name="event",
            name="hash",
            field=models.CharField(max_length=64, verbose_name="hash"),
        ),
        migrations.AlterField(
            model_name="event",
            name="kind",
            field=models.CharField(
                choices=[
                    ("ticket.opened", "opened"),
                    ("ticket.edited", "edited"),
                    ("ticket.priority_changed", "priority changed"),
                    ("ticket.moved", "phase changed"),
                    ("leg.offered", "offered"),
                    ("leg.born", "opened in the vendor's system"),
                    ("leg.delivered", "delivered"),
                    ("leg.accepted", "accepted"),
                    ("leg.started", "started"),
                    ("leg.resumed", "resumed"),
                    ("leg.reopened", "reopened"),
                    ("leg.expired", "expired"),
                    ("leg.declined", "declined"),
                    ("leg.recalled", "recalled"),
                    ("leg.returned", "returned"),
                    ("leg.done", "done"),
                    ("leg.waiting", "waiting"),
                    ("leg.reached", "update delivered"),
                    ("leg.leads", "takes the lead"),
                    ("door.opened", "guest link opened"),
                    ("door.closed", "guest link closed"),
                    ("message.added", "message"),
                    ("message.withdrawn", "message withdrawn"),
                    ("attachment.added", "attachment"),
                    ("alert.fired", "alert"),
                    ("alert.recovered", "alert ended"),
                    ("alert.acknowledged", "acknowledged in the monitoring tool"),
                    ("ticket.related", "relation added"),
                    ("ticket.status_changed", "status changed"),
                    ("ticket.assigned", "assigned"),
                    ("ticket.version_moved", "moved to another version of the workflow"),
                    ("ticket.major", "major incident changed"),
                    ("rule.acted", "rule"),
                    ("escalation.step", "escalated"),
                    ("escalation.acknowledged", "escalation acknowledged"),
                    ("triage.started", "joint triage started"),
                    ("triage.decided", "joint triage decided"),
                    ("return.blocked", "return blocked"),
                    ("completion.approved", "completion approved"),
                    ("texts.erased", "texts erased"),
                    ("history.row", "imported record"),
                ],
                max_length=32,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="event",
            name="occurred_at",
            field=models.DateTimeField(verbose_name="occurred at"),
        ),
        migrations.AlterField(
            model_name="event",
            name="origin",
            field=models.CharField(blank=True, max_length=26, verbose_name="origin"),
        ),
        migrations.AlterField(
            model_name="event",
            name="payload",
            field=models.JSONField(default=dict, verbose_name="payload"),
        ),
        migrations.AlterField(
            model_name="event",
            name="previous_hash",
            field=models.CharField(blank=True, max_length=64, verbose_name="previous hash"),
        ),
        migrations.AlterField(
            model_name="event",
            name="recorded_at",
            field=models.DateTimeField(verbose_name="recorded at"),
        ),
        migrations.AlterField(
            model_name="event",
            name="salt",
            field=models.CharField(blank=True, max_length=32, verbose_name="salt"),
        ),
        migrations.AlterField(
            model_name="event",
            name="seq",
            field=models.PositiveIntegerField(verbose_name="number in the ticket"),
        ),
        migrations.AlterField(
            model_name="event",
            name="texts",
            field=models.JSONField(default=dict, verbose_name="texts"),
        ),
        migrations.AlterField(
            model_name="event",
            name="ticket",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="hub.ticket",
                verbose_name="ticket",
            ),
        ),
        migrations.AlterField(
            model_name="failedreceiver",
            name="attempts",
            field=models.PositiveIntegerField(default=1, verbose_name="attempts"),
        ),
        migrations.AlterField(
            model_name="failedreceiver",
            name="done_at",
            field=models.DateTimeField(null=True, verbose_name="done at"),
        ),
        migrations.AlterField(
            model_name="failedreceiver",
            name="error",
            field=models.TextField(verbose_name="error"),
        ),
        migrations.AlterField(
            model_name="failedreceiver",
            name="event",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="failed_receivers",
                to="hub.event",
                verbose_name="event",
            ),
        ),
        migrations.AlterField(
            model_name="failedreceiver",
            name="failed_at",
            field=models.DateTimeField(verbose_name="failed at"),
        ),
        migrations.AlterField(
            model_name="failedreceiver",
            name="next_attempt_at",
            field=models.DateTimeField(null=True, verbose_name="next attempt at"),
        ),
        migrations.AlterField(
            model_name="failedreceiver",
            name="receiver",
            field=models.CharField(max_length=150, verbose_name="receiver"),
        ),
        migrations.AlterField(
            model_name="historyimport",
            name="fingerprint",
            field=models.CharField(max_length=64, unique=True, verbose_name="fingerprint"),
        ),
        migrations.AlterField(
            model_name="historyshare",
            name="ended_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="ended at"),
        ),
        migrations.AlterField(
            model_name="historyshare",
            name="organisation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="history_shares",
                to="hub.organisation",
                verbose_name="shared with",
            ),
        ),
        migrations.AlterField(
            model_name="historyshare",
            name="shared_at",
            field=models.DateTimeField(verbose_name="shared at"),
        ),
        migrations.AlterField(
            model_name="historyshare",
            name="shared_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="shared by",
            ),
        ),
        migrations.AlterField(
            model_name="historyshare",
            name="why",
            field=models.CharField(max_length=255, verbose_name="reason"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="brief",
            field=models.TextField(blank=True, verbose_name="briefing"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="cycle",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="cycle"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="deadline_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="acceptance deadline"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="given_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="given_legs",
                to="hub.organisation",
                verbose_name="handed over by",
            ),
        ),
        migrations.AlterField(
            model_name="leg",
            name="is_blocking",
            field=models.BooleanField(
                default=True,
                help_text="The ticket cannot be resolved while this engagement is open.",
                verbose_name="blocks resolution",
            ),
        ),
        migrations.AlterField(
            model_name="leg",
            name="is_born_there",
            field=models.BooleanField(default=False, verbose_name="opened in the vendor's system"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="is_lead",
            field=models.BooleanField(default=False, verbose_name="leading engagement"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="is_unreached",
            field=models.BooleanField(
                default=False,
                help_text="Our last update has not reached the vendor's system yet.",
                verbose_name="update not delivered",
            ),
        ),
        migrations.AlterField(
            model_name="leg",
            name="number",
            field=models.PositiveSmallIntegerField(verbose_name="number"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="organisation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="legs",
                to="hub.organisation",
                verbose_name="organisation",
            ),
        ),
        migrations.AlterField(
            model_name="leg",
            name="priority",
            field=models.CharField(blank=True, max_length=16, verbose_name="requested priority"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="reason",
            field=models.TextField(blank=True, verbose_name="reason"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="reason_code",
            field=models.CharField(
                blank=True,
                choices=[
                    ("not_ours", "not our responsibility"),
                    ("needs_information", "missing information"),
                    ("no_capacity", "no capacity"),
                    ("out_of_scope", "not covered by the contract"),
                    ("duplicate", "already known"),
                    ("other", "another reason"),
                ],
                max_length=20,
                verbose_name="coded reason",
            ),
        ),
        migrations.AlterField(
            model_name="leg",
            name="remote_assignee",
            field=models.CharField(blank=True, max_length=150, verbose_name="vendor's assignee"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="remote_number",
            field=models.CharField(blank=True, max_length=100, verbose_name="vendor's number"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="remote_priority",
            field=models.CharField(blank=True, max_length=100, verbose_name="vendor's priority"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="remote_status",
            field=models.CharField(blank=True, max_length=100, verbose_name="vendor's status"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="remote_title",
            field=models.CharField(blank=True, max_length=255, verbose_name="vendor's title"),
        ),
        migrations.AlterField(
            model_name="leg",
            name="ticket",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="legs", to="hub.ticket", verbose_name="ticket"
            ),
        ),
        migrations.AlterField(
            model_name="leg",
            name="waits_on",
            field=models.CharField(
                blank=True,
                choices=[
                    ("requester", "the requester"),
                    ("us", "our IT organisation"),
                    ("other", "another organisation"),
                    ("own", "its own internal work"),
                ],
                max_length=16,
                verbose_name="waiting for",
            ),
        ),
        migrations.AlterField(
            model_name="leg",
            name="waits_on_organisation",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="awaited_by_legs",
                to="hub.organisation",
                verbose_name="waiting for organisation",
            ),
        ),
        migrations.AlterField(
            model_name="membership",
            name="organisation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="memberships",
                to="hub.organisation",
                verbose_name="organisation",
            ),
        ),
        migrations.AlterField(
            model_name="membership",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="memberships",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="is_for_later_legs",
            field=models.BooleanField(
                default=False,
                help_text="Included in the briefing of later engagements.",
                verbose_name="visible to later organisations",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="is_for_requester",
            field=models.BooleanField(default=False, verbose_name="visible to the requester"),
        ),
        migrations.AlterField(
            model_name="organisation",
            name="calendar",
            field=models.ForeignKey(
                blank=True,
                help_text="The organisation's working hours. Contracts can name another calendar.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="organisations",
                to="hub.calendar",
                verbose_name="calendar",
            ),
        ),
        migrations.AlterField(
            model_name="organisation",
            name="is_us",
            field=models.BooleanField(
                default=False, help_text="True for exactly one organisation.", verbose_name="our own organisation"
            ),
        ),
        migrations.AlterField(
            model_name="organisation",
            name="time_zone",
            field=models.CharField(
                default="UTC",
                help_text="IANA name, for example Europe/Berlin.",
                max_length=64,
                validators=[hub.models.fields.is_zone],
                verbose_name="time zone",
            ),
        ),
        migrations.AlterField(
            model_name="person",
            name="job",
            field=models.CharField(blank=True, max_length=150, verbose_name="job title"),
        ),
        migrations.AlterField(
            model_name="person",
            name="organisation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="people",
                to="hub.organisation",
                verbose_name="organisation",
            ),
        ),
        migrations.AlterField(
            model_name="person",
            name="site",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="people",
                to="hub.site",
                verbose_name="site",
            ),
        ),
        migrations.AlterField(
            model_name="person",
            name="user",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="person",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
        migrations.AlterField(
            model_name="service",
            name="depends_on",
            field=models.ManyToManyField(
                blank=True, related_name="dependents", to="hub.service", verbose_name="depends on"
            ),
        ),
        migrations.AlterField(
            model_name="service",
            name="note_audience",
            field=models.CharField(
                choices=[("us", "us only"), ("legs", "every organisation on the ticket")],
                default="legs",
                help_text="Who can read a vendor's public notes besides us.",
                max_length=8,
                verbose_name="audience of vendor notes",
            ),
        ),
        migrations.AlterField(
            model_name="service",
            name="workflow",
            field=models.ForeignKey(
                blank=True,
                help_text="If empty, the default workflow.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="services",
                to="hub.workflow",
                verbose_name="workflow",
            ),
        ),
        migrations.AlterField(
            model_name="site",
            name="organisation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sites",
                to="hub.organisation",
                verbose_name="organisation",
            ),
        ),
        migrations.AlterField(
            model_name="state",
            name="default_holder",
            field=models.ForeignKey(
                blank=True,
                help_text="The organisation that is offered a ticket with this status if no organisation is engaged.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="hub.organisation",
                verbose_name="offer to",
            ),
        ),
        migrations.AlterField(
            model_name="state",
            name="is_default",
            field=models.BooleanField(default=False, verbose_name="first status of its phase"),
        ),
        migrations.AlterField(
            model_name="state",
            name="version",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="states",
                to="hub.workflowversion",
                verbose_name="version",
            ),
        ),
        migrations.AlterField(
            model_name="state",
            name="wait_reason",
            field=models.SlugField(
                blank=True,
                help_text=(
                    "Only for waiting statuses. If empty, the requester. Clocks pause if their contract lists "
                    "“waiting_” followed by this value."
                ),
                max_length=30,
                verbose_name="waiting for",
            ),
        ),
        migrations.AlterField(
            model_name="target",
            name="calendar",
            field=models.ForeignKey(
                blank=True,
                help_text="Only if this priority has different working hours from the contract.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="hub.calendar",
                verbose_name="calendar",
            ),
        ),
        migrations.AlterField(
            model_name="target",
            name="goal_seconds",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Business seconds. If empty, the time is measured without a goal.",
                null=True,
                verbose_name="goal in seconds",
            ),
        ),
        migrations.AlterField(
            model_name="target",
            name="kind",
            field=models.CharField(
                choices=[
                    ("acknowledge", "acknowledgement"),
                    ("first_response", "first response"),
                    ("next_update", "next update"),
                    ("resolve", "resolution"),
                ],
                max_length=16,
                verbose_name="target",
            ),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="asset",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tickets",
                to="hub.asset",
                verbose_name="asset",
            ),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="assignee",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="assigned_tickets",
                to=settings.AUTH_USER_MODEL,
                verbose_name="assignee",
            ),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="bounces",
            field=models.PositiveSmallIntegerField(default=0, editable=False, verbose_name="returns"),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="is_priority_set",
            field=models.BooleanField(
                default=False,
                help_text="The priority is no longer derived from impact, urgency and service.",
                verbose_name="priority set manually",
            ),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="merged_into",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="aliases",
                to="hub.ticket",
                verbose_name="merged into",
            ),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="number",
            field=models.PositiveBigIntegerField(editable=False, unique=True, verbose_name="number"),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="owner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="owned_tickets",
                to="hub.organisation",
                verbose_name="accountable organisation",
            ),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="requester",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tickets",
                to="hub.person",
                verbose_name="requester",
            ),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="service",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tickets",
                to="hub.service",
                verbose_name="service",
            ),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="site",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tickets",
                to="hub.site",
                verbose_name="site",
            ),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="source_number",
            field=models.CharField(
                blank=True, editable=False, max_length=64, verbose_name="number in the source system"
            ),
        ),
        migrations.AlterField(
            model_name="ticket",
            name="team",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tickets",
                to="hub.team",
                verbose_name="team",
            ),
        ),
        migrations.AlterField(
            model_name="unmappedvalue",
            name="count",
            field=models.PositiveIntegerField(default=1, verbose_name="occurrences"),
        ),
        migrations.AlterField(
            model_name="unmappedvalue",
            name="source",
            field=models.CharField(
                help_text="Public id of the connection or import.", max_length=64, verbose_name="source"
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="language",
            field=models.CharField(
                blank=True,
                choices=[("en", "English"), ("de", "Deutsch")],
                default="",
                help_text=(
                    "For pages and e-mails. If empty, pages use the browser's language and e-mails are in English."
                ),
                max_length=10,
                verbose_name="language",
            ),
        ),
        migrations.AlterField(
            model_name="workflow",
            name="is_default",
            field=models.BooleanField(default=False, verbose_name="default for services without their own workflow"),
        ),
        migrations.AlterField(
            model_name="workflowversion",
            name="accept_minutes",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Used unless the hand-over sets its own deadline. If empty, offers do not expire.",
                null=True,
                verbose_name="minutes to accept an offer",
            ),
        ),
        migrations.AlterField(
            model_name="workflowversion",
            name="bounce_budget",
            field=models.PositiveSmallIntegerField(
                default=2,
                help_text=(
                    "How often a ticket may be returned, declined or left unanswered. The next return or "
                    "decline starts joint triage."
                ),
                verbose_name="return limit",
            ),
        ),
        migrations.AlterField(
            model_name="workflowversion",
            name="most_organisations",
            field=models.PositiveSmallIntegerField(
                default=12,
                help_text="How many organisations may be engaged on one ticket at once.",
                verbose_name="maximum number of organisations",
            ),
        ),
        migrations.AlterField(
            model_name="workflowversion",
            name="note",
            field=models.TextField(
                blank=True, help_text="Why this version exists. Shown in the list of versions.", verbose_name="purpose"
            ),
        ),
        migrations.AlterField(
            model_name="workflowversion",
            name="priority_matrix",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text=(
                    'Priority by impact and urgency (1 to 3): {"1": {"1": "P1", "2": "P2"}}. If empty, the '
                    "default matrix."
                ),
                verbose_name="priority matrix",
            ),
        ),
        migrations.AlterField(
            model_name="workflowversion",
            name="status",
            field=models.CharField(
                choices=[
                    ("draft", "draft"),
                    ("published", "published"),
                    ("fading", "superseded"),
                    ("retired", "retired"),
                ],
                default="draft",
                max_length=16,
                verbose_name="status",
            ),
        ),
        migrations.AlterField(
            model_name="workflowversion",
            name="triage_minutes",
            field=models.PositiveIntegerField(
                default=60,
                help_text="How long the decision owner has to decide.",
                verbose_name="minutes for joint triage",
            ),
        ),
        migrations.AlterField(
            model_name="workflowversion",
            name="workflow",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="versions",
                to="hub.workflow",
                verbose_name="workflow",
            ),
        ),
    ]
