"""Undoing what a person has just done.

The action is recorded at once; what it sends is held for a few seconds. Undoing appends an event that names the events
of the action, so that ledger and clocks no longer count them, restores the earlier values, and drops what was to be
sent. If nobody undoes the action, its window closes and everything is sent (docs/decisions/0057).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import models, transaction
from django.db.models import QuerySet

from hub.core.clock import system
from hub.core.ids import new_ulid
from hub.core.sentences import sentence
from hub.domain import history, holding, tickets
from hub.domain.actors import Actor
from hub.models import (
    ActorKind,
    Checkpoint,
    Event,
    EventKind,
    FailedReceiver,
    Leg,
    Message,
    Ticket,
    UndoWindow,
    User,
)
from hub.models.event import undone_by
from hub.translation import Refusal

SECONDS = 10
"""How long an action can be undone."""
UNDOABLE = frozenset(
    {
        EventKind.TICKET_EDITED,
        EventKind.PRIORITY_CHANGED,
        EventKind.TICKET_MOVED,
        EventKind.STATUS_CHANGED,
        EventKind.TICKET_ASSIGNED,
        EventKind.LEG_OFFERED,
        EventKind.LEG_DELIVERED,
        EventKind.LEG_ACCEPTED,
        EventKind.LEG_STARTED,
        EventKind.LEG_WAITING,
        EventKind.LEG_RESUMED,
        EventKind.LEG_REOPENED,
        EventKind.LEG_LEADS,
        EventKind.LEG_DONE,
        EventKind.LEG_DECLINED,
        EventKind.LEG_RECALLED,
        EventKind.LEG_RETURNED,
        EventKind.MESSAGE_ADDED,
        EventKind.ATTACHMENT_ADDED,
        EventKind.RULE_ACTED,
    }
)
"""An action can be undone if it recorded only events of these kinds, and on one ticket only."""
BESIDE = frozenset({EventKind.MESSAGE_ADDED, EventKind.ATTACHMENT_ADDED, EventKind.TASK_ADDED, EventKind.TASK_DONE})
"""Later events of these kinds do not keep an earlier action from being undone: they do not build on it."""
_OWN = frozenset(
    {"id", "public_id", "number", "last_seq", "chain_head", "changed_at", "opened_at", "is_indexed"}
    | {"holder_id", "held_since", "hold_reason"}
)
"""Columns of a ticket that no action changes by itself, or that follow from the events."""


class CannotUndo(Refusal):
    """The action can no longer be undone; the message says why."""


class Closing(NamedTuple):
    """A window that closes: what it held is sent."""

    window: str
    ticket: Ticket
    events: Sequence[Event]
    """What the action recorded."""
    at: datetime
    """When the window closed, in the time of the record."""
    until_at: datetime
    """Until when what the action sends was held; system time."""
    is_early: bool
    """Whether somebody asked to send it now."""


@dataclass(frozen=True)
class Keeper:
    """Who holds what an action sends: one for each kind of row that carries the mark of a window."""

    hold: Callable[[Sequence[UndoWindow], datetime], None]
    """Sets until when the rows of these windows wait; system time."""
    drop: Callable[[UndoWindow, Sequence[Leg]], None]
    """Deletes what waits for this window, given the engagements that are deleted; CannotUndo if it was sent."""
    let_go: Callable[[Closing], None]
    """Removes the mark; what was held is sent as usual from now on, or at once if the closing is early."""


_keepers: list[Keeper] = []


def register(keeper: Keeper) -> None:
    """Register a keeper; called once, when its app is ready."""
    _keepers.append(keeper)


def digest_of(session: str) -> str:
    """The digest of a session's key, as stored in a window."""
    return hashlib.sha256(f"undo\x1f{session}".encode()).hexdigest()


@contextmanager
def window(
    *, ticket: Ticket, user: User, session: str, at: datetime, action: str = "", seconds: float | None = None
) -> Iterator[UndoWindow]:
    """Carry out an action so that it can be undone, in one transaction.

    After the block, the window has a primary key if there is something to undo. `session` is the digest of a session's
    key (`digest_of`); `action` joins the windows of a bulk action. The window stays open for `SECONDS`, or for the
    given `seconds`.
    """
    with transaction.atomic():
        locked = tickets.locked(ticket)
        row = UndoWindow(
            action=action or new_ulid(),
            ticket=locked,
            user=user,
            session=session,
            first_seq=locked.last_seq + 1,
            made_at=at,
            until_at=system() + timedelta(seconds=SECONDS if seconds is None else seconds),
        )
        before = _values(locked.pk)
        with holding.holding(holding.Held(row.public_id, locked.pk, row.until_at)) as held:
            yield row
        _keep(row, before, held)


