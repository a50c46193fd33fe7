"""Compares what a vendor has with what was agreed, and follows it as far as the mapping allows.

Everything of one ticket happens in one transaction under its lock. A repeated or late snapshot changes nothing twice.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from connectors.engine import mapping, outbox
from connectors.engine.inbound import absences, adoption, aliases, fields, identity
from connectors.engine.inbound.inbound_notes import files, notes, tell_unread, withdrawn
from connectors.engine.inbound.sync_context import Contents, SyncContext
from connectors.kit.contract import RemoteTicket
from connectors.models import Connection, Link
from hub.models import Leg, Ticket


@transaction.atomic
def apply(
    *,
    connection: Connection,
    remote: RemoteTicket,
    at: datetime,
    contents: Contents | None = None,
    is_whole: bool = False,
) -> Link | None:
    """Follow what they have; the link, or None where the record is not one of ours.

    `is_whole`: every note they have was read, so one that is missing was deleted there.
    What an archived organisation still does in its system is not followed: its part is final.
    """
    if connection.organisation.archived_at is not None:
        return None
    link = _link(connection, remote) or adoption.adopt(connection, remote, at)
    if link is None:
        return None
    ticket = _locked(link.leg.ticket)
    link = Link.objects.select_for_update(of=("self",)).select_related("connection__organisation").get(pk=link.pk)
    if not _is_followed(link, remote):
        return link
    leg = Leg.objects.select_related("organisation", "ticket").get(pk=link.leg_id)
    context = SyncContext(link, leg, ticket, link.connection, mapping.published(link.connection), remote, at)
    notes(context)
    if is_whole:
        withdrawn(context)
    files(context, contents or {})
    tell_unread(context, is_whole=is_whole)
    if link.heard_at is None or remote.changed_at >= link.heard_at:
        # Notes first: a question is asked before the status says that they wait for its answer.
        _follow_fields(context)
    fields.describe(context)
    _save(link, remote)
    return link


def _is_followed(link: Link, remote: RemoteTicket) -> bool:
    """Whether the record is read on: it was not merged, the link does not stand still, and it is the linked one."""
    if remote.merged_into:
        if link.state in (Link.State.ACTIVE, Link.State.ALIAS):
            aliases.begin(link, remote)
        return False
    if link.state == Link.State.ALIAS:
        aliases.undone(link)
        link.state = Link.State.ACTIVE
    if link.state != Link.State.ACTIVE:
        return False
    try:
        identity.verify(link, remote)
    except identity.Mistaken as error:
        identity.quarantine(link, str(error))
        return False
    return True


def _follow_fields(context: SyncContext) -> None:
    link, remote = context.link, context.remote
    fields.follow(context)
    fields.accept_if_assigned(context)
    fields.keep_reference(context)
    if link.heard.get("status") != remote.fields.get("status"):
        aliases.survivor_changed(link.connection_id, remote.key)
    link.heard, link.heard_at = dict(remote.fields), remote.changed_at


def _save(link: Link, remote: RemoteTicket) -> None:
    was_missing = link.missing_since is not None
    link.born_at, link.missed, link.missing_since = link.born_at or remote.created_at, 0, None
    link.asked_at = timezone.now()
    # No other columns: queueing changes the numbers meanwhile, and a lease may be held.
    link.save(update_fields=[*_HEARD, "missed", "missing_since", "asked_at"])
    if was_missing:
        absences.is_there_again(link.connection_id)


_HEARD = ("agreed", "heard", "heard_at", "born_at", "remote_url")


@transaction.atomic
def follow_survivor(*, alias: Link, remote: RemoteTicket, at: datetime) -> None:
    """The engagement of a merged record follows the status of the surviving record, and nothing else."""
    ticket = _locked(alias.leg.ticket)
    link = Link.objects.select_for_update(of=("self",)).select_related("connection__organisation").get(pk=alias.pk)
    if link.state != Link.State.ALIAS or remote.is_foreign:
        return
    if remote.merged_into:  # merged once more
        aliases.begin(link, replace(remote, key=link.remote_key))
        return
    leg = Leg.objects.select_related("organisation", "ticket").get(pk=link.leg_id)
    context = SyncContext(link, leg, ticket, link.connection, mapping.published(link.connection), remote, at)
    theirs = remote.fields.get("status", "")
    if link.agreed.get("status", {}).get("theirs") != theirs:
        fields.follow_status(context, theirs)
        link.save(update_fields=["agreed"])
    Leg.objects.filter(pk=leg.pk).update(remote_status=fields.status_label(context.mapped, remote)[:100])


def _locked(ticket: Ticket) -> Ticket:
    """The ticket, locked together with the one it was merged into, since late notes go there; always in one order."""
    both = Ticket.objects.select_for_update().filter(pk__in=[ticket.pk, ticket.merged_into_id or ticket.pk])
    return next(row for row in both.order_by("pk") if row.pk == ticket.pk)


def is_of_interest(connection: Connection, remote: RemoteTicket) -> bool:
    """Whether a record from a list is linked, or would be imported."""
    if Link.objects.filter(connection=connection, remote_key=remote.key).exists() or remote.reference:
        return True
    return adoption.is_in_scope(connection, remote)


def _link(connection: Connection, remote: RemoteTicket) -> Link | None:
    links = Link.objects.select_related("leg__ticket")
    found = links.filter(connection=connection, remote_key=remote.key).first()
    if found is None and remote.reference:
        # Made by us, and the answer was lost: the reference says so.
        found = links.filter(connection=connection, reference=remote.reference, remote_key="").first()
        if found is not None:
            outbox.adopt_created(found, remote)
            found.refresh_from_db()
    return found
