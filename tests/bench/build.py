"""The names that benches need, in this build and in 602caa8, with which it is compared (`tests.bench.before`)."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from typing import Any

IS_BEFORE = find_spec("connectors.engine.outbound") is None
"""Whether this is 602caa8."""

if IS_BEFORE:
    from connectors.autotask.wire import signature

    from connectors.engine import dispatcher, sending
    from connectors.engine import inbox as reading
    from hub.domain import clocks
    from workflows import conversations as comments
    from workflows import firing
    from workflows import handoffs as engagements
    from workflows import handoffs as stages
    from workflows import moves as transitions
else:
    from connectors.autotask.webhooks import signature
    from connectors.engine.inbound import reading
    from connectors.engine.outbound import sending
    from hub.core import sessions
    from hub.domain import due_clocks
    from worker import dispatcher
    from workflows.handoffs import comments, engagements, stages
    from workflows.lifecycle import transitions
    from workflows.rules import execution as firing

__all__ = [
    "comments",
    "dispatcher",
    "engagements",
    "firing",
    "reading",
    "sending",
    "signature",
    "stages",
    "transitions",
]


def fire_due_clocks(at: datetime) -> None:
    """Store all breaches that are due."""
    if IS_BEFORE:
        while due := clocks.due_clocks(at=at):
            for pk in due:
                clocks.fire(clock_id=pk, at=at)
    else:
        while due_clocks.fire(at=at):
            pass


def give_back_session() -> None:
    """Give the database session back before a call to a vendor's system, as every connector's call does today."""
    if not IS_BEFORE:
        sessions.release()


def working_dispatcher(*, calls: int) -> Any:
    """A dispatcher as the worker starts it; before, its four threads also made the calls."""
    return dispatcher.Dispatcher(threads=4) if IS_BEFORE else dispatcher.Dispatcher(threads=4, calls=calls)
