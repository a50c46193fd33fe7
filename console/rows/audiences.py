"""What each organisation and the requester can see of a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from connectors.engine.outbound import sensitive
from connectors.models import Link
from hub.models import Leg, Message, Organisation, Stage, Ticket
from hub.queries import permissions
from workflows.handoffs import vendor_mail


@dataclass(frozen=True, kw_only=True)
class Audience:
    """One reader of a ticket, by what channel, and everything it can read."""

    name: str
    channel: str
    pack: str
    """The hand-off pack as it was sent; empty without one."""
    messages: Sequence[Message]
    organisation: Organisation | None = None
    """None for the requester."""
    is_masked: bool = False
    """Whether the connection masks passwords, keys and personal numbers in what is sent."""


def audiences(ticket: Ticket) -> list[Audience]:
    """The requester, then every organisation that was engaged, by its newest engagement."""
    found = []
    if ticket.requester is not None:
        found.append(
            Audience(
                name=ticket.requester.name,
                channel=_("the requester, by e-mail and on this console"),
                pack="",
                messages=_shown(permissions.messages_for_requester(ticket)),
            )
        )
    legs = Leg.objects.filter(ticket=ticket).select_related("organisation", "link__connection").order_by("number")
    newest = {leg.organisation_id: leg for leg in legs if not leg.organisation.is_us}
    return found + [_of(leg, ticket) for leg in newest.values()]


def _of(leg: Leg, ticket: Ticket) -> Audience:
    link: Link | None = getattr(leg, "link", None)
    rule = link.connection.sensitive_data if link is not None else sensitive.Rule.WARN
    messages = _shown(permissions.messages_for(leg.organisation, ticket))
    for message in messages:
        if message.author_organisation_id != leg.organisation_id:
            message.body = sensitive.as_sent(rule, message.body)
    return Audience(
        name=leg.organisation.name,
        organisation=leg.organisation,
        channel=channel_of(leg),
        pack=sensitive.as_sent(rule, leg.brief),
        messages=messages,
        is_masked=rule == sensitive.Rule.MASK,
    )


def channel_of(leg: Leg) -> str:
    """How the organisation of an engagement receives what is sent to it, in words."""
    link: Link | None = getattr(leg, "link", None)
    if link is not None:
        return _("in their system, through %(connection)s") % {"connection": link.connection}
    if leg.stage != Stage.OFFERED and not vendor_mail.is_reached_by_mail(leg):
        return _("on this console or a guest link")
    return _("by e-mail, on this console or a guest link")


def _shown(messages: QuerySet[Message]) -> list[Message]:
    rows = messages.filter(withdrawn_at=None, superseded_by=None)
    return list(
        rows.select_related("author_organisation").prefetch_related("attachments").order_by("occurred_at", "pk")
    )
