"""Understand what a vendor has: compare with what was agreed, and let the record follow what the mapping allows.

Everything of one ticket happens in one transaction under its lock. A repeated or late snapshot is a
function of state and changes nothing twice.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from connectors.engine import correlation_marks, mapping, outbox
from connectors.engine.inbound import absences, aliases, identity
from connectors.engine.inbound.inbound_notes import files, notes, tell_unread, withdrawn
from connectors.engine.inbound.sync_context import Contents, SyncContext, differ, settle
from connectors.engine.mapping import NotMapped
from connectors.kit.contract import RemoteTicket
from connectors.models import Connection, Link, Outbound, StatusRule
from hub.domain import tickets, unmapped
from hub.domain.actors import Actor
from hub.models import Leg, Person, Phase, Priority, Service, Stage, Ticket
from workflows.handoffs import engagements, guest_links, vendor_status
from workflows.handoffs import transitions as handoff_transitions
from workflows.lifecycle import transitions

LONGEST_URL = 500


class LeftAlone(Exception):
    """A ticket of theirs that is not taken in; the message says why."""


@transaction.atomic
def apply(
    *,
    connection: Connection,
    remote: RemoteTicket,
    at: datetime,
    contents: Contents | None = None,
    is_whole: bool = False,
) -> Link | None:
    """Bring the record up to what they have; the link, or None where the ticket is none of ours.

    `is_whole`: every note they have was read, so that one that is not among them is gone there.
    What an archived organisation still does in its system is not followed: its part of the record is final.
    """
    if connection.organisation.archived_at is not None:
        return None
    link = _link(connection, remote)
    if link is None:
        link = _adopt(connection, remote, at)
        if link is None:
            return None
    ticket = _locked(link.leg.ticket)
    link = Link.objects.select_for_update(of=("self",)).select_related("connection__organisation").get(pk=link.pk)
    if remote.merged_into:
        if link.state in (Link.State.ACTIVE, Link.State.ALIAS):
            aliases.begin(link, remote)
        return link
    if link.state == Link.State.ALIAS:
        aliases.undone(link)
        link.state = Link.State.ACTIVE
    if link.state != Link.State.ACTIVE:
        return link
    try:
        identity.verify(link, remote)
    except identity.Mistaken as error:
        identity.quarantine(link, str(error))
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
        _fields(context)
        _accept_if_assigned(context)
        _reference(context)
        if link.heard.get("status") != remote.fields.get("status"):
            aliases.survivor_changed(link.connection_id, remote.key)
        link.heard, link.heard_at = dict(remote.fields), remote.changed_at
    _describe(context)
    was_missing = link.missing_since is not None
    link.born_at, link.missed, link.missing_since = link.born_at or remote.created_at, 0, None
    link.asked_at = timezone.now()
    # Nothing else of the row: what was queued meanwhile has moved its numbers, a hold its lease.
    link.save(update_fields=[*_HEARD, "missed", "missing_since", "asked_at"])
    if was_missing:
        absences.is_there_again(link.connection_id)
    return link


_HEARD = ("agreed", "heard", "heard_at", "born_at", "remote_url")


@transaction.atomic
def follow_survivor(*, alias: Link, remote: RemoteTicket, at: datetime) -> None:
    """The leg of a merged record follows the status of the record that survived, and nothing else of it."""
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
        _FOLLOW["status"](context, theirs)
        link.save(update_fields=["agreed"])
    Leg.objects.filter(pk=leg.pk).update(remote_status=_status_label(context.mapped, remote)[:100])


def _locked(ticket: Ticket) -> Ticket:
    """The ticket under its lock; with the one it was merged into, in one order, for a late word is heard there."""
    both = Ticket.objects.select_for_update().filter(pk__in=[ticket.pk, ticket.merged_into_id or ticket.pk])
    return next(row for row in both.order_by("pk") if row.pk == ticket.pk)


def is_of_interest(connection: Connection, remote: RemoteTicket) -> bool:
    """Whether a ticket that stood in a list is linked, or would be taken in."""
    if Link.objects.filter(connection=connection, remote_key=remote.key).exists() or remote.reference:
        return True
    is_in_scope = not connection.intake_queues or remote.queue in connection.intake_queues
    return connection.intake == Connection.Intake.ADOPT and is_in_scope and not remote.is_foreign


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


def _adopt(connection: Connection, remote: RemoteTicket, at: datetime) -> Link | None:
    """A ticket that was born there becomes one of ours, if the connection takes such in."""
    if connection.intake != Connection.Intake.ADOPT:
        return None
    if remote.is_foreign:
        raise LeftAlone(f"Record {remote.key} belongs to another customer of {connection.organisation}.")
    if remote.reference.startswith(correlation_marks.prefix()):
        raise LeftAlone(f"Record {remote.key} carries our reference {remote.reference}, whose leg is elsewhere.")
    if connection.intake_queues and remote.queue not in connection.intake_queues:
        raise LeftAlone(f"Record {remote.key} lies in {remote.queue or 'no queue'}, which is not taken in.")
    hops = correlation_marks.hops_of_ticket(
        reference=remote.reference, description=remote.fields.get("description", "")
    )
    if correlation_marks.hub() in hops or len(hops) > correlation_marks.MOST_HOPS:
        raise LeftAlone(f"Record {remote.key} is a ticket of ours that came back by way of other hubs.")
    mapped = mapping.published(connection)
    raw_priority = remote.fields.get("priority", "")
    priority = mapped.value_in("priority", raw_priority)
    actor = Actor.vendor(connection.organisation, remote.author[:150])
    occurred_at = min(remote.created_at or at, at)
    fields = {name: guest_links.concealed(value) for name, value in remote.fields.items()}
    ticket = tickets.open_ticket(
        title=fields.get("title") or f"{connection.organisation} {remote.number}",
        description=fields.get("description", ""),
        priority=priority or Priority.P3,
        service=_service(connection),
        requester=_requester(remote.requester),
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=connection.public_id,
        raw={"fields": fields},
    )
    if priority is None and raw_priority:
        unmapped.saw(source=connection.public_id, field="priority", value=raw_priority, at=at)
    leg = engagements.begin_there(
        ticket=ticket,
        organisation=connection.organisation,
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=connection.public_id,
    )
    link = Link.objects.create(
        leg=leg,
        connection=connection,
        reference=correlation_marks.reference(leg.public_id),
        remote_key=remote.key,
        remote_url=remote.url if len(remote.url) <= LONGEST_URL else "",
        born_at=remote.created_at,
        hops=hops,
    )
    fresh = Ticket.objects.get(pk=ticket.pk)
    link.agreed = {
        field: {"theirs": remote.fields.get(field, ""), "ours": mapping.ours(fresh, leg, field)}
        for field in mapped.fields
        if field != "status"
    }
    if remote.reference:
        # Another system's number for it: it stays. Their key is known, so ours need not stand there.
        link.agreed["reference"] = {"theirs": remote.reference, "ours": link.reference}
    link.save(update_fields=["agreed"])
    outbox.queue_fields(link)
    return link


def _requester(address: str) -> Person | None:
    """Whom a ticket born there is for, where exactly one of the people we know has the address."""
    found = list(Person.objects.filter(email__iexact=address)[:2]) if address else []
    return found[0] if len(found) == 1 else None


def _service(connection: Connection) -> Service | None:
    return connection.service


# -- fields


def _fields(context: SyncContext) -> None:
    pending = _pending(context.link)
    for field in context.mapped.fields:
        theirs = context.remote.fields.get(field)
        if theirs is None:
            continue  # what was read says nothing of it, as a mail without a status word
        agreed = context.link.agreed.get(field)
        if agreed is not None and theirs == agreed["theirs"]:
            settle(context, field)
            continue
        if pending.get(field) == theirs:
            continue
        _FOLLOW[field](context, theirs)


def _pending(link: Link) -> dict[str, str]:
    """Values that are on their way there: seeing them is our own echo."""
    found: dict[str, str] = {}
    under_way = link.outbound.filter(
        kind__in=[Outbound.Kind.FIELDS, Outbound.Kind.CREATE], state__in=["ready", "unclear"], intent_at__isnull=False
    )
    for item in under_way:
        found |= item.intent.get("fields", {})
    return found


def _follow_text(context: SyncContext, field: str, theirs: str) -> None:
    if not context.mapped.comes_in(field):
        return
    if not context.mapped.is_theirs(field):
        differ(context, field, theirs, "Our side decides this field; theirs is put back once.", is_corrected=True)
        return
    if context.ticket.phase == Phase.CANCELLED:
        differ(context, field, theirs, f"{context.ticket.label} is cancelled and stays as it is.")
        return
    theirs = guest_links.concealed(theirs)
    tickets.edit_ticket(
        ticket=context.ticket,
        changes={field: theirs[:255] if field == "title" else theirs},
        actor=context.actor(),
        at=context.at,
        occurred_at=context.remote.changed_at,
        origin=context.origin,
    )
    _agree(context, field, theirs)


def _follow_priority(context: SyncContext, theirs: str) -> None:
    """Theirs stands beside ours and is never rolled up; what it means is still worth knowing."""
    if context.mapped.value_in("priority", theirs) is None:
        unmapped.saw(source=context.origin, field="priority", value=theirs, at=context.at)
    context.leg.remote_priority = context.mapped.label("priority", theirs)[:100]
    context.leg.save(update_fields=["remote_priority"])
    before = context.link.agreed.get("priority")
    _agree(context, "priority", theirs)
    if before is not None:
        # Hearing theirs sends nothing of ours: what we changed meanwhile is still to be said.
        context.link.agreed["priority"]["ours"] = before["ours"]


def _follow_status(context: SyncContext, theirs: str) -> None:
    if not context.mapped.comes_in("status"):
        return
    try:
        rule = context.mapped.status(theirs)
    except NotMapped:
        unmapped.saw(source=context.origin, field="status", value=theirs, at=context.at)
        named = f"“{context.remote.status_label}” ({theirs})" if context.remote.status_label else repr(theirs)
        differ(context, "status", theirs, f"Their status {named} has no meaning in the mapping yet.")
        return
    try:
        vendor_status.follow(
            leg=context.leg,
            verb=rule.verb,
            waits_on=rule.waits_on,
            reason=_reason(context, rule),
            actor=context.actor(),
            at=context.at,
            occurred_at=min(context.remote.changed_at, context.at),
            origin=context.origin,
        )
    except (handoff_transitions.HandoffRefused, transitions.MoveRefused) as refused:
        differ(context, "status", theirs, str(refused), is_corrected=not context.mapped.is_theirs("status"))
        return
    context.leg = Leg.objects.select_related("organisation", "ticket").get(pk=context.leg.pk)
    context.ticket = tickets.locked(context.ticket)
    _agree(context, "status", theirs)


LONGEST_RESOLUTION = 5000


def _reason(context: SyncContext, rule: StatusRule) -> str:
    """Why they wait or give it back; of what is done, how it was solved."""
    if rule.verb == StatusRule.Verb.DONE:
        return guest_links.concealed(context.remote.resolution)[:LONGEST_RESOLUTION]
    return rule.wait_reason or (rule.label if rule.verb in ("return", "decline") else "")


def _accept_if_assigned(context: SyncContext) -> None:
    """Where the connection says so, a name on their ticket is their acceptance (rules.md 2)."""
    is_enough = context.connection.acceptance != Connection.Acceptance.STATUS
    if is_enough and context.remote.assignee and context.leg.stage == Stage.OFFERED and context.leg.delivered_at:
        context.leg = engagements.accept(
            leg=context.leg,
            actor=context.actor(),
            at=context.at,
            occurred_at=min(context.remote.changed_at, context.at),
            origin=context.origin,
        )
        context.ticket = tickets.locked(context.ticket)


_FOLLOW = {
    "title": lambda context, theirs: _follow_text(context, "title", theirs),
    "description": lambda context, theirs: _follow_text(context, "description", theirs),
    "priority": _follow_priority,
    "status": _follow_status,
}


def _agree(context: SyncContext, field: str, theirs: str) -> None:
    ticket = Ticket.objects.get(pk=context.ticket.pk)
    context.link.agreed[field] = {"theirs": theirs, "ours": mapping.ours(ticket, context.leg, field)}
    settle(context, field)


def _reference(context: SyncContext) -> None:
    """Our reference was overwritten or cleared there: it is put back once, and a person is told."""
    agreed = context.link.agreed.get("reference")
    if agreed is None or context.remote.reference == agreed["theirs"] or _pending(context.link):
        settle(context, "reference")
        return
    differ(
        context,
        "reference",
        context.remote.reference,
        "Our reference was changed there; it is put back.",
        is_corrected=True,
    )


def _renamed(context: SyncContext) -> str:
    """Their title, where it is neither ours nor what was agreed."""
    theirs, agreed = context.remote.fields.get("title", ""), context.link.agreed.get("title")
    if agreed is None or theirs in (agreed["theirs"], context.ticket.title):
        return ""
    return guest_links.concealed(theirs)


def _status_label(mapped: mapping.Mapped, remote: RemoteTicket) -> str:
    theirs = remote.fields.get("status", "")
    return mapped.label("status", theirs) if theirs in mapped.statuses else remote.status_label or theirs


def _describe(context: SyncContext) -> None:
    """What of theirs is shown beside the leg."""
    remote, leg, mapped = context.remote, context.leg, context.mapped
    wanted = {
        "remote_title": _renamed(context)[:255],
        "remote_number": remote.number[:100],
        "remote_assignee": remote.assignee[:150],
        "remote_status": _status_label(mapped, remote)[:100],
        "remote_priority": mapped.label("priority", remote.fields.get("priority", ""))[:100],
    }
    changed = {name: value for name, value in wanted.items() if getattr(leg, name) != value}
    if changed:
        Leg.objects.filter(pk=leg.pk).update(**changed)
    if 0 < len(remote.url) <= LONGEST_URL:
        context.link.remote_url = remote.url
