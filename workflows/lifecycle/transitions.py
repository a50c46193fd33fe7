"""The only way to change a ticket's phase: lock, check the law, save, record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django_fsm import can_proceed

from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, EventKind, Leg, Phase, Stage, State, Ticket, WaitsOn
from workflows.lifecycle import triage


class MoveRefused(Exception):
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
) -> Ticket:
    """Carry out one transition of the law. MoveRefused if it is not allowed.

    The ticket gets `status`, or else the initial status of the phase in its version. `rule` is the policy's transition
    that led here, if any. People, the API and vendors go through `workflows.rules.execution`, which checks policy.
    """
    ticket = tickets.locked(ticket)
    refusal = why_not(ticket, name, at=at)
    if refusal:
        raise MoveRefused(refusal)
    before = str(ticket.phase)
    status = status or tickets.state_of(ticket, MOVES[name].leads_to)
    _call(ticket, name, status=status, at=at)
    ticket.save(update_fields=["phase", "status", "resolved_at", "closed_at"])
    history.record(
        ticket=ticket,
        kind=EventKind.TICKET_MOVED,
        payload={
            "verb": name,
            "before": before,
            "after": str(ticket.phase),
            "status": status.slug,
            "reason": reason,
            "waits_on": (status.wait_reason or str(WaitsOn.REQUESTER)) if ticket.phase == Phase.WAITING else "",
            **({"rule": rule} if rule else {}),
        },
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=origin,
    )
    if not ticket.is_open:
        ticket = triage.ended(ticket=ticket, actor=actor, at=at)
    return ticket


def _call(ticket: Ticket, name: str, *, status: State, at: datetime) -> None:
    calls: dict[str, Callable[[], object]] = {
        "activate": lambda: ticket.activate(status=status),
        "wait": lambda: ticket.wait(status=status),
        "resolve": lambda: ticket.resolve(status=status, at=at),
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
    if name not in MOVES:
        return _("There is no transition called “%(name)s”.") % {"name": name}
    if ticket.is_history:
        return _("%(label)s is imported history and cannot be changed.") % {"label": ticket.label}
    if not can_proceed(getattr(ticket, name)):
        return _("%(label)s is %(phase)s; “%(move)s” is not possible from there.") % {
            "label": ticket.label,
            "phase": ticket.get_phase_display(),
            "move": MOVES[name].label,
        }
    if name == "reopen" and not ticket.may_reopen(at):
        return _("%(label)s was closed too long ago to be reopened; open a new ticket that refers to it.") % {
            "label": ticket.label
        }
    if name in ("resolve", "cancel"):
        return _open_legs(ticket, legs, is_only_blocking=name == "resolve")
    return ""


def _open_legs(ticket: Ticket, legs: Sequence[Leg] | None, *, is_only_blocking: bool) -> str:
    if legs is None:
        rows = Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).select_related("organisation")
        legs = list(rows.order_by("number"))
    names = ", ".join(str(leg.organisation) for leg in legs if leg.is_blocking or not is_only_blocking)
    return (
        _("Still open: the engagement of %(names)s. Recall it or wait until it is done.") % {"names": names}
        if names
        else ""
    )


def roll_up(
    *,
    ticket: Ticket,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
) -> None:
    """Let the ticket follow its leading engagement: working makes it active, waiting on the requester makes it wait.

    No change if the ticket is there already. This never resolves a ticket.
    """
    ticket = tickets.locked(ticket)
    lead = Leg.objects.filter(ticket=ticket, is_lead=True).first()
    if lead is None or not ticket.is_open:
        return
    name = _verb_to_follow(lead, ticket)
    if name:
        move(ticket=ticket, name=name, actor=actor, at=at, occurred_at=occurred_at, origin=origin)


def _verb_to_follow(lead: Leg, ticket: Ticket) -> str:
    """The transition that takes the ticket to where its leading engagement is; empty if it is there already."""
    if lead.stage == Stage.WAITING and lead.waits_on == WaitsOn.REQUESTER:
        return "wait" if ticket.phase != Phase.WAITING else ""
    is_under_way = lead.stage in (Stage.ACCEPTED, Stage.WORKING, Stage.WAITING)
    if is_under_way and ticket.phase != Phase.ACTIVE:
        return "activate"
    return "activate" if lead.stage == Stage.DONE and ticket.phase == Phase.WAITING else ""
