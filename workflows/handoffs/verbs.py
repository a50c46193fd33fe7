"""What can be done with an engagement: one table for our own pages, guest links and the status of a vendor's system.

The same verb has a name of its own in each of the three, because those names are stored in mappings and sent in links.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from hub.domain.actors import Actor
from hub.models import Leg, Phase, Stage
from workflows.handoffs import comments, engagements, returns, transitions


class Given(NamedTuple):
    """Who does it when, and what was entered with it."""

    actor: Actor
    at: datetime
    reason: str = ""
    code: str = ""
    """One of `ReasonCode`, or nothing."""


Do = Callable[[Leg, Given], Leg]


@dataclass(frozen=True, kw_only=True)
class LegVerb:
    """One thing that can be done with an engagement."""

    label: str | Promise = ""
    """Our own button; empty where we have none."""
    do: Do | None = None
    """What our own button does."""
    is_ours: bool = False
    """Ours to do even where the organisation works in a system of its own."""
    takes_reason: bool = False
    """The reason is part of it; else what was entered is sent to the organisation as a message."""
    takes_code: bool = False
    guest: str = ""
    """Its name on a guest link; empty where it is not there."""
    guest_label: str | Promise = ""
    needs_text: bool = False
    """On a guest link it needs a few words."""
    status: str = ""
    """Its name in a mapping of a vendor's status; empty where no status means it."""


def _accept(leg: Leg, given: Given) -> Leg:
    """Whoever accepts on our page begins, too."""
    accepted = engagements.accept(leg=leg, actor=given.actor, at=given.at)
    return engagements.start(leg=accepted, actor=given.actor, at=given.at)


def _start(leg: Leg, given: Given) -> Leg:
    return engagements.start(leg=leg, actor=given.actor, at=given.at)


def _resume(leg: Leg, given: Given) -> Leg:
    return engagements.resume(leg=leg, actor=given.actor, at=given.at)


def _finish(leg: Leg, given: Given) -> Leg:
    return engagements.finish(leg=leg, resolution=given.reason, actor=given.actor, at=given.at)


def _decline(leg: Leg, given: Given) -> Leg:
    return returns.decline(leg=leg, reason=given.reason, code=given.code, actor=given.actor, at=given.at)


def _give_back(leg: Leg, given: Given) -> Leg:
    return returns.give_back(leg=leg, reason=given.reason, code=given.code, actor=given.actor, at=given.at)


def _lead(leg: Leg, given: Given) -> Leg:
    return engagements.give_lead(leg=leg, reason=given.reason, actor=given.actor, at=given.at)


def _recall(leg: Leg, given: Given) -> Leg:
    return engagements.recall(leg=leg, reason=given.reason, actor=given.actor, at=given.at)


def _approve(leg: Leg, given: Given) -> Leg:
    return engagements.approve(leg=leg, actor=given.actor, at=given.at)


def _reopen(leg: Leg, given: Given) -> Leg:
    return engagements.reopen(leg=leg, actor=given.actor, at=given.at)


LEG_VERBS: dict[str, LegVerb] = {
    "acknowledge": LegVerb(status="acknowledge"),
    "accept": LegVerb(label=_("Accept"), do=_accept, guest="accept", guest_label=_("Accept"), status="accept"),
    "start": LegVerb(label=_("Start"), do=_start, status="work"),
    "wait": LegVerb(guest="ask", guest_label=_("Ask a question and wait"), needs_text=True, status="wait"),
    "resume": LegVerb(label=_("Resume"), do=_resume, guest="resume", guest_label=_("Resume work")),
    "finish": LegVerb(
        label=_("Done"),
        do=_finish,
        takes_reason=True,
        guest="resolve",
        guest_label=_("Resolved"),
        needs_text=True,
        status="done",
    ),
    "decline": LegVerb(
        label=_("Decline"),
        do=_decline,
        takes_reason=True,
        takes_code=True,
        guest="decline",
        guest_label=_("Decline"),
        needs_text=True,
        status="decline",
    ),
    "give_back": LegVerb(
        label=_("Return"),
        do=_give_back,
        takes_reason=True,
        takes_code=True,
        guest="return",
        guest_label=_("Return"),
        needs_text=True,
        status="return",
    ),
    "note": LegVerb(guest="note", guest_label=_("Add to the ticket")),
    "lead": LegVerb(label=_("Give the lead"), do=_lead, is_ours=True, takes_reason=True),
    "recall": LegVerb(label=_("Recall"), do=_recall, is_ours=True, takes_reason=True),
    "approve": LegVerb(label=_("Approve"), do=_approve, is_ours=True),
    "reopen": LegVerb(label=_("Not done"), do=_reopen, is_ours=True),
}
"""By the name in the law where the law has one, in the order of the buttons."""
OURS = {name: verb for name, verb in LEG_VERBS.items() if verb.do is not None}
GUEST = {verb.guest: verb for verb in LEG_VERBS.values() if verb.guest}
STATUSES = tuple(verb.status for verb in LEG_VERBS.values() if verb.status)
"""What a vendor's status can mean for its engagement."""
WITH_CODE = frozenset(name for name, verb in OURS.items() if verb.takes_code)

_GUEST_AT: dict[str, tuple[str, ...]] = {
    Stage.OFFERED: ("accept", "decline", "ask", "resolve", "note"),
    Stage.ACCEPTED: ("resolve", "ask", "note", "return"),
    Stage.WORKING: ("resolve", "ask", "note", "return"),
    Stage.WAITING: ("resume", "resolve", "note", "return"),
}


def possible(leg: Leg, *, has_system: bool) -> list[str]:
    """What our people can do with it now; where the organisation has a system of its own, it acts there."""
    if leg.ticket.phase in (Phase.CLOSED, Phase.CANCELLED):
        return []
    return [name for name, verb in OURS.items() if (verb.is_ours or not has_system) and _is_possible(leg, name)]


def _is_possible(leg: Leg, name: str) -> bool:
    if name == "approve":
        return leg.stage == Stage.DONE and leg.approved_at is None
    if name == "lead":
        return leg.is_open and not leg.is_lead
    return not transitions.why_not(leg, name)


def possible_for_guest(leg: Leg) -> list[str]:
    """What can be done on its guest link now, by the names there."""
    return list(_GUEST_AT.get(leg.stage, ()))


def act(leg: Leg, name: str, given: Given) -> Leg:
    """Do what one of our buttons says; HandoffRefused or MoveRefused where that is not possible."""
    verb = OURS[name]
    assert verb.do is not None
    done = verb.do(leg, given)
    if given.reason.strip() and not verb.takes_reason:
        comments.comment(ticket=leg.ticket, body=given.reason, legs=[leg], actor=given.actor, at=given.at)
    return done
