"""Many records missing at once: probably the rights of our user were narrowed, and the records are still there.

A vendor that narrows the rights of our user answers "no such record" for each. That is one problem of the connection:
no link is quarantined for it, a person is told once, and the links go on by themselves when the records answer again.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from connectors.engine import backoff
from connectors.models import Connection, Link
from hub.core.sentences import sentence
from hub.models import OPEN_STAGES

WITHIN = timedelta(minutes=10)
FEWEST = 5
SHARE = 5
"""So many, and one of so many that were asked for within that time."""
LOOK_EVERY = timedelta(minutes=5)
"""While it lasts a missing record is asked for again at least so often."""


def is_sight_lost(connection_id: int) -> bool:
    """Whether missing records are the connection's problem now: it begins where they are many, and ends where few."""
    if Connection.objects.filter(pk=connection_id, sight_lost_at__isnull=False).exists():
        return not _has_ended(connection_id)
    asked = _asked(connection_id).count()
    missing = _missing(connection_id)
    count = missing.count()
    if count < FEWEST or count * SHARE < asked:
        return False
    at = timezone.now()
    began = Connection.objects.filter(pk=connection_id, sight_lost_at=None).update(
        sight_lost_at=at,
        sight_lost_why=sentence(
            "%(count)s of %(asked)s records that were requested within %(minutes)s minutes are no longer visible to "
            "our user. Probably its permissions were reduced: ask the vendor to restore them. Synchronisation resumes "
            "by itself when the records are visible again. If a record was really deleted, recall its engagement.",
            count=count,
            asked=asked,
            minutes=WITHIN.seconds // 60,
        ),
    )
    if began:
        missing.filter(state=Link.State.QUARANTINED).update(
            state=Link.State.ACTIVE, why="", is_dirty=True, next_look_at=at + LOOK_EVERY
        )
    return True


def is_there_again(connection_id: int) -> None:
    """A record that was missing is found: all others are asked for at once; where few are left, the problem is over."""
    if Connection.objects.filter(pk=connection_id, sight_lost_at__isnull=False).exists():
        _still_missing(connection_id).update(is_dirty=True, next_look_at=None)
        _has_ended(connection_id)


def _has_ended(connection_id: int) -> bool:
    """End the problem where few records under way are missing still; each of them has as many tries as any other."""
    missing = _still_missing(connection_id)
    if missing.count() >= FEWEST:
        return False
    missing.update(missed=0, missing_since=None)
    Connection.objects.filter(pk=connection_id).update(sight_lost_at=None, sight_lost_why="")
    return True


def _still_missing(connection_id: int) -> QuerySet[Link]:
    rows = Link.objects.filter(connection=connection_id, state=Link.State.ACTIVE, leg__stage__in=OPEN_STAGES)
    return rows.filter(missing_since__isnull=False)


def look_after(link: Link) -> timedelta:
    """How long a record that was not found is left alone."""
    wait = backoff.rest(link.missed + 1)
    is_lost = Connection.objects.filter(pk=link.connection_id, sight_lost_at__isnull=False).exists()
    return min(wait, LOOK_EVERY) if is_lost else wait


def _asked(connection_id: int) -> QuerySet[Link]:
    since = timezone.now() - WITHIN
    rows = Link.objects.filter(connection=connection_id, asked_at__gte=since, leg__stage__in=OPEN_STAGES)
    return rows.filter(state__in=[Link.State.ACTIVE, Link.State.QUARANTINED])


def _missing(connection_id: int) -> QuerySet[Link]:
    return _asked(connection_id).filter(missing_since__isnull=False)
