"""Merging duplicates: one ticket becomes a read-only alias of another.

The merged ticket is cancelled with `merged_into` set. None of its content is moved or rewritten, and each ticket refers
to the other.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from hub.core.sentences import sentence
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, Leg, Phase, Relation, Ticket
from hub.translation import Refusal
from workflows.handoffs import engagements
from workflows.lifecycle import transitions
from workflows.rules.context import context
from workflows.rules.roles import roles
from workflows.rules.verbs import available


class MergeRefused(Refusal):
    """The tickets cannot be merged; the message says why."""


@transaction.atomic
def merge(*, ticket: Ticket, into: Ticket, actor: Actor, at: datetime, reason: str = "") -> Ticket:
    """Make `ticket` an alias of `into`: recall its organisations, notify its requester and cancel it.

    Earlier aliases of `ticket` become aliases of `into`. MergeRefused, with nothing changed, if this is not possible.
    """
    touched = Q(pk__in=(ticket.pk, into.pk)) | Q(merged_into=ticket)
    both = Ticket.objects.select_for_update().filter(touched).order_by("pk")
    rows = {row.pk: row for row in both}
    ticket, into = rows[ticket.pk], rows[into.pk]
    if why := _why_not(ticket, into) or transitions.why_not(ticket, "cancel", at=at, legs=()):
        raise MergeRefused(why)
    merged = _("Merged into %(ticket)s.") % {"ticket": into.label}
    for leg in Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).order_by("number"):
        engagements.recall(leg=leg, reason=f"{merged} {reason}".strip(), actor=actor, at=at)
    if ticket.requester_id is not None:
        # Without the other ticket's title, which may be confidential.
        text = _("Your request is now handled as %(ticket)s.") % {"ticket": into.label}
        messages.say(ticket=ticket, body=f"{text} {reason}".strip(), is_for_requester=True, actor=actor, at=at)
    if why := _policy_says(ticket, actor, at):
        raise MergeRefused(why)
    transitions.move(ticket=ticket, name="cancel", actor=actor, at=at, reason=f"{merged} {reason}".strip()[:500])
    # Earlier aliases follow, so that an alias never refers to another alias.
    Ticket.objects.filter(Q(pk=ticket.pk) | Q(merged_into=ticket)).update(merged_into=into)
    tickets.relate(ticket=ticket, other=into, kind=Relation.Kind.DUPLICATE, actor=actor, at=at)
    return Ticket.objects.get(pk=ticket.pk)


def _policy_says(ticket: Ticket, actor: Actor, at: datetime) -> str:
    """Why this person cannot use the workflow's transitions to cancelled; empty if one is available, or none exists."""
    fresh = Ticket.objects.select_related("status__version").get(pk=ticket.pk)
    verbs = available(context(fresh, at=at), roles=roles(actor, fresh))
    ends = [verb for verb in verbs if verb.leads_to == Phase.CANCELLED]
    return ends[0].why_not if ends and all(verb.why_not for verb in ends) else ""


def _why_not(ticket: Ticket, into: Ticket) -> str:
    if ticket.pk == into.pk:
        return sentence("A ticket cannot be merged into itself.")
    if into.merged_into is not None:
        return sentence(
            "%(label)s is itself merged into %(into)s; choose %(into)s instead.",
            label=into.label,
            into=into.merged_into.label,
        )
    if not into.is_open or into.is_history:
        return sentence(
            "%(ticket)s is no longer open; a ticket can only be merged into an open one.", ticket=into.label
        )
    return ""
