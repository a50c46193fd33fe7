"""Composes the change that an outbound item sends, in the vendor's values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from connectors.engine import correlation_marks, mapping
from connectors.engine.inbound import linked_mail
from connectors.engine.mapping import Mapped, agreement
from connectors.engine.outbound import sensitive
from connectors.kit.contract import Change, MailConnector, OutboundConnector
from connectors.kit.errors import Refused
from connectors.models import Binding, Lane, Link, Outbound
from hub.core import statements
from hub.core.sentences import sentence
from hub.domain import files
from hub.models import ActorKind, Leg, Message
from workflows.handoffs import briefing


@dataclass(frozen=True)
class Composed:
    """A change as it is sent, and the values on our side that it corresponds to."""

    change: Change
    ours: dict[str, str]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to send, because both sides agree by now."""
        is_text = self.change.kind in (Outbound.Kind.NOTE, Outbound.Kind.FILE)
        return not is_text and not self.change.fields and not self.change.reference


class Composer:
    """Composes the changes for one link."""

    def __init__(self, link: Link, connector: OutboundConnector, mapped: Mapped) -> None:
        self.link, self.connector, self.mapped = link, connector, mapped

    def compose(self, item: Outbound, *, place: str, leg: Leg | None = None) -> Composed:
        """The change to send. NotMapped if a value has no counterpart, Refused if the item cannot be sent.

        `place` is the queue in which the record lies, or in which it will be created. `leg` is the engagement with its
        ticket, if it was just read.
        """
        if item.is_pack:
            return self._pack(item)
        if item.kind in (Outbound.Kind.NOTE, Outbound.Kind.FILE):
            return self._text(item)
        return self._fields(item, place, leg)

    # -- fields

    def _fields(self, item: Outbound, place: str, leg: Leg | None) -> Composed:
        leg = leg or Leg.objects.select_related("organisation", "ticket").get(pk=self.link.leg_id)
        ticket = leg.ticket
        is_insert = item.kind == Outbound.Kind.CREATE
        ours = {
            field: mine
            for field, mine in agreement.changed_here(self.link, self.mapped, ticket, leg, is_insert=is_insert).items()
            if is_insert or field not in self.connector.insert_only
        }
        is_packed = is_insert and self._is_packed()
        fields: dict[str, str] = {}
        for field in ours:
            wanted = mapping.outgoing(
                self.mapped, ticket, leg, field, is_insert=is_insert, place=place, is_packed=is_packed
            )
            if wanted and field in sensitive.FIELDS:
                wanted = sensitive.shareable(self.link.connection, wanted)
            theirs, known = self._fitting(field, wanted), self.link.agreed.get(field)
            if theirs is not None and (known is None or known["theirs"] != theirs):
                fields[field] = theirs
        change = Change(
            id=item.public_id,
            kind=item.kind,
            key=self.link.remote_key,
            leg=leg.public_id,
            title=sensitive.masked_if_ruled(self.link.connection, ticket.title),
            label=ticket.label,
            reference=self.link.reference if is_insert or not self.link.agreed.get("reference") else "",
            fields=fields,
            mark=correlation_marks.sign(item.public_id) if is_insert else "",
            **self._thread(),
        )
        return Composed(change, ours)

    def _is_packed(self) -> bool:
        """Whether the hand-off pack was queued as a separate note or file when the ticket was offered."""
        texts = self.link.outbound.filter(lane__in=[Lane.NOTES, Lane.FILES])
        return texts.filter(message=None, attachment=None).exists()

    def _thread(self) -> dict[str, Any]:
        """For an e-mail: by what the vendor's help desk finds the ticket."""
        return dict(linked_mail.thread(self.link)) if isinstance(self.connector, MailConnector) else {}

    def _fitting(self, field: str, theirs: str | None) -> str | None:
        """The vendor's value, cut to the length limit; a description also carries the mark of the hubs passed."""
        if theirs is None:
            return None
        hops = self._hops_of_ticket() if field == "description" else []
        trail = f"\n\n{correlation_marks.trail(hops)}" if hops else ""
        limit = self.connector.lengths.get(field)
        if limit is not None and len(theirs) + len(trail) > limit:
            theirs = theirs[: limit - len(trail) - 1] + "…"
        return theirs + trail

    def _hops_of_ticket(self) -> list[str]:
        links = Link.objects.filter(leg__ticket=self.link.leg.ticket_id).exclude(pk=self.link.pk).order_by("pk")
        return next((list(hops) for hops in links.values_list("hops", flat=True) if hops), [])

    # -- notes, files, the hand-off pack

    def _pack(self, item: Outbound) -> Composed:
        leg = Leg.objects.select_related("given_by", "ticket").get(pk=self.link.leg_id)
        is_file = item.kind == Outbound.Kind.FILE
        text = briefing.whole(leg.pack) if is_file else briefing.beside_description(leg.pack)
        text = sensitive.shareable(self.link.connection, text)
        change = Change(
            id=item.public_id,
            kind=item.kind,
            key=self.link.remote_key,
            leg=leg.public_id,
            title=sensitive.masked_if_ruled(self.link.connection, leg.ticket.title),
            label=leg.ticket.label,
            mark=correlation_marks.sign(item.public_id),
            visibility=self.mapped.visibility(is_for_requester=False, is_for_vendor_alone=True),
            name=_("%(ticket)s hand-off.txt") % {"ticket": leg.ticket.label} if is_file else str(leg.given_by),
            text="" if is_file else text,
            content=text.encode() if is_file else b"",
            **self._thread(),
        )
        return Composed(change, {})

    def _text(self, item: Outbound) -> Composed:
        message = item.message
        assert message is not None
        visibility = self.mapped.visibility(
            is_for_requester=message.is_for_requester,
            is_for_vendor_alone=not message.is_for_later_legs and len(_addressed(message.pk)) == 1,
        )
        about = f"{message.author_organisation}, {message.author_name}".rstrip(", ")
        mark = correlation_marks.sign(item.public_id, hops=self._hops_of(message))
        common = {
            "id": item.public_id,
            "kind": item.kind,
            "key": self.link.remote_key,
            "visibility": visibility,
            "leg": self.link.leg.public_id,
            "title": sensitive.masked_if_ruled(self.link.connection, self.link.leg.ticket.title),
            "label": self.link.leg.ticket.label,
            "is_by_program": message.author_kind in (ActorKind.SYSTEM, ActorKind.TIMER),
        } | self._thread()
        if item.attachment is None:
            text = sensitive.shareable(self.link.connection, message.body)
            if self._corrects(message):
                text = _("(Correction)\n%(text)s") % {"text": text}
            return Composed(Change(**common, mark=mark, name=about, text=text), {})
        try:
            content = files.read(item.attachment)
        except files.NotWhole as error:
            raise Refused(str(error)) from error
        sensitive.check_file(self.link.connection, item.attachment.name, content)
        return Composed(Change(**common, mark=mark, name=item.attachment.name, content=content), {})

    def _corrects(self, message: Message) -> bool:
        """Whether the message replaces one that the vendor has received."""
        if message.supersedes_id is None:
            return False
        rows = Outbound.objects.filter(link=self.link, message=message.supersedes_id, state=Outbound.State.DONE)
        return rows.exists() or Binding.objects.filter(link=self.link, message=message.supersedes_id).exists()

    def _hops_of(self, message: Message) -> list[str]:
        """The hubs that a message came through; Refused if there are too many."""
        # A message that was written here came through no other hub.
        hops = next((found.split("@") for found in _hops(message.pk)), []) if message.origin else []
        if len(hops) >= correlation_marks.MOST_HOPS:
            raise Refused(
                sentence("This message came through %(count)s other hubs and is not forwarded again.", count=len(hops))
            )
        return hops


@statements.select
def _addressed(message_id: int) -> QuerySet[Any, int]:
    """The engagements that a message is addressed to."""
    return Message.legs.through.objects.filter(message=message_id).values_list("leg", flat=True)


@statements.select
def _hops(message_id: int) -> QuerySet[Binding, str]:
    return Binding.objects.filter(message=message_id).exclude(hops="").values_list("hops", flat=True)
