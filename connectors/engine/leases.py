"""Leases of links: one worker at a time may write on a link, identified by the link's epoch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from connectors.models import Link
from hub.core import statements
from hub.core.statements import Change
from hub.domain import tickets

LEASE = timedelta(seconds=120)


class Fenced(Exception):
    """Another worker has taken over the link: stop at once and write nothing."""


def claim(link_id: int) -> Link | None:
    """Lease the link for two minutes; None if another worker has it or it is stopped."""
    at = timezone.now()
    return _leased.one(link_id) if _claimed(link_id, at, at + LEASE) else None


@statements.update
def _claimed(link_id: int, at: datetime, until: datetime) -> Change:
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=at)
    rows = Link.objects.filter(free, pk=link_id, state=Link.State.ACTIVE)
    return Change(rows, {"lease_until": until, "epoch": F("epoch") + 1})


@statements.select
def _leased(link_id: int) -> QuerySet[Link]:
    rows = Link.objects.select_related("connection__organisation", "leg__ticket", "leg__organisation")
    return rows.filter(pk=link_id)


@transaction.atomic
def claim_all(link_ids: Collection[int]) -> list[Link]:
    """Lease those of a few links (`statements.is_few`) that are free, in their order, with two statements."""
    at = timezone.now()
    links = _free(list(link_ids), at) if link_ids else []
    if links:
        _claimed_all([link.pk for link in links], at + LEASE)
    for link in links:
        link.lease_until, link.epoch = at + LEASE, link.epoch + 1
    order = {pk: place for place, pk in enumerate(link_ids)}
    return sorted(links, key=lambda link: order[link.pk])


@statements.select
def _free(link_ids: Sequence[int], at: datetime) -> QuerySet[Link]:
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=at)
    rows = Link.objects.filter(free, pk__in=link_ids, state=Link.State.ACTIVE)
    rows = rows.select_for_update(of=("self",), skip_locked=True)
    return rows.select_related("connection__organisation", "leg__ticket", "leg__organisation").order_by("pk")


@statements.update
def _claimed_all(link_ids: Sequence[int], until: datetime) -> Change:
    return Change(Link.objects.filter(pk__in=link_ids), {"lease_until": until, "epoch": F("epoch") + 1})


def release(*links: Link) -> None:
    """End the leases, except those that have ended and may be somebody else's."""
    if len(links) == 1:
        _released(links[0].pk, links[0].epoch)
    elif links:
        mine = reduce(or_, (Q(pk=link.pk, epoch=link.epoch) for link in links))
        Link.objects.filter(mine).update(lease_until=None)


@statements.update
def _released(link_id: int, epoch: int) -> Change:
    return Change(Link.objects.filter(pk=link_id, epoch=epoch), {"lease_until": None})


def hold(link: Link, *, with_ticket: bool = False) -> Link:
    """Lock the link in this transaction and read it again; Fenced if the lease is no longer ours.

    With its ticket locked, the link that is returned also has its engagement and ticket as they are now.

    `with_ticket` locks the ticket as well, if it will be changed. A ticket is always locked before its links, as a
    person's change locks it before anything is queued; the other order could end in a deadlock.
    """
    ticket = tickets.locked(link.leg.ticket) if with_ticket else None
    held = (_held if ticket is None else _held_with_leg).first(link.pk, link.epoch)
    if held is None:
        raise Fenced
    if ticket is not None:
        held.leg.ticket = ticket
    return held


@statements.select
def _held(link_id: int, epoch: int) -> QuerySet[Link]:
    return _ours(link_id, epoch)


@statements.select
def _held_with_leg(link_id: int, epoch: int) -> QuerySet[Link]:
    return _ours(link_id, epoch).select_related("leg__organisation")


def _ours(link_id: int, epoch: int) -> QuerySet[Link]:
    return Link.objects.select_for_update(of=("self",)).filter(pk=link_id, epoch=epoch)
