"""The timed jobs of hand-offs, rules, bulk actions, triage, vendor changes and notifications."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from hub.core.clock import now, system
from hub.core.jobs import TimedJob, register
from workflows.bulk import running as bulk
from workflows.handoffs import expiry, vendor_mail
from workflows.lifecycle import tasks, triage
from workflows.notifications import delivery
from workflows.rules import runner
from workflows.vendor_change import switch

register(
    TimedJob(
        name="expire",
        by_time=True,
        label=_("Offers to expire"),
        since="deadline_at",
        clock=now,
        waiting=lambda: expiry.waiting(at=now()),
        due=lambda: expiry.due_legs(at=now()),
        run=lambda pk: expiry.expire(leg_id=pk, at=now()),
    ),
    TimedJob(
        name="rule",
        label=_("Rules to run"),
        since="due_at",
        clock=now,
        waiting=lambda: runner.waiting(at=now()),
        due=lambda: runner.due_pending(at=now()),
        run=lambda pk: runner.run(pending_id=pk, at=now()),
    ),
    TimedJob(
        name="bulk",
        label=_("Bulk actions to run"),
        since="waiting_since",
        clock=now,
        waiting=bulk.waiting,
        due=bulk.due,
        run=lambda pk: bulk.run(action_id=pk, at=now()),
    ),
    TimedJob(
        name="triage",
        by_time=True,
        label=_("Joint triages to remind of"),
        since="deadline_at",
        clock=now,
        waiting=lambda: triage.waiting(at=now()),
        due=lambda: triage.due(at=now()),
        run=lambda pk: triage.remind(triage_id=pk, at=now()),
    ),
    TimedJob(
        name="tasks",
        by_time=True,
        label=_("Task reminders to send"),
        since="due_at",
        clock=now,
        waiting=lambda: tasks.waiting(at=now()),
        due=lambda: tasks.due(at=now()),
        run=lambda pk: tasks.remind(task_id=pk, at=now()),
    ),
    TimedJob(
        name="switch",
        label=_("Vendor changes to continue"),
        since="effective_at",
        clock=now,
        waiting=lambda: switch.waiting(at=now()),
        due=lambda: switch.due(at=now()),
        run=lambda pk: switch.run(switch_id=pk, at=now()),
    ),
    TimedJob(
        name="notify",
        label=_("Notices to send"),
        since="due_at",
        waiting=lambda: delivery.waiting(at=system()),
        due=lambda: delivery.due_notices(at=system()),
        run=lambda pk: delivery.send(notice_id=pk),
    ),
    TimedJob(
        name="digest",
        by_time=True,
        label=_("Digests to send"),
        since="digest__next_run_at",
        waiting=lambda: vendor_mail.waiting(at=system()),
        due=vendor_mail.due_digests,
        run=lambda pk: vendor_mail.run(digest_id=pk, at=now()),
    ),
)
