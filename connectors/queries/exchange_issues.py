"""Sync issues of single changes: not sent to a vendor, or received from one and not read or not followed."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from connectors.engine.inbound import inbound_preview
from connectors.engine.mapping import field_names
from connectors.engine.operations import differences as differences_of
from connectors.models import AwaitedFile, Connection, Difference, Inbound, Link, Outbound
from connectors.queries.sync_issue import LONG_AGO, SyncIssue
from hub.models import UnmappedValue
from hub.translation import localized


def stopped_links() -> QuerySet[Link]:
    """Links whose synchronisation is stopped."""
    rows = Link.objects.filter(state__in=[Link.State.PAUSED, Link.State.QUARANTINED])
    return rows.select_related("connection", "leg__ticket", "leg__organisation")


def links(most: int) -> list[SyncIssue]:
    """An issue for each of them."""
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
        for row in stopped_links().order_by("-pk")[:most]
    ]


def parked_outbound() -> QuerySet[Outbound]:
    """Outbound items that are parked."""
    rows = Outbound.objects.filter(state=Outbound.State.PARKED)
    return rows.select_related("link__connection", "link__leg__ticket", "link__leg__organisation")


def outbound(most: int) -> list[SyncIssue]:
    """An issue for each of them."""
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
        for row in parked_outbound().order_by("-queued_at", "-pk")[:most]
    ]


def _outbound_title(row: Outbound) -> str:
    values = {"what": capfirst(row.get_kind_display()), "organisation": row.link.leg.organisation}
    if row.is_pack:
        return _("Hand-off pack for %(organisation)s is parked") % values
    return _("%(what)s for %(organisation)s is parked") % values


def parked_inbound() -> QuerySet[Inbound]:
    """Inbound items that are parked."""
    return Inbound.objects.filter(state=Inbound.State.PARKED).select_related("connection")


def inbound(most: int) -> list[SyncIssue]:
    """An issue for each of them."""
    return [
        SyncIssue(
            kind="inbound",
            row_id=row.pk,
            title=_("%(what)s from %(connection)s is parked")
            % {"what": capfirst(row.get_kind_display()), "connection": row.connection},
            ticket=inbound_preview.ticket_of(row),
            why=row.error,
            at=row.received_at,
            connection=row.connection.name,
            can_be_vouched_for=_can_be_vouched_for(row),
        )
        for row in parked_inbound().order_by("-received_at", "-pk")[:most]
    ]


def _can_be_vouched_for(row: Inbound) -> bool:
    """Whether only proof of the sender is missing; a message that is held for another reason would be held again."""
    is_written = row.headers.get("kind") in ("reply", "ticket") and row.headers.get("action") != "hold"
    return row.kind == Inbound.Kind.MAIL and is_written


def open_differences() -> QuerySet[Difference]:
    """Values of the vendors' that are not followed."""
    rows = Difference.objects.filter(resolved_at=None)
    return rows.select_related("link__connection", "link__leg__ticket", "link__leg__organisation")


def differences(most: int) -> list[SyncIssue]:
    """An issue for each of them."""
    return [
        SyncIssue(
            kind="difference",
            row_id=row.pk,
            title=differences_of.title(row),
            why=row.why,
            at=row.heard_at,
            connection=row.link.connection.name,
            connection_pk=row.link.connection_id,
            ticket=row.link.leg.ticket,
            can_be_forced=row.field == "status",
        )
        for row in open_differences().order_by("-heard_at", "-pk")[:most]
    ]


def parked_files() -> QuerySet[AwaitedFile]:
    """The vendors' files that could not be fetched."""
    rows = AwaitedFile.objects.filter(state=AwaitedFile.State.PARKED)
    return rows.select_related("link__connection", "link__leg__ticket")


def files(most: int) -> list[SyncIssue]:
    """An issue for each of them."""
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
        for row in parked_files().order_by("-noted_at", "-pk")[:most]
    ]


def unmapped_values() -> QuerySet[UnmappedValue]:
    """Values of connections and imports that are not mapped yet."""
    return UnmappedValue.objects.filter(resolved_at=None)


def unmapped(most: int) -> list[SyncIssue]:
    """An issue for each of them."""
    names = dict(Connection.objects.values_list("public_id", "name"))
    return [
        SyncIssue(
            kind="unmapped",
            row_id=row.pk,
            title=_("Not mapped: %(field)s “%(value)s”")
            % {"field": localized(field_names.name_of(row.field)), "value": row.value},
            why=ngettext(
                "Seen once. Map the value, and what was held for it continues.",
                "Seen %(count)d times. Map the value, and what was held for it continues.",
                row.count,
            )
            % {"count": row.count},
            at=row.last_seen_at,
            connection=names.get(row.source, _("import")),
        )
        for row in unmapped_values().order_by("-last_seen_at", "-pk")[:most]
    ]
