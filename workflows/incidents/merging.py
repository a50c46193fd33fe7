"""One matter, two tickets: the later one becomes a read-only alias of the one that goes on.

Merged is cancelled with `merged_into` (the law); nothing of it is moved or rewritten, both say where the other is.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, Leg, Phase, Relation, Ticket
from workflows.handoffs import engagements
from workflows.lifecycle import transitions
from workflows.rules.context import context
from workflows.rules.roles import roles
from workflows.rules.verbs import available


class MergeRefused(Exception):
    """The two cannot be one; the message says why."""


@transaction.atomic
def merge(*, ticket: Ticket, into: Ticket, actor: Actor, at: datetime, reason: str = "") -> Ticket:
    """Make `ticket` an alias of `into`; its organisations are recalled, its requester is told."""
    touched = Q(pk__in=(ticket.pk, into.pk)) | Q(merged_into=ticket)
    both = Ticket.objects.select_for_update().filter(touched).order_by("pk")
    rows = {row.pk: row for row in both}
    ticket, into = rows[ticket.pk], rows[into.pk]
    if why := _why_not(ticket, into) or transitions.why_not(ticket, "cancel", at=at, legs=()):
        raise MergeRefused(why)
    told = _("Merged into %s.") % into.label
    for leg in Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).order_by("number"):
        engagements.recall(leg=leg, reason=f"{told} {reason}".strip(), actor=actor, at=at)
    if ticket.requester_id is not None:
        said = _("This is dealt with as %s.") % into.label  # its title may be somebody else's business
        messages.say(ticket=ticket, body=f"{said} {reason}".strip(), is_for_requester=True, actor=actor, at=at)
    if why := _policy_says(ticket, actor, at):
        raise MergeRefused(why)
    transitions.move(ticket=ticket, name="cancel", actor=actor, at=at, reason=f"{told} {reason}".strip()[:500])
    # What was merged into it before goes on there, too: an alias never leads to another alias.
    Ticket.objects.filter(Q(pk=ticket.pk) | Q(merged_into=ticket)).update(merged_into=into)
    tickets.relate(ticket=ticket, other=into, kind=Relation.Kind.DUPLICATE, actor=actor, at=at)
    return Ticket.objects.get(pk=ticket.pk)


def _policy_says(ticket: Ticket, actor: Actor, at: datetime) -> str:
    """Why the workflow lets this person cancel it by none of its verbs; empty where one of them can be used."""
    fresh = Ticket.objects.select_related("status__version").get(pk=ticket.pk)
    verbs = available(context(fresh, at=at), roles=roles(actor, fresh))
    ends = [verb for verb in verbs if verb.leads_to == Phase.CANCELLED]
    return ends[0].why_not if ends and all(verb.why_not for verb in ends) else ""


def _why_not(ticket: Ticket, into: Ticket) -> str:
    if ticket.pk == into.pk:
        return _("A ticket cannot be merged into itself.")
    if into.merged_into is not None:
        return _("%(label)s was merged into %(into)s itself; choose that one.") % {
            "label": into.label,
            "into": into.merged_into.label,
        }
    if not into.is_open or into.is_history:
        return _("%s is over; only a ticket that is open can take another in.") % into.label
    return ""
