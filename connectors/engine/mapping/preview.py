"""A preview of a mapping before it goes live: what each side would see of the other. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connectors.engine import mapping
from connectors.engine.mapping import Mapped, NotMapped, field_names
from connectors.kit.contract import OutboundConnector
from connectors.models import NoteRule, PackPlace
from hub.models import Leg, Organisation, Stage, Ticket
from hub.translation import localized
from workflows.handoffs import briefing

CANARIES = (
    (gettext_lazy("our own people"), "canary: ours only"),
    (gettext_lazy("this vendor only"), "canary: for this vendor"),
    (gettext_lazy("organisations on the ticket"), "canary: for organisations"),
    (gettext_lazy("the requester"), "canary: for the requester"),
)
"""An audience of messages, and the text of a message for it; the first one never leaves Ticket Hub."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One field of a ticket: our value, and the vendor's as it would be written."""

    field: str
    """The name of the field, in the active language."""
    ours: str
    theirs: str
    why_not: str = ""
    """Why nothing would be written; empty if something would be."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One of our tickets, and what the vendor would see of it."""

    ticket: Ticket
    pairs: list[Pair]
    pack: str
    """The hand-off pack that would be sent as a separate note or file; empty if there is none."""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """Where the hand-off pack of every new engagement would go, and who could read it in the vendor's system."""

    where: str
    readers: str = ""
    why_not: str = ""
    """Why the pack would not be sent; empty if it would be."""


@dataclass(frozen=True, kw_only=True)
class Canary:
    """A message for one audience: the visibility it would get, or why it would not be sent."""

    audience: str
    text: str
    visibility: str
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One visibility of the vendor's notes: who would read such a note in Ticket Hub."""

    visibility: str
    audience: str


def seen_there(connector: OutboundConnector, mapped: Mapped, *, to: Organisation, count: int = 3) -> list[Seen]:
    """The newest tickets, each beside what would be written to the vendor's system."""
    return [_seen(connector, mapped, ticket, to) for ticket in Ticket.objects.order_by("-pk")[:count]]


def _seen(connector: OutboundConnector, mapped: Mapped, ticket: Ticket, to: Organisation) -> Seen:
    found = briefing.pack(ticket, to=to)
    leg = Leg(ticket=ticket, stage=Stage.OFFERED, brief=briefing.as_text(found), pack=found)
    pairs = [_pair(connector, mapped, leg, name) for name in connector.fields]
    apart = {PackPlace.NOTE: briefing.beside_description, PackPlace.FILE: briefing.whole}.get(PackPlace(mapped.pack))
    return Seen(ticket=ticket, pairs=pairs, pack=apart(found) if apart is not None else "")


def _pair(connector: OutboundConnector, mapped: Mapped, leg: Leg, field: str) -> Pair:
    ticket, is_packed = leg.ticket, mapped.pack != PackPlace.DESCRIPTION
    name = localized(field_names.name_of(field))
    ours = mapping.shown_value(field, mapping.ours(ticket, leg, field))
    if field == "description" and not is_packed:
        ours = leg.brief
    if not mapped.goes_out(field, is_insert=True):
        return Pair(field=name, ours=ours, theirs="", why_not=_("is not sent to the vendor"))
    try:
        theirs = mapping.outgoing(
            mapped, ticket, leg, field, is_insert=True, place=connector.home_queue, is_packed=is_packed
        )
    except NotMapped as missing:
        return Pair(field=name, ours=ours, theirs="", why_not=localized(str(missing)))
    limit = connector.lengths.get(field)
    if theirs is not None and limit is not None and len(theirs) > limit:
        theirs = f"{theirs[: limit - 1]}…"
    shown = mapped.label(field, theirs) if theirs and field in ("status", "priority") else theirs or ""
    return Pair(field=name, ours=ours, theirs=shown, why_not="" if theirs else _("nothing to send"))


def packed(mapped: Mapped) -> Packed:
    """Where hand-off packs would go, and who could read them in the vendor's system."""
    where = str(PackPlace(mapped.pack).label)
    if mapped.pack == PackPlace.DESCRIPTION:
        readers = _("everyone who can read the record; in many systems also the customer's own people")
        return Packed(where=where, readers=readers)
    try:
        visibility = mapped.visibility(is_for_requester=False, is_for_vendor_alone=True)
    except NotMapped as missing:
        return Packed(where=where, why_not=localized(str(missing)))
    label = mapped.notes[visibility].label or visibility
    if mapped.pack == PackPlace.FILE:
        readers = _(
            "everyone who can read “%(visibility)s”; if files have no visibility, everyone who can read the record"
        )
    else:
        readers = _("everyone who can read “%(visibility)s”")
    return Packed(where=where, readers=readers % {"visibility": label})


def canaries(mapped: Mapped) -> list[Canary]:
    """A message for each audience, run through the mapping: an internal one must not come out."""
    (audience, text), *others = CANARIES
    found = [Canary(audience=str(audience), text=text, visibility="", why_not=_("never leaves Ticket Hub"))]
    kinds = ((False, True), (False, False), (True, False))
    for (audience, text), (is_for_requester, is_for_vendor_alone) in zip(others, kinds, strict=True):
        try:
            visibility = mapped.visibility(is_for_requester=is_for_requester, is_for_vendor_alone=is_for_vendor_alone)
        except NotMapped:
            why = _("not sent: no visibility is used for it")
            found.append(Canary(audience=str(audience), text=text, visibility="", why_not=why))
        else:
            label = mapped.notes[visibility].label or visibility
            found.append(Canary(audience=str(audience), text=text, visibility=label))
    return found


def heard_here(mapped: Mapped) -> list[Heard]:
    """Who would read the vendor's notes in Ticket Hub, by visibility."""
    return [
        Heard(visibility=rule.label or rule.theirs, audience=str(NoteRule.Audience(rule.audience).label))
        for rule in mapped.notes.values()
    ]
