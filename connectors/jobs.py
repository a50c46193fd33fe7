"""The timed jobs of synchronisation. Jobs that read run before jobs that write; they are due by system time."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connectors.engine.inbound import alert_acknowledgements, awaited_files, polling, reading, refetch
from connectors.engine.inbound.alerts import silence
from connectors.engine.operations import trials
from connectors.engine.outbound import due_items, sending
from hub.core.clock import now, system
from hub.core.jobs import TimedJob, register

register(
    TimedJob(
        name="mail",
        label=_("E-mails to read"),
        since="next_attempt_at",
        connection="connection",
        waiting=lambda: reading.waiting_mail(at=system()),
        due=lambda: reading.due_mail(at=system()),
        run=lambda pk: reading.read(inbound_id=pk),
        queue="mail",
        reads=True,
    ),
    TimedJob(
        name="read",
        label=_("Changes to read"),
        since="next_attempt_at",
        connection="connection",
        waiting=lambda: reading.waiting_hooks(at=system()),
        due=lambda: reading.due_hooks(at=system()),
        calls=lambda without: reading.due_calls(at=system(), without=without),
        run=lambda pk: reading.read(inbound_id=pk),
        reads=True,
    ),
    TimedJob(
        name="send",
        label=_("Changes to send"),
        since="next_attempt_at",
        connection="link__connection",
        waiting=lambda: due_items.waiting(at=system()),
        due=lambda: due_items.due_links(at=system()),
        calls=lambda without: due_items.due_calls(at=system(), without=without),
        is_for_people=True,
        run=lambda pk: sending.send(link_id=pk),
        run_all=lambda pks: sending.send_all(link_ids=pks),
    ),
    TimedJob(
        name="look",
        label=_("Records to read again"),
        since="next_look_at",
        connection="connection",
        waiting=lambda: refetch.waiting(at=system()),
        due=lambda: refetch.due(at=system()),
        calls=lambda without: refetch.due_calls(at=system(), without=without),
        run=lambda pk: refetch.look(link_id=pk),
        reads=True,
    ),
    TimedJob(
        name="file",
        label=_("Files to download"),
        since="next_attempt_at",
        connection="link__connection",
        waiting=lambda: awaited_files.waiting(at=system()),
        due=lambda: awaited_files.due(at=system()),
        calls=lambda without: awaited_files.due_calls(at=system(), without=without),
        run=lambda pk: awaited_files.fetch(awaited_id=pk),
    ),
    TimedJob(
        name="poll",
        by_time=True,
        label=_("Connections to poll"),
        since="next_poll_at",
        connection="pk",
        waiting=lambda: polling.waiting(at=system()),
        due=lambda: polling.due_connections(at=system()),
        calls=lambda without: polling.due_calls(at=system(), without=without),
        run=lambda pk: polling.poll(connection_id=pk),
        queue="poll",
        reads=True,
    ),
    TimedJob(
        name="silent",
        by_time=True,
        label=_("Silent alerts to report"),
        since="silent_from",
        connection="connection",
        clock=now,
        waiting=lambda: silence.waiting(at=now()),
        due=lambda: silence.due(at=now()),
        run=lambda pk: silence.report(alert_id=pk, at=now()),
    ),
    TimedJob(
        name="acknowledge",
        label=_("Alerts to acknowledge"),
        since="acknowledge_at",
        connection="connection",
        waiting=lambda: alert_acknowledgements.waiting(at=system()),
        due=lambda: alert_acknowledgements.due(at=system()),
        calls=lambda without: alert_acknowledgements.due_calls(at=system(), without=without),
        is_for_people=True,
        run=lambda pk: alert_acknowledgements.send(alert_id=pk),
    ),
    TimedJob(
        name="try",
        label=_("Connection tests to run"),
        since="asked_at",
        connection="connection",
        waiting=lambda: trials.waiting(at=system()),
        due=lambda: trials.due(at=system()),
        run=lambda pk: trials.run(trial_id=pk),
    ),
)
