"""The fields of a linked record, followed as far as the mapping allows."""

from __future__ import annotations

from connectors.engine import mapping
from connectors.engine.inbound.sync_context import SyncContext, differ, settle
from connectors.engine.mapping import NotMapped
from connectors.kit.contract import RemoteTicket
from connectors.models import Connection, Link, Outbound, StatusRule
from hub.core.sentences import sentence
from hub.domain import tickets, unmapped
from hub.models import Leg, Phase, Stage, Ticket
from workflows.handoffs import engagements, guest_links, vendor_status
from workflows.handoffs import transitions as handoff_transitions
from workflows.lifecycle import transitions

LONGEST_RESOLUTION = 5000


def follow(context: SyncContext) -> None:
    pending = _pending(context.link)
    for field in context.mapped.fields:
        theirs = context.remote.fields.get(field)
        if theirs is None:
            continue  # not in what was read, such as an e-mail without a status
        agreed = context.link.agreed.get(field)
        if agreed is not None and theirs == agreed["theirs"]:
            settle(context, field)
            continue
        if pending.get(field) == theirs:
            continue
        _FOLLOW[field](context, theirs)


def _pending(link: Link) -> dict[str, str]:
    """Values that are being written there: reading one of them is our own echo."""
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
        differ(
            context, field, theirs, sentence("We decide this field; our value is written back once."), is_corrected=True
        )
        return
    if context.ticket.phase == Phase.CANCELLED:
        differ(
            context,
            field,
            theirs,
            sentence("%(ticket)s is cancelled and is not changed any more.", ticket=context.ticket.label),
        )
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
    """Their priority is shown beside ours and never changes ours; one without a meaning is shown to a person."""
    if context.mapped.value_in("priority", theirs) is None:
        unmapped.saw(source=context.origin, field="priority", value=theirs, at=context.at)
    context.leg.remote_priority = context.mapped.label("priority", theirs)[:100]
    context.leg.save(update_fields=["remote_priority"])
    before = context.link.agreed.get("priority")
    _agree(context, "priority", theirs)
    if before is not None:
        # Reading theirs sends nothing of ours: what we changed meanwhile still has to be sent.
        context.link.agreed["priority"]["ours"] = before["ours"]


def follow_status(context: SyncContext, theirs: str) -> None:
    if not context.mapped.comes_in("status"):
        return
    try:
        rule = context.mapped.status(theirs)
    except NotMapped:
        unmapped.saw(source=context.origin, field="status", value=theirs, at=context.at)
        named = f"{theirs} ({context.remote.status_label})" if context.remote.status_label else theirs
        why = sentence("The vendor's status “%(status)s” has no meaning in the mapping yet.", status=named)
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
    """Why the vendor waits or returns the engagement; of what is done, the resolution."""
    if rule.verb == StatusRule.Verb.DONE:
        return guest_links.concealed(context.remote.resolution)[:LONGEST_RESOLUTION]
    return rule.wait_reason or (rule.label if rule.verb in ("return", "decline") else "")


def accept_if_assigned(context: SyncContext) -> None:
    """Where the connection says so, an assignee on their record accepts the offered engagement."""
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
    "status": follow_status,
}


def _agree(context: SyncContext, field: str, theirs: str) -> None:
    ticket = Ticket.objects.get(pk=context.ticket.pk)
    context.link.agreed[field] = {"theirs": theirs, "ours": mapping.ours(ticket, context.leg, field)}
    settle(context, field)


def keep_reference(context: SyncContext) -> None:
    """Our reference was overwritten or cleared there: it is written back once, and a person sees it."""
    agreed = context.link.agreed.get("reference")
    if agreed is None or context.remote.reference == agreed["theirs"] or _pending(context.link):
        settle(context, "reference")
        return
    differ(
        context,
        "reference",
        context.remote.reference,
        sentence("Our reference was changed there; it is written back once."),
        is_corrected=True,
    )


def _renamed(context: SyncContext) -> str:
    """Their title, where it is neither ours nor what was agreed."""
    theirs, agreed = context.remote.fields.get("title", ""), context.link.agreed.get("title")
    if agreed is None or theirs in (agreed["theirs"], context.ticket.title):
        return ""
    return guest_links.concealed(theirs)


def status_label(mapped: mapping.Mapped, remote: RemoteTicket) -> str:
    theirs = remote.fields.get("status", "")
    return mapped.label("status", theirs) if theirs in mapped.statuses else remote.status_label or theirs


def describe(context: SyncContext) -> None:
    """Store what pages show of the record beside the engagement."""
    remote, leg, mapped = context.remote, context.leg, context.mapped
    wanted = {
        "remote_title": _renamed(context)[:255],
        "remote_number": remote.number[:100],
        "remote_assignee": remote.assignee[:150],
        "remote_status": status_label(mapped, remote)[:100],
        "remote_priority": mapped.label("priority", remote.fields.get("priority", ""))[:100],
    }
    changed = {name: value for name, value in wanted.items() if getattr(leg, name) != value}
    if changed:
        Leg.objects.filter(pk=leg.pk).update(**changed)
    if 0 < len(remote.url) <= Link.LONGEST_URL:
        context.link.remote_url = remote.url
