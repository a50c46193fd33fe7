"""Checks whether the record under a link's key is still the one that was linked.

A system that was reset gives the same numbers to other tickets, and a record can be deleted, merged, or moved out of
our user's sight. The link is then stopped until a person has checked it, so that nothing is written to somebody else's
ticket and no second record is created.
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
from hub.core.sentences import sentence

SAME_INSTANT = timedelta(seconds=1)
MISSED_UNTIL_GONE = 3
"""A record counts as gone after this many failed requests in a row: missing permissions and merges look the same."""


class Mistaken(Exception):
    """The key now belongs to another record; the message says how that was detected."""


def verify(link: Link, remote: RemoteTicket) -> None:
    """Mistaken unless this is the record that was linked."""
    if (
        link.born_at is not None
        and remote.created_at is not None
        and abs(remote.created_at - link.born_at) > SAME_INSTANT
    ):
        raise Mistaken(
            sentence(
                "Record %(key)s was created at %(created)s UTC, but the linked one was created at %(linked)s UTC. The "
                "number now belongs to another ticket. Nothing is written to it until you have checked the record and "
                "resumed the synchronisation.",
                key=remote.key,
                created=f"{remote.created_at:%Y-%m-%d %H:%M:%S}",
                linked=f"{link.born_at:%Y-%m-%d %H:%M:%S}",
            )
        )
    if remote.reference.startswith(correlation_marks.prefix()) and remote.reference != link.reference:
        raise Mistaken(
            sentence(
                "Record %(key)s has the reference of another engagement (%(reference)s). Nothing is written to it "
                "until you have checked the record and resumed the synchronisation.",
                key=remote.key,
                reference=remote.reference,
            )
        )


def quarantine(link: Link, why: str) -> None:
    """Stop the link; its queue is kept, and a person sees the reason."""
    Link.objects.filter(pk=link.pk, state=Link.State.ACTIVE).update(
        state=Link.State.QUARANTINED, why=why, is_dirty=False, next_look_at=None
    )


def not_found(link: Link, error: Missing) -> bool:
    """Count a failed request for the record; True if it now counts as gone and the link was stopped."""
    missed, at = link.missed + 1, timezone.now()
    counted = Link.objects.filter(pk=link.pk, missed=link.missed).update(
        missed=F("missed") + 1, asked_at=at, missing_since=Coalesce("missing_since", Value(at))
    )
    if absences.is_sight_lost(link.connection_id) or not counted or missed < MISSED_UNTIL_GONE:
        return False  # not counted: it was found meanwhile
    quarantine(
        link,
        sentence(
            "%(error)s The record was requested %(count)s times: it was deleted or merged, or our user may not see it. "
            "No second record is created. Ask the vendor. Resume the synchronisation when the record is back, or "
            "recall the engagement.",
            error=str(error),
            count=missed,
        ),
    )
    return True


def release(link: Link) -> None:
    """Resume a link that a person has checked; the current record counts as the right one."""
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
