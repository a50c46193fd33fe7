"""What a person can do about a value of theirs that the record does not follow."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from connectors.engine import mapping
from connectors.engine.mapping import NotMapped
from connectors.models import Difference, Link
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Leg, User
from hub.queries import roles
from workflows.handoffs import transitions as handoff_transitions
from workflows.handoffs import vendor_status
from workflows.lifecycle import transitions
from workflows.rules.roles import roles_of


class NotForced(Exception):
    """It cannot be taken; the message says why."""


def may_force(user: User) -> bool:
    """Whether somebody may take a vendor's word against the rules of a workflow."""
    return bool(roles.OVERRIDING & roles_of(user))


@transaction.atomic
def as_comment(difference: Difference, *, user: User, at: datetime) -> None:
    """Write on the ticket, for our own people, what they say; the record stays as it is."""
    link = difference.link
    ticket = tickets.locked(link.leg.ticket.goes_on_as)
    text = _("%(who)s has %(field)s “%(value)s” there. %(why)s") % {
        "who": link.leg.organisation,
        "field": difference.field,
        "value": _label(difference),
        "why": difference.why,
    }
    messages.say(ticket=ticket, body=text, actor=Actor.person(user), at=at)
    settle(difference, at=at)


@transaction.atomic
def force(difference: Difference, *, user: User, reason: str, at: datetime) -> None:
    """Take their status whatever the workflow's guards say; the law holds all the same."""
    if not may_force(user):
        raise NotForced(_("Only a manager or an admin of ours may do that."))
    if not reason.strip():
        raise NotForced(_("Say why it is taken all the same; it is written on the ticket."))
    if difference.field != "status":
        raise NotForced(_("Only a status can be taken; change the field on the ticket."))
    link = Link.objects.select_related("connection__organisation", "leg__ticket").get(pk=difference.link_id)
    ticket = tickets.locked(link.leg.ticket)
    leg = Leg.objects.select_related("organisation", "ticket").get(pk=link.leg_id)
    try:
        rule = mapping.published(link.connection).status(difference.value)
        leg = vendor_status.follow(
            leg=leg,
            verb=rule.verb,
            waits_on=rule.waits_on,
            reason=rule.wait_reason or reason,
            actor=Actor.vendor(link.connection.organisation),
            at=at,
            origin=link.connection.public_id,
            is_forced=True,
        )
    except NotMapped as refused:
        raise NotForced(_("“%s” has no meaning in the mapping yet; map it first.") % difference.value) from refused
    except (handoff_transitions.HandoffRefused, transitions.MoveRefused) as refused:
        raise NotForced(_("The law forbids it: %s") % refused) from refused
    text = _("Their status “%(value)s” was taken by hand: %(why)s") % {"value": _label(difference), "why": reason}
    messages.say(ticket=ticket, body=text, actor=Actor.person(user), at=at)
    fresh = tickets.locked(ticket)
    link = Link.objects.select_for_update(of=("self",)).get(pk=link.pk)  # what was agreed meanwhile stays
    link.agreed["status"] = {"theirs": difference.value, "ours": mapping.ours(fresh, leg, "status")}
    link.save(update_fields=["agreed"])
    Difference.objects.filter(pk=difference.pk).update(resolved_at=at)


def settle(difference: Difference, *, at: datetime) -> None:
    """A person has dealt with it: it comes back only if they say something else."""
    Difference.objects.filter(pk=difference.pk, resolved_at=None).update(resolved_at=at, is_dealt_with=True)


def _label(difference: Difference) -> str:
    if difference.field not in ("status", "priority"):
        return difference.value
    return mapping.published(difference.link.connection).label(difference.field, difference.value) or difference.value
