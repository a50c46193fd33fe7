"""What an organisation is told when a ticket is handed to it: the story so far, from the record."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext as _

from hub.models import Leg, Message, Ticket

LONGEST = 6000


def brief(ticket: Ticket, *, reason: str = "") -> str:
    """The text that goes with an offer: what is asked, why them, and what was found before.

    Deterministic, and only from what may be told: messages for the requester or for every later leg.
    """
    parts = [ticket.description.strip() or ticket.title]
    if reason.strip():
        parts.append(f"{_('Why this comes to you')}:\n{reason.strip()}")
    before = _organisations(ticket)
    if before:
        parts.append(f"{_('Who had it before')}: {before}")
    found = _findings(ticket)
    if found:
        parts.append(f"{_('What was said so far')}:\n{found}")
    return "\n\n".join(parts)[:LONGEST]


def _organisations(ticket: Ticket) -> str:
    legs = Leg.objects.filter(ticket=ticket).select_related("organisation").order_by("number")
    return ", ".join(f"{leg.organisation} ({leg.get_stage_display()})" for leg in legs)


def _findings(ticket: Ticket) -> str:
    told = (
        Message.objects.filter(Q(is_for_later_legs=True) | Q(is_for_requester=True), ticket=ticket)
        .filter(superseded_by__isnull=True, withdrawn_at__isnull=True)
        .select_related("author_organisation")
        .order_by("occurred_at", "pk")
    )
    return "\n".join(
        f"- {message.occurred_at:%Y-%m-%d %H:%M} UTC, {message.author_organisation}: {message.body.strip()}"
        for message in told
    )
