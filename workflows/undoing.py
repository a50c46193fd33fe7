"""Notices and rules of an action wait until the action can no longer be undone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from hub.core import wakeups
from hub.core.sentences import sentence
from hub.domain import undo
from hub.domain.undo import CannotUndo, Closing
from hub.models import Leg, UndoWindow
from workflows.models import FailedAction, Notice, Pending


def _hold(windows: Sequence[UndoWindow], until: datetime) -> None:
    """Notices that are due later for another reason, such as quiet hours, stay as they are."""
    for window in windows:
        notices = Notice.objects.filter(undo_window=window.public_id, state=Notice.State.READY)
        notices.filter(due_at__lte=window.until_at).update(due_at=until)


def _drop(window: UndoWindow, _fresh: Sequence[Leg]) -> None:
    """Delete the notices and the scheduled rules of the action."""
    notices = Notice.objects.filter(undo_window=window.public_id)
    waiting = notices.filter(state__in=[Notice.State.READY, Notice.State.HELD], lease_until=None)
    # Locked first: a notice that a worker takes meanwhile must not be deleted.
    Notice.objects.filter(pk__in=[row.pk for row in waiting.select_for_update(of=("self",))]).delete()
    if notices.exists():
        raise CannotUndo(sentence("Somebody has already been notified, so this can no longer be undone."))
    Pending.objects.filter(undo_window=window.public_id).delete()
    FailedAction.objects.filter(ticket=window.ticket, at__gte=window.made_at, resolved_at=None).delete()


def _let_go(closing: Closing) -> None:
    now = {"due_at": timezone.now()} if closing.is_early else {}
    notices = Notice.objects.filter(undo_window=closing.window)
    notices.filter(state=Notice.State.READY, due_at__lte=closing.until_at).update(undo_window="", **now)
    notices.update(undo_window="")
    Pending.objects.filter(undo_window=closing.window).update(undo_window="")
    wakeups.wake()


undo.register(undo.Keeper(hold=_hold, drop=_drop, let_go=_let_go))
