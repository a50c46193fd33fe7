"""The offer to undo what somebody has just done: kept in the session, and shown at the foot of every page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from console.access import person
from hub.core.clock import now
from hub.domain import undo
from hub.models import Ticket

KEY = "undo"
"""The key in the session."""
KEPT = ("action", "what", "sends")
"""What the session keeps of an offer, besides when it ends."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What can be undone, and for how long."""

    action: str
    what: str
    milliseconds: int
    sends: bool
    """Whether anything waits to be sent."""


def session_of(request: HttpRequest) -> str:
    """The digest of the session's key; empty without a session."""
    key = request.session.session_key
    return undo.digest_of(key) if key else ""


@contextmanager
def undoable(request: HttpRequest, ticket: Ticket, what: str) -> Iterator[None]:
    """Carry out an action of the person in this session so that it can be undone, and offer that on the next page.

    `what` says in a sentence what was done.
    """
    session = session_of(request)
    if not session:
        yield
        return
    with undo.window(ticket=ticket, user=person(request), session=session, at=now()) as window:
        yield
    if window.pk is not None:
        offer(request, window.action, what, window.until_at.timestamp(), sends=window.sends)


def offer(request: HttpRequest, action: str, what: str, until: float, *, sends: bool = True) -> None:
    """Offer to undo an action until this time (Unix seconds), and to send at once what it `sends`."""
    request.session[KEY] = {"action": action, "what": what, "until": until, "sends": sends}


def withdraw(request: HttpRequest, action: str) -> None:
    """No longer offer to undo this action; a later one is still offered."""
    if request.session.get(KEY, {}).get("action") == action:
        del request.session[KEY]


def offered(request: HttpRequest) -> Mapping[str, Any]:
    """The context processor: ``undo_offer`` is what this session can undo now."""
    session = getattr(request, "session", None)
    kept = session.get(KEY) if session is not None and session.session_key else None
    if not kept:
        return {}
    left = kept["until"] - timezone.now().timestamp()
    if left <= 0:
        return {}
    return {"undo_offer": Offer(milliseconds=int(1000 * left), **{name: kept[name] for name in KEPT})}
