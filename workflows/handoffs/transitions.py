"""Changing an engagement's stage: lock the ticket, check the law, change, save, record, then apply policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Required, TypedDict, Unpack

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _lazy
from django_fsm import can_proceed

from hub.core import statements
from hub.core.rows import save
from hub.core.sentences import sentence
from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import EventKind, Leg, Ticket
from hub.translation import Refusal, localized
from workflows.lifecycle import transitions
from workflows.rules.execution import Execution, vendor_did

LABELS = {
    "accept": _lazy("Accept"),
    "start": _lazy("Start"),
    "work": _lazy("Start"),
    "wait": _lazy("Wait"),
    "resume": _lazy("Resume"),
    "finish": _lazy("Mark as done"),
    "decline": _lazy("Decline"),
    "give_back": _lazy("Return"),
    "recall": _lazy("Recall"),
    "reopen": _lazy("Reopen"),
}
"""What a refusal calls a transition of the law, or the meaning of a vendor's status."""


class HandoffRefused(Refusal):
    """The hand-off is not possible now; the message tells a person why."""


class Attribution(TypedDict, total=False):
    """Who changes an engagement, when, and from which system."""

    actor: Required[Actor]
    at: Required[datetime]
    occurred_at: datetime | None
    """When it happened in the vendor's system, if known; otherwise `at`."""
    origin: str
    """The public id of the connection the change came from; empty for a change made in the hub."""
    within: Execution | None
    """The execution that caused the change, if any."""


def executed(leg: Leg, **by: Unpack[Attribution]) -> Execution:
    """The execution of a change to an engagement, nested in the one that caused it, if any."""
    within = by.get("within")
    return Execution(
        ticket=leg.ticket,
        actor=by["actor"],
        at=by["at"],
        occurred_at=by.get("occurred_at"),
        origin=by.get("origin", ""),
        is_forced=within is not None and within.is_forced,
        depth=within.depth if within is not None else 0,
    )


def why_not(leg: Leg, verb: str) -> str:
    """Why this transition is refused now, as a sentence; empty if the law allows it."""
    return "" if can_proceed(getattr(leg, verb)) else refusal(leg, verb)


def refusal(leg: Leg, verb: str) -> str:
    """The sentence that refuses this transition, or this vendor status, because of the engagement's stage."""
    return localized(
        sentence(
            "The engagement of %(name)s is %(stage)s; “%(verb)s” is not possible in this stage.",
            name=leg.organisation,
            stage=leg.get_stage_display(),
            verb=LABELS.get(verb, verb),
        )
    )


def change_stage(
    leg: Leg,
    verb: str,
    execution: Execution,
    change: Callable[[Leg], object],
    kind: EventKind,
    *,
    more: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> Leg:
    """Make one transition of the law and record it as an event of this kind. HandoffRefused if it is not allowed.

    `change` calls the transition on the locked engagement; `more` and `texts` extend the event.
    """
    leg = locked(leg)
    if why := why_not(leg, verb):
        raise HandoffRefused(why)
    change(leg)
    save(leg, _CHANGED)
    if execution.occurred_at is not None and execution.occurred_at < leg.offered_at:
        # Nobody can act before the offer: the vendor's clock is slow, and the fold would miss the event.
        execution = replace(execution, occurred_at=leg.offered_at)
    record(leg, kind, execution, more=more, texts=texts)
    return leg


_CHANGED = [field.name for field in Leg._meta.concrete_fields if not field.primary_key]


def locked(leg: Leg) -> Leg:
    """The engagement, read again under the ticket's lock; `leg.ticket` is the locked row."""
    ticket = tickets.locked(Ticket(pk=leg.ticket_id))
    found = _with_organisation.one(leg.pk)
    found.ticket = ticket
    return found


@statements.select
def _with_organisation(leg_id: int) -> QuerySet[Leg]:
    return Leg.objects.select_related("organisation").filter(pk=leg_id)


def record(
    leg: Leg,
    kind: EventKind,
    execution: Execution,
    *,
    more: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Record an event of the engagement; its ticket must be locked."""
    history.record(
        ticket=leg.ticket,
        kind=kind,
        payload={"leg": leg.public_id, "organisation": leg.organisation.public_id, **(more or {})},
        texts={name: text for name, text in (texts or {}).items() if text},
        actor=execution.actor,
        at=execution.at,
        occurred_at=execution.occurred_at,
        origin=execution.origin,
    )


def rolled_up(leg: Leg, did: str, execution: Execution) -> None:
    """Let the ticket follow its leading engagement: by a rule of the workflow if there is one, otherwise by `roll_up`.

    `did` is what became of the engagement, as in `vendor_did`.
    """
    if not answered(leg, did, execution) and leg.is_lead:
        transitions.roll_up(
            ticket=leg.ticket,
            actor=execution.actor,
            at=execution.at,
            occurred_at=execution.occurred_at,
            origin=execution.origin,
        )


def answered(leg: Leg, did: str, execution: Execution) -> bool:
    """Whether a rule of the workflow reacted to the change of an engagement. MoveRefused if one forbids the change."""
    return vendor_did(leg, did, execution)
