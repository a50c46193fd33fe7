"""Sends what is due on links: which links a job leases, how long it goes on, and what ends it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.db.models import QuerySet

from connectors.engine import backoff, leases, registry
from connectors.engine.inbound import identity
from connectors.engine.leases import Fenced
from connectors.engine.outbound import due_items
from connectors.engine.outbound.sender import Sender
from connectors.engine.outbound.write_limit import TooMany
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import OutboundConnector
from connectors.models import Connection, Lane, Link
from hub.core import statements

TOGETHER_SECONDS = 0.5
"""How long a job goes on to its next link; the links that are left are taken up by other jobs."""


def send(*, link_id: int) -> int:
    """Send what is due on one link, lane by lane and in order; returns the number of settled items."""
    link = leases.claim(link_id)
    return _send_on([] if link is None else [link])


def send_all(*, link_ids: Sequence[int]) -> int:
    """The same for several links of one connection, one link after the other."""
    return _send_on(leases.claim_all(link_ids)) if len(link_ids) > 1 else send(link_id=link_ids[0])


def _send_on(links: Sequence[Link]) -> int:
    """Send on these links while their leases are held; a link that was not begun is free again afterwards."""
    if not links:
        return 0
    settled, until, connection = 0, time.monotonic() + TOGETHER_SECONDS, links[0].connection
    held = list(links)
    try:
        rows = due_items.of_links(links)
        with registry.ready(connection, OutboundConnector) as connector:
            for number, link in enumerate(links):
                if number and time.monotonic() > until:
                    break
                if number and not _may_go_on(link):
                    continue
                held.remove(link)  # after an unexpected error, its lease ends by itself
                sender = Sender(link, connector, rows[link.pk])
                _send_lanes(sender)
                held.append(link)
                settled += sender.settled
                if sender.is_connection_down:
                    break
    except (CannotUnseal, registry.UnknownConnector) as error:
        backoff.lock_out(connection, str(error))
    except Exception:
        if len(held) == len(links):
            held.clear()  # nothing was begun, and trying again at once would not help
        raise
    finally:
        leases.release(*held)
    return settled


def _may_go_on(link: Link) -> bool:
    """Whether the link, which has waited for others, and its connection are still active."""
    return bool(_active(link.pk, link.epoch))


@statements.select
def _active(link_id: int, epoch: int) -> QuerySet[Link, int]:
    active = Link.objects.filter(pk=link_id, epoch=epoch, state=Link.State.ACTIVE)
    return active.filter(connection__state=Connection.State.ACTIVE).values_list("pk", flat=True)


def _send_lanes(sender: Sender) -> None:
    """Send the lanes of one link, or stop the link; nothing more is written if another worker has taken it over."""
    link = sender.link
    try:
        for lane in Lane:
            sender.send_lane(lane)
    except Fenced:
        pass
    except TooMany as error:
        Link.objects.filter(pk=link.pk, epoch=link.epoch).update(state=Link.State.PAUSED, why=str(error))
    except identity.Mistaken as error:
        identity.quarantine(link, str(error))
