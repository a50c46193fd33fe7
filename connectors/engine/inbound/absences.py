"""Many records missing at once: probably the permissions of our user were reduced, and the records still exist.

A vendor that reduces our user's permissions answers "no such record" for each. That is one issue of the connection: no
link is quarantined, a person is notified once, and the links resume when the records are visible again.
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
"""It begins with `FEWEST` missing records, if they are at least one in `SHARE` of those requested within `WITHIN`."""
LOOK_EVERY = timedelta(minutes=5)
"""The longest time between two requests for a missing record while it lasts."""


def is_sight_lost(connection_id: int) -> bool:
    """Whether missing records are an issue of the connection now; begins or ends that issue by their number."""
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
            "automatically when the records are visible again. If a record was really deleted, recall its engagement.",
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
    """A missing record was found: request all others at once, and end the issue if few are left."""
    if Connection.objects.filter(pk=connection_id, sight_lost_at__isnull=False).exists():
        _still_missing(connection_id).update(is_dirty=True, next_look_at=None)
        _has_ended(connection_id)


def _has_ended(connection_id: int) -> bool:
    """End the issue if few records of open engagements are still missing; those are counted afresh."""
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
    """How long to wait before a record that was not found is requested again."""
    wait = backoff.rest(link.missed + 1)
    is_lost = Connection.objects.filter(pk=link.connection_id, sight_lost_at__isnull=False).exists()
    return min(wait, LOOK_EVERY) if is_lost else wait


def _asked(connection_id: int) -> QuerySet[Link]:
    since = timezone.now() - WITHIN
    rows = Link.objects.filter(connection=connection_id, asked_at__gte=since, leg__stage__in=OPEN_STAGES)
    return rows.filter(state__in=[Link.State.ACTIVE, Link.State.QUARANTINED])


def _missing(connection_id: int) -> QuerySet[Link]:
    return _asked(connection_id).filter(missing_since__isnull=False)