def _keep(row: UndoWindow, before: _Values, held: holding.Held) -> None:
    """Store the window of an action that was carried out, or let its effects go if it cannot be undone."""
    ticket = tickets.locked(row.ticket)
    row.ticket, row.last_seq, row.sends = ticket, ticket.last_seq, held.sends
    row.before = _changed(before, _values(ticket.pk))
    events = list(_events(row))
    kinds = {event.kind for event in events}
    if kinds and kinds <= UNDOABLE and held.touched == {ticket.pk}:
        row.save()
    else:
        # Not before what was recorded last, or it would be sent before it was done.
        _let_go(row, at=max([row.made_at, *(event.recorded_at for event in events)]), is_early=True)


def _events(row: UndoWindow) -> QuerySet[Event]:
    return Event.objects.filter(ticket=row.ticket_id, seq__gte=row.first_seq, seq__lte=row.last_seq).order_by("seq")


# -- undoing


class Undone(NamedTuple):
    """What became of undoing an action."""

    done: Sequence[Ticket]
    refused: Sequence[tuple[Ticket, str]]
    """The tickets on which it could not be undone, each with the reason."""


def undo(*, action: str, user: User, session: str, at: datetime) -> Undone:
    """Undo an action of this person in this session, ticket by ticket. CannotUndo if no window is open any more."""
    rows = list(of(action=action, user=user, session=session))
    if not rows:
        raise CannotUndo(sentence("This can no longer be undone."))
    done, refused = [], []
    for row in rows:
        try:
            done.append(_undo(row, user, at))
        except CannotUndo as error:
            refused.append((row.ticket, str(error.args[0])))
    return Undone(done, refused)


def of(*, action: str, user: User, session: str) -> QuerySet[UndoWindow]:
    """The windows of an action that this person can undo in this session."""
    rows = UndoWindow.objects.filter(action=action, user=user, session=session, until_at__gt=system())
    return rows.select_related("ticket").order_by("ticket__number")


@transaction.atomic
def _undo(row: UndoWindow, user: User, at: datetime) -> Ticket:
    ticket = tickets.locked(row.ticket)
    if not UndoWindow.objects.filter(pk=row.pk, until_at__gt=system()).exists():
        raise CannotUndo(sentence("This can no longer be undone."))
    events = list(_events(row))
    _refuse_if_others_built_on_it(row, ticket, events)
    fresh = list(Leg.objects.filter(ticket=ticket, public_id__in=_offered(events)))
    for keeper in _keepers:
        keeper.drop(row, fresh)
    Leg.objects.filter(pk__in=[leg.pk for leg in fresh]).delete()
    _restore(row.before, ticket.pk)
    _take_back_messages(events, at)
    Checkpoint.objects.filter(ticket=ticket).delete()
    UndoWindow.objects.filter(pk=row.pk).delete()
    # What failed because of the action must not be tried again.
    FailedReceiver.objects.filter(event__in=events, done_at=None).update(done_at=system(), next_attempt_at=None)
    ticket = tickets.locked(ticket)
    history.record(
        ticket=ticket,
        kind=EventKind.ACTION_UNDONE,
        payload={"events": [event.seq for event in events], "kinds": [str(event.kind) for event in events]},
        actor=Actor.person(user),
        at=at,
    )
    return ticket


def _refuse_if_others_built_on_it(row: UndoWindow, ticket: Ticket, events: Sequence[Event]) -> None:
    """Raise CannotUndo if something else has happened on the ticket since, other than messages."""
    later = list(Event.objects.filter(ticket=ticket, seq__gt=row.last_seq).order_by("seq"))
    gone = undone_by(later)
    touched = {event.payload.get("leg") for event in events}
    for event in later:
        if _is_sent_meanwhile(event, touched):
            continue
        if event.seq not in gone and event.kind not in BESIDE | {EventKind.ACTION_UNDONE}:
            raise CannotUndo(
                sentence(
                    "%(label)s has changed since (%(what)s), so this can no longer be undone.",
                    label=ticket.label,
                    what=event.get_kind_display(),
                )
            )


def _is_sent_meanwhile(event: Event, touched: Set[str | None]) -> bool:
    """Whether the event only says that an earlier action was sent, to engagements that the later one did not touch."""
    if event.kind == EventKind.ACTION_SENT:
        return touched.isdisjoint(event.payload["legs"])
    is_by_itself = event.kind == EventKind.LEG_DELIVERED and event.actor_kind == ActorKind.SYSTEM
    return is_by_itself and event.payload["leg"] not in touched


def _offered(events: Sequence[Event]) -> list[str]:
    return [event.payload["leg"] for event in events if event.kind == EventKind.LEG_OFFERED]


