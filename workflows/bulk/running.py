"""Running bulk actions: a rehearsal that changes nothing, and one ticket after the other, each with its result."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from hub.core import wakeups
from hub.core.clock import system
from hub.core.sentences import sentence
from hub.domain import undo
from hub.models import Ticket, User
from hub.queries import permissions
from hub.translation import Refusal
from workflows.bulk.verbs import VERBS, Given
from workflows.models import BulkAction, BulkItem

log = logging.getLogger(__name__)

MOST = 1000
"""The most tickets of one bulk action."""
AT_ONCE = 50
"""Up to so many tickets are changed while the page loads; more in the background."""
AT_ONCE_SECONDS = 1.0
"""After this time, other work gets its turn."""
LONGEST_SECONDS = 600.0
"""So long, what is sent waits at most for the other tickets of the action."""
State = BulkItem.State


class Result(NamedTuple):
    """What became of the action on one ticket."""

    is_done: bool
    why: str = ""
    """Why it was refused, or what of it failed although it was done."""


def rehearse(*, verb: str, given: Given, tickets: Iterable[Ticket], user: User, at: datetime) -> dict[int, Result]:
    """What would become of the action, by ticket. Nothing is changed."""
    found = {}
    for ticket in tickets:
        with transaction.atomic():
            found[ticket.pk] = _tried(ticket, verb, given, user, at)
            transaction.set_rollback(True)
    return found


@transaction.atomic
def start(
    *, verb: str, given: Given, tickets: Sequence[Ticket], user: User, at: datetime, once: str = "", session: str = ""
) -> BulkAction:
    """Queue the action for these tickets. NotAllowed for people who do not work for us, ValueError for too many.

    `once` is the public id of the action: a second call with it, as after a double click, returns the first action.
    `session` is the digest of the session that can undo the action (`undo.digest_of`).
    """
    if not permissions.may_work(user):
        raise permissions.NotAllowed
    if len(tickets) > MOST or verb not in VERBS:
        raise ValueError(verb)
    fields = {"verb": verb, "given": dict(given), "user": user, "started_at": at, "session": session}
    if once:
        action, is_new = BulkAction.objects.get_or_create(public_id=once, defaults=fields)
        if not is_new:
            return action
    else:
        action = BulkAction.objects.create(**fields)
    BulkItem.objects.bulk_create(BulkItem(action=action, ticket=ticket, waiting_since=at) for ticket in tickets)
    wakeups.wake()
    return action


def waiting() -> QuerySet[BulkItem]:
    """Items without a result."""
    return BulkItem.objects.filter(waiting_since__isnull=False)


def due() -> list[int]:
    """Keys of actions with items that wait."""
    return list(dict.fromkeys(waiting().order_by("waiting_since", "pk").values_list("action_id", flat=True)[:200]))


def run(*, action_id: int, at: datetime, seconds: float = AT_ONCE_SECONDS) -> int:
    """Process the action's items for so long; returns how many. Several workers share them."""
    began, done = time.monotonic(), 0
    while time.monotonic() - began < seconds and _run_next(action_id, at):
        done += 1
    return done


@transaction.atomic
def _run_next(action_id: int, at: datetime) -> bool:
    """Process one item, if any waits. The result is stored with what it changed, so a crash repeats nothing."""
    rows = waiting().filter(action=action_id).select_for_update(of=("self",), skip_locked=True)
    item = rows.select_related("action__user", "ticket").order_by("pk").first()
    if item is None:
        return False
    action = item.action
    result = _tried(item.ticket, action.verb, action.given, action.user, at, _undoable(action, item.ticket, at))
    item.why, item.waiting_since = result.why, None
    item.state = State.DONE if result.is_done else State.REFUSED
    item.save(update_fields=["why", "state", "waiting_since"])
    if action.session and _is_last(action):
        undo.hold_until(action=action.public_id, until=system() + timedelta(seconds=undo.SECONDS))
    return True


def _is_last(action: BulkAction) -> bool:
    """Whether no item waits. Workers that finish the last items at the same time ask one after the other."""
    BulkAction.objects.select_for_update().get(pk=action.pk)
    return not waiting().filter(action=action).exists()


def _undoable(action: BulkAction, ticket: Ticket, at: datetime) -> AbstractContextManager[object]:
    """The undo window of one ticket. It stays open until the whole action is done, and `undo.SECONDS` longer."""
    if not action.session or not VERBS[action.verb].can_undo:
        return nullcontext()
    return undo.window(
        ticket=ticket,
        user=action.user,
        session=action.session,
        at=at,
        action=action.public_id,
        seconds=LONGEST_SECONDS,
    )


def _tried(
    ticket: Ticket,
    verb: str,
    given: Given,
    user: User,
    at: datetime,
    undoable: AbstractContextManager[object] | None = None,
) -> Result:
    if not user.is_active or not permissions.may_work(user):
        return Result(False, sentence("%(name)s may no longer work on tickets.", name=str(user)))
    try:
        with transaction.atomic(), undoable or nullcontext():
            return Result(True, VERBS[verb].run(Ticket.objects.get(pk=ticket.pk), given, user, at))
    except Refusal as refused:
        return Result(False, refused.args[0] if refused.args else str(refused))
    except (OperationalError, InterfaceError):
        raise  # the database is away, or two transactions waited for each other: the ticket waits on
    except Exception:  # last resort: one ticket must not keep the others from being changed
        log.exception("The bulk action %s failed on %s", verb, ticket.label)
        return Result(False, sentence("An unexpected error occurred. It has been logged."))
