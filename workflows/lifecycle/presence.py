"""Who else of us has a ticket open, so that two people do not answer at the same time."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone

from hub.core.rows import insert_once
from hub.models import Ticket, User
from workflows.models import Presence

EVERY_SECONDS = 10
"""How often an open page says so."""
HERE = timedelta(seconds=25)
"""After this time without a word, the page was closed."""
KEPT = timedelta(hours=1)
MOST = 8


class Other(NamedTuple):
    """Somebody else who has the ticket open."""

    name: str
    is_writing: bool


def seen(*, ticket: Ticket, user: User, is_writing: bool) -> None:
    """Note that this person has the ticket open, and is writing on it."""
    at = timezone.now()
    values = {"seen_at": at, "writing_at": at if is_writing else None}
    if not Presence.objects.filter(ticket=ticket, user=user).update(**values):
        Presence.objects.filter(user=user, seen_at__lt=at - KEPT).delete()
        insert_once([Presence(ticket=ticket, user=user, **values)])


def others(*, ticket: Ticket, user: User) -> list[Other]:
    """Who else has the ticket open, those who write first, then by name; at most `MOST`."""
    rows = Presence.objects.filter(ticket=ticket, seen_at__gt=timezone.now() - HERE, user__is_active=True)
    names = rows.exclude(user=user).order_by("user__name", "pk").values_list("user__name", "writing_at")[:MOST]
    return sorted((Other(name, writing_at is not None) for name, writing_at in names), key=lambda each: not each[1])
