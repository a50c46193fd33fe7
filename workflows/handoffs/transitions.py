"""A leg's turn: read under its ticket's lock, asked of the law, changed, saved, recorded, answered by policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django_fsm import can_proceed

from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import EventKind, Leg, Ticket
from workflows.lifecycle import transitions
from workflows.rules import execution


class HandoffRefused(Exception):
    """The hand-off is not possible now; the message says why, in words for a person."""


class When(NamedTuple):
    """When and from where something came, as every verb here hands it on."""

    actor: Actor
    at: datetime
    occurred_at: datetime | None = None
    origin: str = ""


_forced: ContextVar[bool] = ContextVar("forced", default=False)


@contextmanager
def taking_their_word() -> Iterator[None]:
    """What a vendor did counts whatever the policy's guards say; the law holds all the same."""
    token = _forced.set(True)
    try:
        yield
    finally:
        _forced.reset(token)


def why_not(leg: Leg, verb: str) -> str:
    """Why this transition is refused now, in a sentence; empty where the law allows it."""
    return "" if can_proceed(getattr(leg, verb)) else refusal(leg, verb)


def refusal(leg: Leg, verb: str) -> str:
    return _("The leg of %(name)s is %(stage)s; “%(verb)s” is not possible from there.") % {
        "name": leg.organisation,
        "stage": leg.get_stage_display(),
        "verb": verb.replace("_", " "),
    }


def change_stage(
    leg: Leg,
    verb: str,
    when: When,
    change: Callable[[Leg], object],
    kind: EventKind,
    *,
    more: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> Leg:
    leg = locked(leg)
    if why := why_not(leg, verb):
        raise HandoffRefused(why)
    change(leg)
    leg.save()
    if when.occurred_at is not None and when.occurred_at < leg.offered_at:
        # Nobody acts on what was not offered yet: their clock is slow, and the fold would miss the event.
        when = when._replace(occurred_at=leg.offered_at)
    record(leg, kind, when, more=more, texts=texts)
    return leg


def locked(leg: Leg) -> Leg:
    """The leg read again under the ticket's lock; its ticket is the locked one."""
    ticket = tickets.locked(Ticket(pk=leg.ticket_id))
    found = Leg.objects.select_related("organisation").get(pk=leg.pk)
    found.ticket = ticket
    return found


def record(
    leg: Leg,
    kind: EventKind,
    when: When,
    *,
    more: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Record an event of the leg; its ticket is locked and as fresh as that."""
    history.record(
        ticket=leg.ticket,
        kind=kind,
        payload={"leg": leg.public_id, "organisation": leg.organisation.public_id, **(more or {})},
        texts={name: text for name, text in (texts or {}).items() if text},
        actor=when.actor,
        at=when.at,
        occurred_at=when.occurred_at,
        origin=when.origin,
    )


def rolled_up(leg: Leg, did: str, when: When) -> None:
    """The ticket follows its leading leg: as policy says, else as the law does by itself."""
    if not answered(leg, did, when) and leg.is_lead:
        transitions.roll_up(
            ticket=leg.ticket, actor=when.actor, at=when.at, occurred_at=when.occurred_at, origin=when.origin
        )


def answered(leg: Leg, did: str, when: When) -> bool:
    """Whether policy has an answer to what became of a leg; MoveRefused where its answer is no."""
    return execution.vendor_did(
        leg=leg,
        did=did,
        actor=when.actor,
        at=when.at,
        occurred_at=when.occurred_at,
        origin=when.origin,
        is_forced=_forced.get(),
    )
