"""Records that the vendor merged into another one: their link becomes a read-only alias of the surviving record.

Nothing more is written to a merged record, and its engagement follows the status of the surviving record. Notes of the
surviving record are not followed, since it may be somebody else's ticket. A vendor's merge never merges our tickets.
"""

from __future__ import annotations

from django.utils import timezone

from connectors.kit.contract import MERGED_SOMEWHERE, RemoteTicket
from connectors.models import Difference, Link, Outbound
from hub.core.sentences import sentence

FIELD = "merged"


def begin(link: Link, remote: RemoteTicket) -> None:
    """Make the link an alias, or update which record survived."""
    key = "" if remote.merged_into == MERGED_SOMEWHERE else remote.merged_into[:100]
    if link.state == Link.State.ALIAS and key in ("", link.merged_key):
        return
    why = _in_words(link, remote.key, key)
    Link.objects.filter(pk=link.pk).update(
        state=Link.State.ALIAS,
        merged_key=key,
        why=why,
        is_dirty=bool(key),
        next_look_at=None,
        missed=0,
        missing_since=None,
    )
    waiting = link.outbound.filter(state__in=[Outbound.State.READY, Outbound.State.UNCLEAR])
    waiting.filter(kind=Outbound.Kind.FIELDS).update(
        state=Outbound.State.SKIPPED, error=why, done_at=timezone.now(), next_attempt_at=None
    )
    waiting.exclude(kind=Outbound.Kind.FIELDS).update(state=Outbound.State.PARKED, error=why, next_attempt_at=None)
    Difference.objects.filter(link=link, field=FIELD, resolved_at=None).update(resolved_at=timezone.now())
    Difference.objects.create(
        link=link, field=FIELD, value=key or MERGED_SOMEWHERE, why=why, heard_at=remote.changed_at
    )


def undone(link: Link) -> None:
    """Make an alias a normal link again, because the vendor has undone the merge."""
    Link.objects.filter(pk=link.pk).update(state=Link.State.ACTIVE, merged_key="", why="")
    Difference.objects.filter(link=link, field=FIELD, resolved_at=None).update(resolved_at=timezone.now())


def survivor_changed(connection_id: int, key: str) -> None:
    """Have the aliases of this record read its status again."""
    Link.objects.filter(connection=connection_id, state=Link.State.ALIAS, merged_key=key).update(
        is_dirty=True, next_look_at=None
    )


def _in_words(link: Link, key: str, survivor: str) -> str:
    if not survivor:
        return sentence(
            "Record %(key)s was merged into another record in the vendor's system, which does not say into which one. "
            "Nothing more is written to it. To reach the vendor, recall the engagement and offer it again.",
            key=key,
        )
    other = Link.objects.filter(connection=link.connection_id, remote_key=survivor).select_related("leg__ticket")
    label = other[0].leg.ticket.label if other else ""
    return sentence(
        "Record %(key)s was merged into %(survivor)s in the vendor's system. We follow the status of the surviving "
        "record, but write nothing to it. To reach the vendor, write on the ticket of the surviving record, or recall "
        "the engagement and offer it again.",
        key=key,
        survivor=f"{survivor} ({label})" if label else survivor,
    )
