"""What a person can do about a value of the vendor's that the ticket does not follow."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from connectors.engine import mapping
from connectors.engine.mapping import NotMapped, field_names
from connectors.models import Difference, Link
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Leg, User
from hub.queries import roles
from hub.translation import localized
from workflows.handoffs import transitions as handoff_transitions
from workflows.handoffs import vendor_status
from workflows.lifecycle import transitions
from workflows.rules.roles import roles_of


class NotForced(Exception):
    """The status cannot be accepted; the message says why."""


def title(difference: Difference, *, value: str = "") -> str:
    """What differs, in the active language; `value` is shown instead of the vendor's raw value."""
    text = {
        "unread": _("A note or file from %(organisation)s could not be read: %(value)s"),
        "notes": _("%(value)s notes from %(organisation)s are no longer visible"),
        "duplicate": _("Record %(value)s of %(organisation)s also has our reference"),
        "merged": _("%(organisation)s merged the record of this ticket"),
    }.get(difference.field, _("In the system of %(organisation)s, %(field)s is “%(value)s”"))
    return text % {
        "organisation": difference.link.leg.organisation,
        "field": localized(field_names.name_of(difference.field)),
        "value": value or difference.value,
    }


def may_force(user: User) -> bool:
    """Whether the user may accept a vendor's status against the rules of the workflow."""
    return bool(roles.OVERRIDING & roles_of(user))


@transaction.atomic
def as_comment(difference: Difference, *, user: User, at: datetime) -> None:
    """Write the vendor's value on the ticket as an internal comment, and settle the difference."""
    link = difference.link
    ticket = tickets.locked(link.leg.ticket.goes_on_as)
    text = _("%(difference)s. %(reason)s")
    text %= {"difference": title(difference, value=_label(difference)), "reason": difference.why}
    messages.say(ticket=ticket, body=text, actor=Actor.person(user), at=at)
    settle(difference, at=at)


@transaction.atomic
def force(difference: Difference, *, user: User, reason: str, at: datetime) -> None:
    """Accept the vendor's status against the guards of the workflow, with the reason on the ticket.

    NotForced if the user may not do this, or if the fixed rules of Ticket Hub forbid it.
    """
    if not may_force(user):
        raise NotForced(_("Only one of our managers or admins may do this."))
    if not reason.strip():
        raise NotForced(_("Give the reason for accepting it anyway. It is shown on the ticket."))
    if difference.field != "status":
        raise NotForced(_("Only a status can be accepted. Change other fields on the ticket."))
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
        raise NotForced(_("“%s” is not mapped yet. Map it first.") % difference.value) from refused
    except (handoff_transitions.HandoffRefused, transitions.MoveRefused) as refused:
        raise NotForced(_("Ticket Hub's fixed rules do not allow it: %s") % refused) from refused
    text = _("The vendor's status “%(value)s” was accepted manually: %(why)s")
    text %= {"value": _label(difference), "why": reason}
    messages.say(ticket=ticket, body=text, actor=Actor.person(user), at=at)
    fresh = tickets.locked(ticket)
    link = Link.objects.select_for_update(of=("self",)).get(pk=link.pk)  # keeps what was agreed meanwhile
    link.agreed["status"] = {"theirs": difference.value, "ours": mapping.ours(fresh, leg, "status")}
    link.save(update_fields=["agreed"])
    Difference.objects.filter(pk=difference.pk).update(resolved_at=at)


def settle(difference: Difference, *, at: datetime) -> None:
    """Mark a difference as handled: it is reported again only if the vendor's value changes."""
    Difference.objects.filter(pk=difference.pk, resolved_at=None).update(resolved_at=at, is_dealt_with=True)


def _label(difference: Difference) -> str:
    if difference.field not in ("status", "priority"):
        return difference.value
    return mapping.published(difference.link.connection).label(difference.field, difference.value) or difference.value
