"""What would happen, without anything happening: what the vendor would see, what we would take in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from django.utils.translation import gettext as _

from connectors.engine import mapping
from connectors.engine.mapping import Mapped, NotMapped
from connectors.kit.contract import OutboundConnector, RemoteTicket, TicketConnector
from connectors.models import Connection, Link, NoteRule, PackPlace
from hub.core.clock import now
from hub.models import Leg, Organisation, Stage, Ticket
from workflows.handoffs import briefing

DRY_RUN_SPAN = timedelta(days=7)
CANARIES = (
    ("our own people", "canary: ours only"),
    ("this vendor alone", "canary: for this vendor"),
    ("organisations on the ticket", "canary: for organisations"),
    ("the requester", "canary: for the requester"),
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One field, as it is here and as they would see it."""

    field: str
    ours: str
    theirs: str
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One ticket of ours beside what would be made of it there."""

    ticket: Ticket
    pairs: list[Pair]
    pack: str
    """The hand-off pack that would go in a note or file of its own; empty where there is nothing more to say."""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """Where the hand-off pack of every new engagement would go, and who reads it there."""

    where: str
    readers: str = ""
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class Canary:
    """A message for an audience: how it would be marked there, or why it would not leave."""

    audience: str
    text: str
    visibility: str
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A note of theirs with a visibility: who would see it here."""

    visibility: str
    audience: str


@dataclass(frozen=True, kw_only=True)
class DryRunTicket:
    """One ticket of theirs, as it would be understood."""

    remote: RemoteTicket
    status: str
    priority: str
    is_taken_in: bool
    why: str


@dataclass(kw_only=True)
class DryRun:
    """What a week of theirs would have been here; nothing was written on either side."""

    tickets: list[DryRunTicket] = field(default_factory=list)
    unmapped: dict[str, int] = field(default_factory=dict)
    taken_in: int = 0


def seen_there(connector: OutboundConnector, mapped: Mapped, *, to: Organisation, count: int = 3) -> list[Seen]:
    """The newest tickets, side by side with what would be written to the vendor."""
    return [_seen(connector, mapped, ticket, to) for ticket in Ticket.objects.order_by("-pk")[:count]]


def _seen(connector: OutboundConnector, mapped: Mapped, ticket: Ticket, to: Organisation) -> Seen:
    found = briefing.pack(ticket, to=to)
    leg = Leg(ticket=ticket, stage=Stage.OFFERED, brief=briefing.as_text(found), pack=found)
    pairs = [_pair(connector, mapped, leg, name) for name in connector.fields]
    apart = {PackPlace.NOTE: briefing.beside_description, PackPlace.FILE: briefing.whole}.get(PackPlace(mapped.pack))
    return Seen(ticket=ticket, pairs=pairs, pack=apart(found) if apart is not None else "")


def packed(mapped: Mapped) -> Packed:
    """Where hand-off packs go by this mapping, and who reads them there."""
    where = str(PackPlace(mapped.pack).label)
    if mapped.pack == PackPlace.DESCRIPTION:
        return Packed(
            where=where, readers=_("whoever reads the record, in many systems the customer's own people, too")
        )
    try:
        visibility = mapped.visibility(is_for_requester=False, is_for_vendor_alone=True)
    except NotMapped as missing:
        return Packed(where=where, why_not=str(missing))
    label = mapped.notes[visibility].label or visibility
    readers = _("whoever reads “%s” there") % label
    if mapped.pack == PackPlace.FILE:
        readers = _("%s; if files have no visibility, whoever reads the record") % readers
    return Packed(where=where, readers=readers)


def _pair(connector: OutboundConnector, mapped: Mapped, leg: Leg, name: str) -> Pair:
    ticket, is_packed = leg.ticket, mapped.pack != PackPlace.DESCRIPTION
    ours = mapping.ours(ticket, leg, name)
    if name == "description" and not is_packed:
        ours = leg.brief
    if not mapped.goes_out(name, is_insert=True):
        return Pair(field=name, ours=ours, theirs="", why_not="is not written to them")
    try:
        theirs = mapping.outgoing(
            mapped, ticket, leg, name, is_insert=True, place=connector.home_queue, is_packed=is_packed
        )
    except NotMapped as missing:
        return Pair(field=name, ours=ours, theirs="", why_not=str(missing))
    limit = connector.lengths.get(name)
    if theirs is not None and limit is not None and len(theirs) > limit:
        theirs = f"{theirs[: limit - 1]}…"
    shown = mapped.label(name, theirs) if theirs and name in ("status", "priority") else theirs or ""
    return Pair(field=name, ours=ours, theirs=shown, why_not="" if theirs else "nothing to write")


def canaries(mapped: Mapped) -> list[Canary]:
    """A message of each audience run through the mapping: what is internal must not come out of it."""
    found = [Canary(audience=CANARIES[0][0], text=CANARIES[0][1], visibility="", why_not="never leaves this house")]
    kinds = ((False, True), (False, False), (True, False))
    for (audience, text), (is_for_requester, is_for_vendor_alone) in zip(CANARIES[1:], kinds, strict=True):
        try:
            visibility = mapped.visibility(is_for_requester=is_for_requester, is_for_vendor_alone=is_for_vendor_alone)
        except NotMapped:
            found.append(
                Canary(audience=audience, text=text, visibility="", why_not="held: no visibility is used for it")
            )
        else:
            label = mapped.notes[visibility].label or visibility
            found.append(Canary(audience=audience, text=text, visibility=label))
    return found


def heard_here(mapped: Mapped) -> list[Heard]:
    return [
        Heard(visibility=rule.label or rule.theirs, audience=str(NoteRule.Audience(rule.audience).label))
        for rule in mapped.notes.values()
    ]


def dry_run(connection: Connection, connector: TicketConnector, mapped: Mapped, *, most: int = 20) -> DryRun:
    """Read the last week there as if the connection were live. Reads only; raises the connector's errors."""
    since = (now() - DRY_RUN_SPAN).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = DryRun()
    linked = set(Link.objects.filter(connection=connection).values_list("remote_key", flat=True))
    for remote in connector.changes_since(since).tickets:
        tried = _understood(connection, mapped, remote, is_linked=remote.key in linked)
        found.taken_in += tried.is_taken_in
        for name in ("status", "priority"):
            value = remote.fields.get(name, "")
            if value and not _is_mapped(mapped, name, value):
                found.unmapped[f"{name} {value}"] = found.unmapped.get(f"{name} {value}", 0) + 1
        if len(found.tickets) < most:
            found.tickets.append(tried)
    return found


def _is_mapped(mapped: Mapped, name: str, value: str) -> bool:
    return value in mapped.statuses if name == "status" else mapped.value_in(name, value) is not None


def _understood(connection: Connection, mapped: Mapped, remote: RemoteTicket, *, is_linked: bool) -> DryRunTicket:
    status, priority = remote.fields.get("status", ""), remote.fields.get("priority", "")
    rule = mapped.statuses.get(status)
    why, is_taken_in = "", False
    if is_linked:
        why = "linked already"
    elif connection.intake != Connection.Intake.ADOPT:
        why = "only tickets we sent are of interest"
    elif connection.intake_queues and remote.queue not in connection.intake_queues:
        why = "lies in a queue that is not taken in"
    else:
        is_taken_in, why = True, "would become one of ours"
    return DryRunTicket(
        remote=remote,
        status=f"{mapped.label('status', status)}: {rule.get_verb_display() if rule else 'no meaning yet'}",
        priority=mapped.value_in("priority", priority) or "no counterpart: P3 until mapped",
        is_taken_in=is_taken_in,
        why=why,
    )
