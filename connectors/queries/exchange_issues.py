"""What was not sent to a vendor, or not understood or followed of what a vendor sent."""

from __future__ import annotations

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from connectors.engine.inbound import as_read_now
from connectors.models import AwaitedFile, Connection, Difference, Inbound, Link, Outbound
from connectors.queries.sync_issue import LONG_AGO, SyncIssue
from hub.models import UnmappedValue


def links(most: int) -> list[SyncIssue]:
    """Links whose synchronisation was stopped."""
    rows = Link.objects.filter(state__in=[Link.State.PAUSED, Link.State.QUARANTINED]).select_related(
        "connection", "leg__ticket", "leg__organisation"
    )
    return [
        SyncIssue(
            kind="link",
            row_id=row.pk,
            title=_("Synchronisation with %(organisation)s is stopped") % {"organisation": row.leg.organisation},
            why=row.why,
            at=row.heard_at or LONG_AGO,
            connection=row.connection.name,
            ticket=row.leg.ticket,
        )
        for row in rows.order_by("-pk")[:most]
    ]


def outbound(most: int) -> list[SyncIssue]:
    rows = Outbound.objects.filter(state=Outbound.State.PARKED).select_related(
        "link__connection", "link__leg__ticket", "link__leg__organisation"
    )
    return [
        SyncIssue(
            kind="outbound",
            row_id=row.pk,
            title=_outbound_title(row),
            why=row.error,
            at=row.queued_at,
            connection=row.link.connection.name,
            connection_pk=row.link.connection_id,
            ticket=row.link.leg.ticket,
            can_be_a_comment=row.kind in (Outbound.Kind.FIELDS, Outbound.Kind.FILE),
        )
        for row in rows.order_by("-queued_at", "-pk")[:most]
    ]


def _outbound_title(row: Outbound) -> str:
    values = {"what": capfirst(row.get_kind_display()), "organisation": row.link.leg.organisation}
    if row.is_pack:
        return _("Hand-off pack for %(organisation)s is parked") % values
    return _("%(what)s for %(organisation)s is parked") % values


def inbound(most: int) -> list[SyncIssue]:
    rows = Inbound.objects.filter(state=Inbound.State.PARKED).select_related("connection")
    return [
        SyncIssue(
            kind="inbound",
            row_id=row.pk,
            title=_("%(what)s from %(connection)s is parked")
            % {"what": capfirst(row.get_kind_display()), "connection": row.connection},
            ticket=as_read_now.ticket_of(row),
            why=row.error,
            at=row.received_at,
            connection=row.connection.name,
            can_be_vouched_for=_can_be_vouched_for(row),
        )
        for row in rows.order_by("-received_at", "-pk")[:most]
    ]


def _can_be_vouched_for(row: Inbound) -> bool:
    """Whether proof of the sender is all that is missing; a message that is held would be held again."""
    is_written = row.headers.get("kind") in ("reply", "ticket") and row.headers.get("action") != "hold"
    return row.kind == Inbound.Kind.MAIL and is_written


def differences(most: int) -> list[SyncIssue]:
    rows = Difference.objects.filter(resolved_at=None).select_related(
        "link__connection", "link__leg__ticket", "link__leg__organisation"
    )
    return [
        SyncIssue(
            kind="difference",
            row_id=row.pk,
            title=_difference_title(row),
            why=row.why,
            at=row.heard_at,
            connection=row.link.connection.name,
            connection_pk=row.link.connection_id,
            ticket=row.link.leg.ticket,
            can_be_forced=row.field == "status",
        )
        for row in rows.order_by("-heard_at", "-pk")[:most]
    ]


def _difference_title(row: Difference) -> str:
    values = {"organisation": row.link.leg.organisation, "field": row.field, "value": row.value}
    if row.field == "unread":
        return _("A note or file of %(organisation)s cannot be read: %(value)s") % values
    return _("%(organisation)s: %(field)s is “%(value)s” there") % values


def files(most: int) -> list[SyncIssue]:
    """Files of the vendor's that could not be fetched."""
    rows = AwaitedFile.objects.filter(state=AwaitedFile.State.PARKED).select_related(
        "link__connection", "link__leg__ticket"
    )
    return [
        SyncIssue(
            kind="file",
            row_id=row.pk,
            title=_("The file “%(file)s” could not be fetched") % {"file": row.name},
            why=row.why,
            at=row.noted_at,
            connection=row.link.connection.name,
            ticket=row.link.leg.ticket,
        )
        for row in rows.order_by("-noted_at", "-pk")[:most]
    ]


def unmapped(most: int) -> list[SyncIssue]:
    """Values that nobody has given a meaning yet, of connections and of imports."""
    names = dict(Connection.objects.values_list("public_id", "name"))
    rows = UnmappedValue.objects.filter(resolved_at=None).order_by("-last_seen_at", "-pk")
    return [
        SyncIssue(
            kind="unmapped",
            row_id=row.pk,
            title=_("%(field)s “%(value)s” has no meaning yet") % {"field": row.field, "value": row.value},
            why=ngettext(
                "Seen once. Map the value to continue what waits for it.",
                "Seen %(count)d times. Map the value to continue what waits for it.",
                row.count,
            )
            % {"count": row.count},
            at=row.last_seen_at,
            connection=names.get(row.source, _("import")),
        )
        for row in rows[:most]
    ]
