"""The timed jobs of the record: breaches of clocks, retries of failed receivers, and the search index."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from hub.core.clock import now
from hub.core.jobs import TimedJob, register
from hub.domain import due_clocks, signals, undo
from hub.search import indexing

register(
    TimedJob(
        name="fire",
        by_time=True,
        label=_("Breaches to record"),
        since="next_fire_at",
        clock=now,
        waiting=lambda: due_clocks.waiting(at=now()),
        due=lambda: [0] if due_clocks.waiting(at=now()).exists() else [],
        run=lambda _pk: due_clocks.fire(at=now()),
    ),
    TimedJob(
        name="react",
        label=_("Failed receivers to retry"),
        since="next_attempt_at",
        waiting=signals.waiting,
        due=lambda: [0] if signals.waiting().exists() else [],
        run=lambda _pk: signals.retry_failed_receivers(),
    ),
    TimedJob(
        name="index",
        by_time=True,  # once a second, for all tickets together
        label=_("Texts to index"),
        since="changed_at",
        clock=now,
        waiting=indexing.waiting,
        due=lambda: [0] if indexing.waiting().exists() else [],
        run=lambda _pk: indexing.index_for_a_while(),
    ),
    TimedJob(
        name="undo",
        by_time=True,
        label=_("Actions that can no longer be undone"),
        since="until_at",
        waiting=undo.waiting,
        due=undo.due,
        run=lambda pk: undo.close(window_id=pk, at=now()),
    ),
)
