"""The table of what can be done with an engagement: on our own pages, on guest links, and by a vendor's status.

A verb has a separate name in each of the three, because the names are stored in mappings and sent in links.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from hub.core.sentences import sentence
from hub.domain.actors import Actor
from hub.models import Leg, Phase, Stage
from workflows.handoffs import comments, engagements, returns, stages, transitions


class Given(NamedTuple):
    """Who uses the verb, when, and what was entered with it."""

    actor: Actor
    at: datetime
    reason: str = ""
    code: str = ""
    """One of `ReasonCode`, or empty."""
    is_shared: bool = True
    """Whether organisations that are engaged later receive the resolution."""


Do = Callable[[Leg, Given], Leg]


@dataclass(frozen=True, kw_only=True)
class LegVerb:
    """One thing that can be done with an engagement."""

    label: str | Promise = ""
    """The button on our own pages; empty if there is none."""
    do: Do | None = None
    """What that button does."""
    is_ours: bool = False
    """Whether we decide this even for an organisation that works in a system of its own."""
    takes_reason: bool = False
    """Whether the text entered is the reason; otherwise it is sent to the organisation as a message."""
    takes_message: bool = False
    """Whether our own pages offer a text, which is sent to the organisation as a message."""
    takes_code: bool = False
    """Whether a `ReasonCode` can be chosen."""
    guest: str = ""
    """The verb's name on a guest link; empty if it is not offered there."""
    guest_label: str | Promise = ""
    needs_text: bool = False
    """Whether a text is required on a guest link."""
    status: str = ""
    """The verb's name in a status mapping; empty if no vendor status means it."""


def _accept(leg: Leg, given: Given) -> Leg:
    """Accepting on our own page starts work as well."""
    accepted = stages.accept(leg=leg, actor=given.actor, at=given.at)
    return stages.start(leg=accepted, actor=given.actor, at=given.at)


def _start(leg: Leg, given: Given) -> Leg:
    return stages.start(leg=leg, actor=given.actor, at=given.at)


def _resume(leg: Leg, given: Given) -> Leg:
    return stages.resume(leg=leg, actor=given.actor, at=given.at)


def _finish(leg: Leg, given: Given) -> Leg:
    if not given.reason.strip():
        raise transitions.HandoffRefused(sentence("Enter what was done. Whoever works on this next will read it."))
    return stages.finish(leg=leg, resolution=given.reason, is_shared=given.is_shared, actor=given.actor, at=given.at)


def _decline(leg: Leg, given: Given) -> Leg:
    return returns.decline(leg=leg, reason=given.reason, code=given.code, actor=given.actor, at=given.at)


def _give_back(leg: Leg, given: Given) -> Leg:
    return returns.give_back(leg=leg, reason=given.reason, code=given.code, actor=given.actor, at=given.at)


def _lead(leg: Leg, given: Given) -> Leg:
    return engagements.give_lead(leg=leg, reason=given.reason, actor=given.actor, at=given.at)


def _recall(leg: Leg, given: Given) -> Leg:
    return engagements.recall(leg=leg, reason=given.reason, actor=given.actor, at=given.at)


def _approve(leg: Leg, given: Given) -> Leg:
    return stages.approve(leg=leg, actor=given.actor, at=given.at)


def _reopen(leg: Leg, given: Given) -> Leg:
    return stages.reopen(leg=leg, actor=given.actor, at=given.at)


LEG_VERBS: dict[str, LegVerb] = {
    "acknowledge": LegVerb(status="acknowledge"),
    "accept": LegVerb(label=_("Accept"), do=_accept, guest="accept", guest_label=_("Accept"), status="accept"),
    "start": LegVerb(label=_("Start"), do=_start, status="work"),
    "wait": LegVerb(guest="ask", guest_label=_("Ask a question and wait"), needs_text=True, status="wait"),
    "resume": LegVerb(label=_("Resume"), do=_resume, takes_message=True, guest="resume", guest_label=_("Resume work")),
    "finish": LegVerb(
        label=_("Mark as done"),
        do=_finish,
        takes_reason=True,
        guest="resolve",
        guest_label=_("Resolve"),
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
    "reopen": LegVerb(label=_("Reopen"), do=_reopen, is_ours=True, takes_message=True),
}
"""By the name of the transition in the law, if there is one; in the order of the buttons."""
OURS = {name: verb for name, verb in LEG_VERBS.items() if verb.do is not None}
GUEST = {verb.guest: verb for verb in LEG_VERBS.values() if verb.guest}
STATUSES = tuple(verb.status for verb in LEG_VERBS.values() if verb.status)
"""What a vendor's status can mean for the vendor's engagement."""
WITH_CODE = frozenset(name for name, verb in OURS.items() if verb.takes_code)

_GUEST_AT: dict[str, tuple[str, ...]] = {
    Stage.OFFERED: ("accept", "decline", "ask", "resolve", "note"),
    Stage.ACCEPTED: ("resolve", "ask", "note", "return"),
    Stage.WORKING: ("resolve", "ask", "note", "return"),
    Stage.WAITING: ("resume", "resolve", "note", "return"),
}


def possible(leg: Leg, *, has_system: bool) -> list[str]:
    """The verbs our people can use now. An organisation with a system of its own does its part there."""
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
    """The verbs that the engagement's guest link offers now, by their names there."""
    return list(_GUEST_AT.get(leg.stage, ()))


def act(leg: Leg, name: str, given: Given) -> Leg:
    """Use a verb of our own pages. HandoffRefused or MoveRefused if it is not possible now."""
    verb = OURS[name]
    assert verb.do is not None
    done = verb.do(leg, given)
    if given.reason.strip() and not verb.takes_reason:
        comments.comment(ticket=leg.ticket, body=given.reason, legs=[leg], actor=given.actor, at=given.at)
    return done
