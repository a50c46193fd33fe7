"""Follows the fields of a linked record as far as the mapping allows."""

from __future__ import annotations

from connectors.engine import mapping
from connectors.engine.inbound.sync_context import SyncContext, differ, settle
from connectors.engine.mapping import NotMapped
from connectors.kit.contract import RemoteTicket
from connectors.models import Connection, Link, StatusRule
from hub.core.sentences import sentence
from hub.domain import tickets, unmapped
from hub.models import Leg, Phase, Stage, Ticket
from hub.search import indexing
from workflows.handoffs import guest_links, stages, vendor_status
from workflows.handoffs import transitions as handoff_transitions
from workflows.lifecycle import transitions

LONGEST_RESOLUTION = 5000


def follow(context: SyncContext) -> None:
    """Follow every mapped field whose value is neither the agreed one nor one that we are writing now."""
    pending = context.being_written
    for field in context.mapped.fields:
        theirs = context.remote.fields.get(field)
        if theirs is None:
            continue  # it was not read, for example from an e-mail without a status
        agreed = context.link.agreed.get(field)
        if agreed is not None and theirs == agreed["theirs"]:
            settle(context, field)
            continue
        if pending.get(field) == theirs:
            continue
        _FOLLOW[field](context, theirs)


def _follow_text(context: SyncContext, field: str, theirs: str) -> None:
    if not context.mapped.comes_in(field):
        return
    if not context.mapped.is_theirs(field):
        differ(
            context,
            field,
            theirs,
            sentence("Our value takes precedence for this field; it is written back once."),
            is_corrected=True,
        )
        return
    if context.ticket.phase == Phase.CANCELLED:
        differ(
            context,
            field,
            theirs,
            sentence("%(ticket)s is cancelled and can no longer be changed.", ticket=context.ticket.label),
        )
        return
    theirs = guest_links.concealed(theirs)
    context.ticket = tickets.edit_ticket(
        ticket=context.ticket,
        changes={field: theirs[:255] if field == "title" else theirs},
        actor=context.actor(),
        at=context.at,
        occurred_at=context.remote.changed_at,
        origin=context.origin,
    )
    _agree(context, field, theirs)


def _follow_priority(context: SyncContext, theirs: str) -> None:
    """Show the vendor's priority beside ours, which it never changes; one that is not mapped is shown as unmapped."""
    if context.mapped.value_in("priority", theirs) is None:
        unmapped.saw(source=context.origin, field="priority", value=theirs, at=context.at)
    context.leg.remote_priority = context.mapped.label("priority", theirs)[:100]
    context.leg.save(update_fields=["remote_priority"])
    before = context.link.agreed.get("priority")
    _agree(context, "priority", theirs)
    if before is not None:
        # Our value was not sent by this: if we changed it meanwhile, it still has to be sent.
        context.link.agreed["priority"]["ours"] = before["ours"]


def follow_status(context: SyncContext, theirs: str) -> None:
    """Follow the vendor's status, or keep the reason why it is not followed as a difference."""
    if not context.mapped.comes_in("status"):
        return
    try:
        rule = context.mapped.status(theirs)
    except NotMapped:
        unmapped.saw(source=context.origin, field="status", value=theirs, at=context.at)
        named = f"{theirs} ({context.remote.status_label})" if context.remote.status_label else theirs
        why = sentence("The vendor's status “%(status)s” is not mapped yet.", status=named)
        differ(context, "status", theirs, why)
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


def _reason(context: SyncContext, rule: StatusRule) -> str:
    """Why the vendor waits or returns the engagement; if it is done, the resolution."""
    if rule.verb == StatusRule.Verb.DONE:
        return guest_links.concealed(context.remote.resolution)[:LONGEST_RESOLUTION]
    return rule.wait_reason or (rule.label if rule.verb in ("return", "decline") else "")


def accept_if_assigned(context: SyncContext) -> None:
    """Accept the offered engagement if somebody is assigned to the record and the connection counts that."""
    is_enough = context.connection.acceptance != Connection.Acceptance.STATUS
    if is_enough and context.remote.assignee and context.leg.stage == Stage.OFFERED and context.leg.delivered_at:
        context.leg = stages.accept(
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
    "status": follow_status,
}


def _agree(context: SyncContext, field: str, theirs: str) -> None:
    context.link.agreed[field] = {"theirs": theirs, "ours": mapping.ours(context.ticket, context.leg, field)}
    settle(context, field)


def keep_reference(context: SyncContext) -> None:
    """If our reference was overwritten or cleared, write it back once and show it to a person."""
    agreed = context.link.agreed.get("reference")
    if agreed is None or context.remote.reference == agreed["theirs"] or context.being_written:
        settle(context, "reference")
        return
    differ(
        context,
        "reference",
        context.remote.reference,
        sentence("Our reference was changed in the vendor's system; it is written back once."),
        is_corrected=True,
    )


def _renamed(context: SyncContext) -> str:
    """The vendor's title, if it is neither ours nor the agreed one."""
    theirs, agreed = context.remote.fields.get("title", ""), context.link.agreed.get("title")
    if agreed is None or theirs in (agreed["theirs"], context.ticket.title):
        return ""
    return guest_links.concealed(theirs)


def status_label(mapped: mapping.Mapped, remote: RemoteTicket) -> str:
    """The vendor's status as people read it."""
    theirs = remote.fields.get("status", "")
    return mapped.label("status", theirs) if theirs in mapped.statuses else remote.status_label or theirs


def priority_label(mapped: mapping.Mapped, remote: RemoteTicket) -> str:
    """The vendor's priority as people read it."""
    return mapped.label("priority", remote.fields.get("priority", ""))


def describe(context: SyncContext) -> None:
    """Store what pages show about the record beside the engagement."""
    remote, leg, mapped = context.remote, context.leg, context.mapped
    wanted = {
        "remote_title": _renamed(context)[:255],
        "remote_number": remote.number[:100],
        "remote_assignee": remote.assignee[:150],
        "remote_status": status_label(mapped, remote)[:100],
        "remote_priority": priority_label(mapped, remote)[:100],
    }
    changed = {name: value for name, value in wanted.items() if getattr(leg, name) != value}
    if changed:
        Leg.objects.filter(pk=leg.pk).update(**changed)
    if "remote_number" in changed:
        indexing.mark(Ticket.objects.filter(pk=leg.ticket_id))
    if 0 < len(remote.url) <= Link.LONGEST_URL:
        context.link.remote_url = remote.url
