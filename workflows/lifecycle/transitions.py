"""The only way to change a ticket's phase: lock, check the law, save, record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _lazy
from django_fsm import can_proceed

from hub.core import statements
from hub.core.sentences import sentence
from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import (
    OPEN_STAGES,
    EventKind,
    Leg,
    Phase,
    Resolution,
    Stage,
    State,
    Ticket,
    WaitsOn,
)
from hub.translation import Refusal, localized
from workflows.lifecycle import triage

NO_RESOLUTION = Resolution()
RESOLVED_BY = ("resolution", "resolution_code", "is_resolution_shared")
"""The fields of a ticket that say how it was resolved."""


class MoveRefused(Refusal):
    """The transition is not possible now; the message tells a person why."""


class Move(NamedTuple):
    """A transition of the law and the phase it leads to."""

    verb: str
    label: str | Promise
    leads_to: Phase


MOVES = {
    move.verb: move
    for move in (
        Move("activate", _lazy("Start work"), Phase.ACTIVE),
        Move("wait", _lazy("Wait for the requester"), Phase.WAITING),
        Move("resolve", _lazy("Resolve"), Phase.RESOLVED),
        Move("close", _lazy("Close"), Phase.CLOSED),
        Move("reopen", _lazy("Reopen"), Phase.ACTIVE),
        Move("cancel", _lazy("Cancel"), Phase.CANCELLED),
    )
}


@transaction.atomic
def move(
    *,
    ticket: Ticket,
    name: str,
    actor: Actor,
    at: datetime,
    reason: str = "",
    occurred_at: datetime | None = None,
    origin: str = "",
    status: State | None = None,
    rule: str = "",
    resolution: Resolution = NO_RESOLUTION,
) -> Ticket:
    """Carry out one transition of the law. MoveRefused if it is not allowed. `resolution` counts for “resolve” only.

    The ticket gets `status`, or else the initial status of the phase in its workflow version. `rule` is the workflow's
    transition that led here, if any. People and vendors go through `workflows.rules.execution`, which checks policy.
    """
    ticket = tickets.locked(ticket)
    refusal = why_not(ticket, name, at=at)
    if refusal:
        raise MoveRefused(refusal)
    before = str(ticket.phase)
    status = status or tickets.state_of(ticket, MOVES[name].leads_to)
    resolution = resolution if name == "resolve" else NO_RESOLUTION
    _call(ticket, name, status=status, at=at, resolution=resolution)
    _record(
        ticket,
        {"verb": name, "before": before, "reason": reason} | _reached(ticket, status, rule) | _how(resolution),
        resolution,
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=origin,
    )
    if not ticket.is_open:
        ticket = triage.ended(ticket=ticket, actor=actor, at=at)
    return ticket


def _record(ticket: Ticket, payload: dict[str, Any], resolution: Resolution, **by: Any) -> None:
    """Save the ticket and record the move; `by` says who moved it, when, and from which system."""
    more = RESOLVED_BY if payload["verb"] == "resolve" else ()
    history.record(
        ticket=ticket,
        kind=EventKind.TICKET_MOVED,
        payload=payload,
        texts={"resolution": resolution.text} if resolution.text else {},
        saving=["phase", "status", "resolved_at", "closed_at", *more],
        **by,
    )


def _reached(ticket: Ticket, status: State, rule: str) -> dict[str, str]:
    """The part of the event that says which phase and status the ticket has reached, who it waits for, and by what."""
    waits_on = status.wait_reason or str(WaitsOn.REQUESTER)
    facts = {
        "after": str(ticket.phase),
        "status": status.slug,
        "waits_on": waits_on if ticket.phase == Phase.WAITING else "",
    }
    return facts | {"rule": rule} if rule else facts


def _how(resolution: Resolution) -> dict[str, Any]:
    """The part of the event that says how the ticket was resolved."""
    facts: dict[str, Any] = {"code": resolution.code} if resolution.code else {}
    return facts if resolution.is_shared else facts | {"is_shared": 0}


def _call(ticket: Ticket, name: str, *, status: State, at: datetime, resolution: Resolution) -> None:
    calls: dict[str, Callable[[], object]] = {
        "activate": lambda: ticket.activate(status=status),
        "wait": lambda: ticket.wait(status=status),
        "resolve": lambda: ticket.resolve(status=status, at=at, resolution=resolution),
        "close": lambda: ticket.close(status=status, at=at),
        "reopen": lambda: ticket.reopen(status=status),
        "cancel": lambda: ticket.cancel(status=status, at=at),
    }
    calls[name]()


LAW: dict[tuple[str, str], str] = {
    ("new", "active"): "activate",
    ("waiting", "active"): "activate",
    ("new", "waiting"): "wait",
    ("active", "waiting"): "wait",
    ("new", "resolved"): "resolve",
    ("active", "resolved"): "resolve",
    ("waiting", "resolved"): "resolve",
    ("resolved", "closed"): "close",
    ("resolved", "active"): "reopen",
    ("closed", "active"): "reopen",
    ("new", "cancelled"): "cancel",
    ("active", "cancelled"): "cancel",
    ("waiting", "cancelled"): "cancel",
}
"""The transition of the law that leads from one phase to another; every other change is forbidden."""


def why_not(ticket: Ticket, name: str, *, at: datetime, legs: Sequence[Leg] | None = None) -> str:
    """Why this transition is refused now, as a sentence; empty if allowed. `legs`: the open ones, if known."""
    return localized(_refusal(ticket, name, at, legs))


def _refusal(ticket: Ticket, name: str, at: datetime, legs: Sequence[Leg] | None) -> str:
    label = ticket.label
    if name not in MOVES:
        return sentence("There is no transition called “%(name)s”.", name=name)
    if ticket.is_history:
        return sentence("%(label)s is imported history and cannot be changed.", label=label)
    if not can_proceed(getattr(ticket, name)):
        return sentence(
            "%(label)s is %(phase)s; “%(move)s” is not possible in this phase.",
            label=label,
            phase=ticket.get_phase_display(),
            move=MOVES[name].label,
        )
    if name == "reopen" and not ticket.may_reopen(at):
        return sentence(
            "%(label)s was closed too long ago to be reopened; open a new ticket that refers to it.", label=label
        )
    if name in ("resolve", "cancel"):
        return _open_legs(ticket, legs, is_only_blocking=name == "resolve")
    return ""


def _open_legs(ticket: Ticket, legs: Sequence[Leg] | None, *, is_only_blocking: bool) -> str:
    """The refusal that names the organisations still engaged; empty if there are none."""
    if legs is None:
        rows = Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).select_related("organisation")
        legs = list(rows.order_by("number"))
    names = ", ".join(str(leg.organisation) for leg in legs if leg.is_blocking or not is_only_blocking)
    if not names:
        return ""
    return sentence("Still open: the engagement of %(names)s. Recall it or wait until it is done.", names=names)


def roll_up(
    *,
    ticket: Ticket,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
) -> None:
    """Let the ticket follow its leading engagement: work makes it active, a wait for the requester makes it wait.

    No change if the ticket is in that phase already. This never resolves a ticket.
    """
    ticket = tickets.locked(ticket)
    lead = _leading.first(ticket.pk)
    if lead is None or not ticket.is_open:
        return
    name = _verb_to_follow(lead, ticket)
    if name:
        move(ticket=ticket, name=name, actor=actor, at=at, occurred_at=occurred_at, origin=origin)


@statements.select
def _leading(ticket_id: int) -> QuerySet[Leg]:
    return Leg.objects.filter(ticket=ticket_id, is_lead=True)


def _verb_to_follow(lead: Leg, ticket: Ticket) -> str:
    """The transition that brings the ticket into step with its leading engagement; empty if none is needed."""
    if lead.stage == Stage.WAITING and lead.waits_on == WaitsOn.REQUESTER:
        return "wait" if ticket.phase != Phase.WAITING else ""
    is_under_way = lead.stage in (Stage.ACCEPTED, Stage.WORKING, Stage.WAITING)
    if is_under_way and ticket.phase != Phase.ACTIVE:
        return "activate"
    return "activate" if lead.stage == Stage.DONE and ticket.phase == Phase.WAITING else ""
