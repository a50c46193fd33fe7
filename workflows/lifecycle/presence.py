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
"""A page not heard from for this long counts as closed."""
KEPT = timedelta(hours=1)
MOST, MOST_READ = 8, 100


class Other(NamedTuple):
    """Somebody else who has the ticket open."""

    name: str
    is_writing: bool


def seen(*, ticket: Ticket, user: User, is_writing: bool) -> None:
    """Note that this person has the ticket open, and is writing on it."""
    at = timezone.now()
    # A second page of the same person, on which nothing is written, does not end the writing on the first.
    values = {"seen_at": at, **({"writing_at": at} if is_writing else {})}
    if not Presence.objects.filter(ticket=ticket, user=user).update(**values):
        Presence.objects.filter(user=user, seen_at__lt=at - KEPT).delete()
        insert_once([Presence(ticket=ticket, user=user, **values)])


def others(*, ticket: Ticket, user: User) -> list[Other]:
    """Who else has the ticket open, those who write first, then by name; at most `MOST`."""
    since = timezone.now() - HERE
    rows = Presence.objects.filter(ticket=ticket, seen_at__gt=since, user__is_active=True).exclude(user=user)
    found = rows.order_by("user__name", "pk").values_list("user__name", "writing_at")[:MOST_READ]
    others = [Other(name, writing_at is not None and writing_at > since) for name, writing_at in found]
    return sorted(others, key=lambda each: not each.is_writing)[:MOST]
