"""Compares a vendor's record with the agreed values, and follows it as far as the mapping allows.

Each ticket is processed in one transaction under its lock. A repeated or late snapshot changes nothing twice.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from connectors.engine import mapping, outbox
from connectors.engine.inbound import absences, adoption, aliases, fields, identity
from connectors.engine.inbound.inbound_notes import files, notes, tell_unread
from connectors.engine.inbound.sync_context import Contents, SyncContext
from connectors.engine.inbound.withdrawals import withdrawn
from connectors.kit.contract import RemoteTicket
from connectors.models import Connection, Link
from hub.core import statements
from hub.core.rows import save
from hub.models import Leg, Ticket


@transaction.atomic
def apply(
    *,
    connection: Connection,
    remote: RemoteTicket,
    at: datetime,
    contents: Contents | None = None,
    is_whole: bool = False,
    known: Link | None = None,
) -> Link | None:
    """Follow a record; returns its link, or None if it is neither linked nor imported.

    `is_whole` says that all notes were read, so that a missing one was deleted by the vendor. `known` is the record's
    link with its engagement and ticket, if it was looked up before. The records of an archived organisation are not
    followed.
    """
    if connection.organisation.archived_at is not None:
        return None
    link = known or _link(connection, remote) or adoption.adopt(connection, remote, at)
    if link is None:
        return None
    ticket = _locked(link.leg.ticket)
    link = _locked_link.one(link.pk)
    if not _is_followed(link, remote):
        return link
    context = _context(link, ticket, remote, at)
    notes(context)
    if is_whole:
        withdrawn(context)
    files(context, contents or {})
    tell_unread(context, is_whole=is_whole)
    if link.heard_at is None or remote.changed_at >= link.heard_at:
        # Notes come first: a question has to precede the status that says that the vendor waits for the answer.
        _follow_fields(context)
    fields.describe(context)
    _save(link, remote)
    return link


def is_as_heard(link: Link, remote: RemoteTicket, mapped: mapping.Mapped) -> bool:
    """Whether a record without its notes and files says nothing that was not followed, agreed and shown before.

    It may have changed since, as with every write of ours. A value that was heard and not followed, because a rule
    refused it or it was not mapped, is not agreed: it may be followed now.
    """
    agreed = {name: link.agreed.get(name, {}).get("theirs") for name in mapped.fields if name in remote.fields}
    shown = (
        remote.number[:100],
        remote.assignee[:150],
        fields.status_label(mapped, remote)[:100],
        fields.priority_label(mapped, remote)[:100],
        "",  # a title is shown beside ours only while it is not agreed
    )
    leg = link.leg
    is_shown = (leg.remote_number, leg.remote_assignee, leg.remote_status, leg.remote_priority, leg.remote_title)
    return (
        link.state == Link.State.ACTIVE
        and link.heard_at is not None
        and all(remote.fields[name] == theirs for name, theirs in agreed.items())
        and remote.changed_at >= link.heard_at
        and remote.fields == link.heard
        and shown == is_shown
        and remote.url in ("", link.remote_url)
        and remote.reference == link.agreed.get("reference", {}).get("theirs", remote.reference)
        and not (remote.merged_into or remote.notes or remote.files or remote.unread)
        and not (link.missed or link.missing_since)
    )


def _is_followed(link: Link, remote: RemoteTicket) -> bool:
    """Whether the record is followed: it was not merged, its link is active, and it is the one that was linked."""
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
    # Only these columns: other processes write the sequence numbers and the lease.
    save(link, [*_HEARD, "missed", "missing_since", "asked_at"])
    if was_missing:
        absences.is_there_again(link.connection_id)


_HEARD = ("agreed", "heard", "heard_at", "born_at", "remote_url")


@transaction.atomic
def follow_survivor(*, alias: Link, remote: RemoteTicket, at: datetime) -> None:
    """Follow the status of the surviving record with the engagement of a merged one, and nothing else."""
    ticket = _locked(alias.leg.ticket)
    link = _locked_link.one(alias.pk)
    if link.state != Link.State.ALIAS or remote.is_foreign:
        return
    if remote.merged_into:  # merged once more
        aliases.begin(link, replace(remote, key=link.remote_key))
        return
    context = _context(link, ticket, remote, at)
    theirs = remote.fields.get("status", "")
    if link.agreed.get("status", {}).get("theirs") != theirs:
        fields.follow_status(context, theirs)
        link.save(update_fields=["agreed"])
    Leg.objects.filter(pk=link.leg_id).update(remote_status=fields.status_label(context.mapped, remote)[:100])


def _locked(ticket: Ticket) -> Ticket:
    """The ticket, locked in a fixed order with the one it was merged into, to which late notes go."""
    both = _locked_both(ticket.pk, ticket.merged_into_id or ticket.pk)
    return next(row for row in both if row.pk == ticket.pk)


@statements.select
def _locked_both(ticket_id: int, other_id: int) -> QuerySet[Ticket]:
    both = Q(pk=ticket_id) | Q(pk=other_id)
    return Ticket.objects.select_for_update().filter(both).order_by("pk")


@statements.select
def _locked_link(link_id: int) -> QuerySet[Link]:
    """The link, locked and read after its ticket was locked, with everything that is needed to follow its record."""
    links = Link.objects.select_for_update(of=("self",))
    return links.select_related("connection__organisation", "leg__organisation").filter(pk=link_id)


def _context(link: Link, ticket: Ticket, remote: RemoteTicket, at: datetime) -> SyncContext:
    link.leg.ticket = ticket
    return SyncContext(link, link.leg, ticket, link.connection, mapping.published(link.connection), remote, at)


def is_of_interest(connection: Connection, remote: RemoteTicket) -> bool:
    """Whether a record from a list is linked, or would be imported."""
    if Link.objects.filter(connection=connection, remote_key=remote.key).exists() or remote.reference:
        return True
    return adoption.is_in_scope(connection, remote)


def _link(connection: Connection, remote: RemoteTicket) -> Link | None:
    links = Link.objects.select_related("leg__ticket")
    found = links.filter(connection=connection, remote_key=remote.key).first()
    if found is None and remote.reference:
        # We created it, as the reference shows, and the response was lost.
        found = links.filter(connection=connection, reference=remote.reference, remote_key="").first()
        if found is not None:
            outbox.adopt_created(found, remote)
            found.refresh_from_db()
    return found