def _take_back_messages(events: Sequence[Event], at: datetime) -> None:
    """Nobody else may read the messages of the action any more; for us they stay in the record, as withdrawn."""
    ids = [event.payload["message"] for event in events if event.kind == EventKind.MESSAGE_ADDED]
    rows = Message.objects.filter(public_id__in=ids)
    Message.legs.through.objects.filter(message__in=rows).delete()
    rows.update(withdrawn_at=at, is_for_requester=False, is_for_later_legs=False)


# -- closing


def waiting() -> QuerySet[UndoWindow]:
    """The windows whose time is over."""
    return UndoWindow.objects.filter(until_at__lte=system())


def due(*, limit: int = 100) -> list[int]:
    """Primary keys of the windows to close now."""
    return list(waiting().order_by("until_at", "pk").values_list("pk", flat=True)[:limit])


@transaction.atomic
def close(*, window_id: int, at: datetime, is_early: bool = False) -> bool:
    """Close a window: the action stands, and what it held is sent. False if it is closed or undone already."""
    row = UndoWindow.objects.select_related("ticket").filter(pk=window_id).first()
    if row is None:
        return False
    row.ticket = tickets.locked(row.ticket)
    if not UndoWindow.objects.filter(pk=window_id).delete()[0]:
        return False
    _let_go(row, at=at, is_early=is_early)
    return True


@transaction.atomic
def hold_until(*, action: str, until: datetime) -> None:
    """Set until when an action can be undone: a bulk action, once all its tickets are done. System time."""
    rows = UndoWindow.objects.filter(action=action).select_for_update(of=("self",))
    windows = list(rows.select_related("ticket").order_by("pk"))
    for keeper in _keepers:
        keeper.hold(windows, until)
    UndoWindow.objects.filter(pk__in=[window.pk for window in windows]).update(until_at=until)


def send_now(*, action: str, user: User, session: str, at: datetime) -> int:
    """Close the windows of an action at once. Returns how many were open."""
    rows = of(action=action, user=user, session=session).values_list("pk", flat=True)
    return sum(close(window_id=pk, at=at, is_early=True) for pk in rows)


def _let_go(row: UndoWindow, *, at: datetime, is_early: bool) -> None:
    """Send what the window held. The time until it closed is charged to whoever acted, not to transport."""
    closed_at = at if is_early else min(at, row.until_at)
    events = list(_events(row))
    held = [event.payload["leg"] for event in events if event.payload.get("is_held")]
    if held:
        history.record(
            ticket=row.ticket,
            kind=EventKind.ACTION_SENT,
            payload={"legs": held},
            actor=Actor.system("undo"),
            at=at,
            occurred_at=closed_at,
        )
    closing = Closing(row.public_id, row.ticket, events, closed_at, row.until_at, is_early)
    for keeper in _keepers:
        keeper.let_go(closing)


# -- earlier values

_Values = Mapping[str, Any]


def _values(ticket_id: int) -> _Values:
    """The columns that an action can change, of the ticket and of each engagement, as plain JSON."""
    ticket = Ticket.objects.filter(pk=ticket_id).values(*_columns(Ticket)).get()
    legs = Leg.objects.filter(ticket=ticket_id).values("pk", *_columns(Leg))
    return {"ticket": _plain(ticket), "legs": {str(leg.pop("pk")): _plain(leg) for leg in legs}}


def _columns(model: type[models.Model]) -> list[str]:
    columns = [field.attname for field in model._meta.concrete_fields]
    return [name for name in columns if name not in _OWN and not (model is Leg and name == "ticket_id")]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _changed(before: _Values, after: _Values) -> dict[str, Any]:
    """The earlier values of what is different now; engagements that are new are left out."""

    def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in old.items() if value != new[name]}

    legs = {pk: differing(old, after["legs"][pk]) for pk, old in before["legs"].items()}
    return {
        "ticket": differing(before["ticket"], after["ticket"]),
        "legs": {pk: values for pk, values in legs.items() if values},
    }


def _restore(before: _Values, ticket_id: int) -> None:
    """Write the earlier values. Phases and stages are restored as well: this is no transition (docs/decisions/0057)."""
    if before["ticket"]:
        Ticket.objects.filter(pk=ticket_id).update(**_python(Ticket, before["ticket"]))
    for pk, values in sorted(before["legs"].items(), key=lambda item: bool(item[1].get("is_lead"))):
        Leg.objects.filter(pk=pk, ticket=ticket_id).update(**_python(Leg, values))


def _python(model: type[models.Model], values: Mapping[str, Any]) -> dict[str, Any]:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return {name: fields[name].to_python(value) for name, value in values.items()}
