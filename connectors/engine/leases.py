"""Who may write on a link: one holder at a time, known by the link's epoch."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from connectors.models import Link
from hub.domain import tickets

LEASE = timedelta(seconds=120)


class Fenced(Exception):
    """Somebody else has taken the link over: stop at once, write nothing."""


def claim(link_id: int) -> Link | None:
    """The link, ours for two minutes; None where somebody else has it or it stands still."""
    at = timezone.now()
    claimed = Link.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=at), pk=link_id, state=Link.State.ACTIVE
    ).update(lease_until=at + LEASE, epoch=F("epoch") + 1)
    if not claimed:
        return None
    return Link.objects.select_related("connection__organisation", "leg__ticket", "leg__organisation").get(pk=link_id)


def release(link: Link) -> None:
    Link.objects.filter(pk=link.pk, epoch=link.epoch).update(lease_until=None)


def hold(link: Link, *, with_ticket: bool = False) -> None:
    """Lock the link in this transaction; Fenced where the lease is not ours any more.

    `with_ticket` where the ticket will be changed as well: a ticket is always locked before its links, as people's
    changes lock it before they queue what has to be said. The other way round two would wait for each other.
    """
    if with_ticket:
        tickets.locked(link.leg.ticket)
    if not Link.objects.select_for_update(of=("self",)).filter(pk=link.pk, epoch=link.epoch).exists():
        raise Fenced
