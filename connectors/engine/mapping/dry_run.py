"""A dry run of a mapping: how the vendor's tickets of the last week would be read. Nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import gettext as _

from connectors.engine.mapping import Mapped, field_names
from connectors.kit.contract import RemoteTicket, TicketConnector
from connectors.models import Connection, Link
from hub.core.clock import now
from hub.translation import localized

DRY_RUN_SPAN = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class DryRunTicket:
    """One of the vendor's tickets, as it would be read."""

    remote: RemoteTicket
    status: str
    priority: str
    is_taken_in: bool
    why: str
    """Why the ticket would be imported or not."""


@dataclass(frozen=True, kw_only=True)
class UnmappedInRun:
    """A value without a counterpart in the mapping, and how often it was seen."""

    field: str
    """The name of the field, in the active language."""
    value: str
    count: int


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """The result of a dry run, in the active language."""

    tickets: list[DryRunTicket]
    unmapped: list[UnmappedInRun]
    taken_in: int
    """How many tickets would have been imported."""


def dry_run(connection: Connection, connector: TicketConnector, mapped: Mapped, *, most: int = 20) -> DryRun:
    """Read the last week as if the connection were live; at most `most` tickets are listed.

    It only reads, and raises the connector's errors.
    """
    since = (now() - DRY_RUN_SPAN).strftime("%Y-%m-%dT%H:%M:%SZ")
    linked = set(Link.objects.filter(connection=connection).values_list("remote_key", flat=True))
    tickets: list[DryRunTicket] = []
    unmapped: Counter[tuple[str, str]] = Counter()
    for remote in connector.changes_since(since).tickets:
        tickets.append(_understood(connection, mapped, remote, is_linked=remote.key in linked))
        for field in ("status", "priority"):
            value = remote.fields.get(field, "")
            if value and not _is_mapped(mapped, field, value):
                unmapped[field, value] += 1
    return DryRun(
        tickets=tickets[:most],
        unmapped=[
            UnmappedInRun(field=localized(field_names.name_of(field)), value=value, count=count)
            for (field, value), count in unmapped.items()
        ],
        taken_in=sum(ticket.is_taken_in for ticket in tickets),
    )


def _is_mapped(mapped: Mapped, field: str, value: str) -> bool:
    return value in mapped.statuses if field == "status" else mapped.value_in(field, value) is not None


def _understood(connection: Connection, mapped: Mapped, remote: RemoteTicket, *, is_linked: bool) -> DryRunTicket:
    status, priority = remote.fields.get("status", ""), remote.fields.get("priority", "")
    rule = mapped.statuses.get(status)
    why, is_taken_in = "", False
    if is_linked:
        why = _("already linked")
    elif connection.intake != Connection.Intake.ADOPT:
        why = _("not imported: only tickets that we sent are synchronised")
    elif connection.intake_queues and remote.queue not in connection.intake_queues:
        why = _("not imported: its queue is not one to import from")
    else:
        is_taken_in, why = True, _("would be imported")
    meaning = rule.get_verb_display() if rule else _("not mapped yet")
    return DryRunTicket(
        remote=remote,
        status=_("%(status)s: %(meaning)s") % {"status": mapped.label("status", status), "meaning": meaning},
        priority=mapped.value_in("priority", priority) or _("not mapped yet, so P3"),
        is_taken_in=is_taken_in,
        why=why,
    )
