"""Whether the record under a link's key is still the one that was linked.

A system that was reset hands the same numbers out for other tickets; a record can be deleted, merged or
moved out of our sight. Then the link stands still until a person has looked: nothing is written to
somebody else's ticket, and nothing is made a second time.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from connectors.engine import correlation_marks
from connectors.engine.inbound import absences
from connectors.kit.contract import RemoteTicket
from connectors.kit.errors import Missing
from connectors.models import Link, Outbound

SAME_INSTANT = timedelta(seconds=1)
MISSED_UNTIL_GONE = 3
"""A record is believed gone when it was not found so often in a row: rights and merges look like it, too."""


class Mistaken(Exception):
    """The key means another record now; the message says how it is known."""


def verify(link: Link, remote: RemoteTicket) -> None:
    """Mistaken unless this is the record that was linked."""
    if (
        link.born_at is not None
        and remote.created_at is not None
        and abs(remote.created_at - link.born_at) > SAME_INSTANT
    ):
        raise Mistaken(
            f"Record {remote.key} there was made at {remote.created_at:%Y-%m-%d %H:%M:%S} UTC; the one linked here was "
            f"made at {link.born_at:%Y-%m-%d %H:%M:%S} UTC. The number means another ticket now. "
            "Nothing is written there until you have looked and let the link go on."
        )
    if remote.reference.startswith(correlation_marks.prefix()) and remote.reference != link.reference:
        raise Mistaken(
            f"Record {remote.key} there carries the reference of another leg ({remote.reference}). "
            "Nothing is written there until you have looked and let the link go on."
        )


def quarantine(link: Link, why: str) -> None:
    """Let the link stand still; its queue is kept, and a person sees why."""
    Link.objects.filter(pk=link.pk, state=Link.State.ACTIVE).update(
        state=Link.State.QUARANTINED, why=why, is_dirty=False, next_look_at=None
    )


def not_found(link: Link, error: Missing) -> bool:
    """Count that the record was not found; whether it is believed gone now, and the link stands still."""
    missed, at = link.missed + 1, timezone.now()
    counted = Link.objects.filter(pk=link.pk, missed=link.missed).update(
        missed=F("missed") + 1, asked_at=at, missing_since=Coalesce("missing_since", Value(at))
    )
    if absences.is_sight_lost(link.connection_id) or not counted or missed < MISSED_UNTIL_GONE:
        return False  # not counted: it was found meanwhile
    quarantine(
        link,
        f"{error} It was asked for {missed} times: deleted, merged, or out of our user's sight. No second one is made. "
        "Ask them; when it is back, let the link go on, or recall the leg.",
    )
    return True


def release(link: Link) -> None:
    """A person has looked: the link goes on, and the record there counts as the right one."""
    at = timezone.now()
    Link.objects.filter(pk=link.pk, state__in=[Link.State.QUARANTINED, Link.State.PAUSED]).update(
        state=Link.State.ACTIVE,
        why="",
        born_at=None,
        missed=0,
        missing_since=None,
        look_failures=0,
        paced_from=at,
        is_dirty=bool(link.remote_key),
        next_look_at=None,
    )
    link.outbound.filter(state=Outbound.State.READY).update(next_attempt_at=at)
