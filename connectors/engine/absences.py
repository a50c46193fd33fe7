"""Many records that are not found at once: then not they are gone, but our user sees less.

A vendor that narrows the rights of our user answers "no such record" for each. That is one problem of the connection:
no link is quarantined for it, a person is told once, and the links go on by themselves when the records answer again.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from connectors.engine import health
from connectors.models import Connection, Link
from hub.models import OPEN_STAGES

WITHIN = timedelta(minutes=10)
FEWEST = 5
SHARE = 5
"""So many, and one of so many that were asked for within that time."""
LOOK_EVERY = timedelta(minutes=5)
"""While it lasts a missing record is asked for again at least so often."""


def is_sight_lost(connection_id: int) -> bool:
    """Whether missing records are the connection's problem now; begins it where they have become so many."""
    if Connection.objects.filter(pk=connection_id, sight_lost_at__isnull=False).exists():
        return True
    asked = _asked(connection_id).count()
    missing = _missing(connection_id)
    count = missing.count()
    if count < FEWEST or count * SHARE < asked:
        return False
    at = timezone.now()
    began = Connection.objects.filter(pk=connection_id, sight_lost_at=None).update(
        sight_lost_at=at,
        sight_lost_why=f"{count} of {asked} records that were asked for within {WITHIN.seconds // 60} minutes are not "
        "there for our user any more. Probably its rights there were narrowed: ask them to give them back. Everything "
        "goes on by itself when the records answer again. What was really deleted: recall its engagement.",
    )
    if began:
        missing.filter(state=Link.State.QUARANTINED).update(
            state=Link.State.ACTIVE, why="", is_dirty=True, next_look_at=at + LOOK_EVERY
        )
    return True


def is_there_again(connection_id: int) -> None:
    """A record that was missing is found: all others are asked for at once; where few are left, the problem is over."""
    lost = Connection.objects.filter(pk=connection_id, sight_lost_at__isnull=False)
    if not lost.exists():
        return
    others = Link.objects.filter(
        connection=connection_id, state=Link.State.ACTIVE, missing_since__isnull=False, leg__stage__in=OPEN_STAGES
    )
    others.update(is_dirty=True, next_look_at=None)
    if others.count() < FEWEST:
        others.update(missed=0, missing_since=None)
        lost.update(sight_lost_at=None, sight_lost_why="")


def look_after(link: Link) -> timedelta:
    """How long a record that was not found is left alone."""
    wait = health.rest(link.missed + 1)
    is_lost = Connection.objects.filter(pk=link.connection_id, sight_lost_at__isnull=False).exists()
    return min(wait, LOOK_EVERY) if is_lost else wait


def _asked(connection_id: int) -> QuerySet[Link]:
    since = timezone.now() - WITHIN
    rows = Link.objects.filter(connection=connection_id, asked_at__gte=since, leg__stage__in=OPEN_STAGES)
    return rows.filter(state__in=[Link.State.ACTIVE, Link.State.QUARANTINED])


def _missing(connection_id: int) -> QuerySet[Link]:
    return _asked(connection_id).filter(missing_since__isnull=False)
