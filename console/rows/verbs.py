"""Transitions of a ticket's workflow with the fields they require."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.forms import BoundField
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.forms.tickets import VerbForm
from hub.models import Leg, Stage, Ticket, User
from hub.queries import permissions
from workflows.lifecycle import transitions
from workflows.rules.context import Context, context
from workflows.rules.roles import roles_on
from workflows.rules.verbs import Verb, available


@dataclass(frozen=True, kw_only=True)
class VerbRow:
    """One transition and its fields."""

    verb: Verb
    fields: Sequence[BoundField]
    consequence: str | Promise = ""
    """What the transition brings about, if that needs saying."""


CONSEQUENCES: dict[str, str | Promise] = {
    "resolve": _("The clocks stop and no more time is charged. The ticket can be reopened."),
    "close": _("Nothing is charged and no clock runs. The ticket can be reopened for 14 days, then never again."),
    "reopen": _(
        "The ticket is with us again and time is charged. Each clock resumes or restarts, as its contract says; the "
        "first response does not. Engagements that have ended stay ended."
    ),
    "cancel": _("This is final: a cancelled ticket cannot be reopened."),
}
"""By the transition of the law."""


def verb_rows(user: User, ticket: Ticket, *, at: datetime, legs: Sequence[Leg] | None = None) -> list[VerbRow]:
    """All transitions of the ticket's workflow; readers who do not work on it get only those they can use.

    `legs` are all engagements by number, if the ticket was just read with everything that `permissions` reads of it.
    """
    if ticket.is_history:
        return []
    seen = context(ticket, at=at) if legs is None else Context(ticket, at=at, legs=legs)
    found = available(seen, roles=roles_on(user, ticket))
    if not permissions.may_work(user):
        found = [verb for verb in found if not verb.why_not]
    return [_row(verb, ticket, seen.legs) for verb in found]


def _row(verb: Verb, ticket: Ticket, legs: Sequence[Leg]) -> VerbRow:
    initial = {name: getattr(ticket, name, None) for name in ("impact", "urgency", "title")}
    if "resolution" in verb.needs:
        initial["resolution"] = _reported(legs)
    form = VerbForm(auto_id=f"{verb.slug}_%s", initial=initial)
    names = [*verb.needs, *(["is_resolution_shared"] if "resolution" in verb.needs else [])]
    law = transitions.LAW.get((ticket.phase, verb.leads_to), "")
    return VerbRow(verb=verb, fields=[form[name] for name in names], consequence=CONSEQUENCES.get(law, ""))


def _reported(legs: Sequence[Leg]) -> str:
    """What the organisation that completed its engagement last says was done."""
    done = [leg for leg in legs if leg.stage == Stage.DONE and leg.ended_at is not None]
    return max(done, key=lambda leg: (leg.ended_at, leg.number)).resolution if done else ""
