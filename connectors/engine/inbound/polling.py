"""Polls vendors for changes: each page is stored before it is read, and the cursor moves in the same commit."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import DataError, transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from connectors.engine import backoff, hooks, rate_limits, registry, texts
from connectors.engine.inbound import duplicates, inbox, refetch, snapshots
from connectors.engine.leases import LEASE
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import (
    NOT_UNDERSTOOD,
    Connector,
    MailConnector,
    Page,
    RemoteTicket,
    TicketConnector,
    Unread,
)
from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, TryLater, Unsupported
from connectors.models import Connection, Inbound, Link
from hub.core.ids import new_ulid
from hub.core.jobs import Due
from hub.core.sentences import sentence
from hub.models import OPEN_STAGES

log = logging.getLogger(__name__)

DUPLICATES_SINCE = timedelta(days=1)
HEAL_EVERY = timedelta(hours=1)
LAY_THERE = sentence("The record existed before synchronisation began. It is imported when it changes.")


def beginning(connector: Connector) -> str:
    """The cursor after which everything is read; what exists already is ignored."""
    if isinstance(connector, MailConnector):
        return connector.letters("").cursor
    if isinstance(connector, TicketConnector):
        return connector.changes_since("").cursor
    raise Unsupported(sentence("%(connector)s cannot be polled.", connector=connector.label))


def begin(connection: Connection) -> None:
    """Set the cursor, so that reading begins now, whenever the first poll takes place; nothing if it has begun.

    Raises ConnectorError or CannotUnseal if the vendor's system has to be asked, as a mailbox, and cannot be.
    """
    if connection.cursor or connection.purpose != Connection.Purpose.TICKETS:
        return
    with registry.ready(connection) as connector:
        connection.cursor = beginning(connector)
    Connection.objects.filter(pk=connection.pk, cursor="").update(cursor=connection.cursor)


def due_connections(*, at: datetime) -> list[int]:
    """Primary keys of connections to poll now."""
    return list(waiting(at=at).order_by("next_poll_at", "pk").values_list("pk", flat=True))


def due_calls(*, at: datetime, without: Collection[int]) -> list[Due]:
    """The same; each is polled by one worker at a time."""
    rows = waiting(at=at).exclude(pk__in=without).order_by("next_poll_at", "pk")
    return [Due(pk, pk, registry.CALLS_AT_ONCE) for pk in rows.values_list("pk", flat=True)]


def waiting(*, at: datetime) -> QuerySet[Connection]:
    """Connections to poll now."""
    return Connection.objects.filter(
        Q(next_poll_at__isnull=True) | Q(next_poll_at__lte=at),
        Q(resting_until__isnull=True) | Q(resting_until__lte=at),
        state=Connection.State.ACTIVE,
        purpose=Connection.Purpose.TICKETS,
        organisation__archived_at=None,
    )


def poll(*, connection_id: int) -> int:
    """Poll one connection; returns the number of new rows."""
    at = timezone.now()
    connection = Connection.objects.select_related("organisation", "service").get(pk=connection_id)
    until = at + max(LEASE, timedelta(seconds=connection.poll_seconds))
    claimed = Connection.objects.filter(
        Q(next_poll_at__isnull=True) | Q(next_poll_at__lte=at), pk=connection_id, state=Connection.State.ACTIVE
    ).update(next_poll_at=until)
    if not claimed:
        return 0
    stored = 0
    try:
        with registry.ready(connection, share=rate_limits.POLL_SHARE) as connector:
            if isinstance(connector, MailConnector):
                stored += _take_letters(connection, connector)
            elif isinstance(connector, TicketConnector):
                stored += _take_tickets(connection, connector)
    except (ConnectorError, CannotUnseal, registry.UnknownConnector) as error:
        _poll_failed(connection, error)
    except (*NOT_UNDERSTOOD, DataError) as error:
        log.exception("Poll of %s failed", connection)
        _poll_failed(connection, error)
    # A request to poll at once, made meanwhile, is kept.
    Connection.objects.filter(pk=connection_id, next_poll_at=until).update(
        next_poll_at=timezone.now() + timedelta(seconds=connection.poll_seconds)
    )
    return stored


def _take_tickets(connection: Connection, connector: TicketConnector) -> int:
    """Store what changed, page by page; the cursor moves in the same commit. Returns the number of new rows."""
    stored, more = 0, True
    while more:
        page = connector.changes_since(connection.cursor)
        with transaction.atomic():
            stored += _keep_page(connection, connector, page)
            refetch.look_again(connection, [key for key in page.gone if texts.storable(key) == key])
            stored += sum(_keep_unread(connection, unread) for unread in page.unread)
            _keep_left_out(connection, page)
            if not _moved(connection, page.cursor):
                return stored  # the profile was changed meanwhile, and reading continues with the new one
        more = page.more and page.cursor != connection.cursor
        connection.cursor = page.cursor
    _heal(connection, connector)
    return stored


def _keep_left_out(connection: Connection, page: Page) -> None:
    """Keep what the vendor's list refused to show, until a person marks it as handled."""
    if page.left_out:
        Connection.objects.filter(pk=connection.pk).update(left_out=texts.storable(page.left_out)[:1000])


def _moved(connection: Connection, cursor: str) -> bool:
    """Move the cursor, unless it or the profile was changed meanwhile; a response also ends the rest after failures."""
    at = timezone.now()
    rows = Connection.objects.filter(pk=connection.pk, cursor=connection.cursor, profile=connection.profile_id)
    moved = rows.update(cursor=cursor, last_in_at=at)
    rested = Q(resting_until__isnull=True) | Q(resting_until=connection.resting_until)
    Connection.objects.filter(rested, pk=connection.pk, state=Connection.State.ACTIVE).update(
        failures=0, resting_until=None, last_error=""
    )
    return bool(moved)


def _take_letters(connection: Connection, connector: MailConnector) -> int:
    """Store the e-mails of a mailbox, page by page, and mark them as read; returns the number of new rows."""
    stored, more = 0, True
    while more:
        page = connector.letters(connection.cursor)
        with transaction.atomic():
            for letter in page.letters:
                key = f"mail.{snapshots.digest(letter.raw)}"
                place = {"place": letter.place}
                stored += inbox.keep(
                    connection, Inbound.Kind.MAIL, key, letter.raw, {}, kept_headers=place, sender=letter.sender
                )
            if not _moved(connection, page.cursor):
                return stored
        connector.taken(page.letters)
        more = page.more and page.cursor != connection.cursor
        connection.cursor = page.cursor
    return stored


def _heal(connection: Connection, connector: TicketConnector) -> None:
    """Once an hour, read every open link again, to find what neither webhooks nor polls reported.

    This also checks the webhook, and searches for references that are on two records.
    """
    at = timezone.now()
    if connection.healed_at is not None and at - connection.healed_at < HEAL_EVERY:
        return
    Connection.objects.filter(pk=connection.pk).update(healed_at=at)
    hooks.keep(connection, connector)
    if connection.healed_at is not None:
        states = [Link.State.ACTIVE, Link.State.ALIAS]
        under_way = Link.objects.filter(connection=connection, state__in=states, leg__stage__in=OPEN_STAGES)
        under_way.update(is_dirty=True, next_look_at=None)
        with suppress(Unsupported):
            duplicates.search(connection, connector, since=connection.healed_at - DUPLICATES_SINCE)


def _keep_page(connection: Connection, connector: TicketConnector, page: Page) -> int:
    """Store the records of a page, each once; returns the number of new rows."""
    if not connector.dates_changes:
        return _keep_differences(connection, page)
    stored = 0
    for remote in page.tickets:
        content = snapshots.dump(remote)
        stored += _keep_snapshot(connection, remote, content, f"poll.{snapshots.digest(content)[:40]}.{remote.key}")
    return stored


def _keep_differences(connection: Connection, page: Page) -> int:
    """For a system that does not say when records changed: store those that differ from what was read last."""
    records = (*page.tickets, *page.before)
    keys = [remote.key for remote in records]
    known = _last_read(connection, keys)
    linked = set(Link.objects.filter(connection=connection, remote_key__in=keys).values_list("remote_key", flat=True))
    before = {remote.key for remote in page.before if remote.key not in linked and not remote.reference}
    stored = 0
    for remote in records:
        said = f"poll.{snapshots.state_of(remote)[:40]}."
        if known.get(remote.key, "").startswith(said):
            continue
        ignored = LAY_THERE if remote.key in before else ""
        # A record that changed back has changed as well, so each difference is a separate delivery.
        stored += _keep_snapshot(connection, remote, snapshots.dump(remote), f"{said}{new_ulid()}", ignored=ignored)
    return stored


def _last_read(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    """The last stored delivery of each of these records, by key."""
    rows = Inbound.objects.filter(connection=connection, kind=Inbound.Kind.POLL, remote_key__in=keys)
    newest = rows.order_by().values("remote_key").annotate(newest=Max("pk")).values("newest")
    return dict(Inbound.objects.filter(pk__in=newest).values_list("remote_key", "delivery"))


def _keep_snapshot(
    connection: Connection, remote: RemoteTicket, content: bytes, delivery: str, *, ignored: str = ""
) -> bool:
    kind, key = Inbound.Kind.POLL, remote.key
    if ignored:
        return inbox.keep(
            connection, kind, delivery, content, {}, remote_key=key, state=Inbound.State.IGNORED, error=ignored
        )
    return inbox.keep(connection, kind, delivery, content, {}, remote_key=key)


def _keep_unread(connection: Connection, unread: Unread) -> bool:
    """Park a record that could not be read, for a person; trying again reads its ticket again."""
    unread = replace(unread, key=texts.storable(unread.key)[:100], why=texts.storable(unread.why))
    body = unread.raw.encode("utf-8", "replace")
    return inbox.keep(
        connection,
        Inbound.Kind.HOOK,
        f"unread.{snapshots.digest(body)[:40]}.{unread.key}",
        body,
        {},
        remote_key=unread.key[: Inbound._meta.get_field("remote_key").max_length],
        state=Inbound.State.PARKED,
        error=sentence("Record %(key)s could not be read: %(reason)s", key=unread.key, reason=unread.why)[:500],
    )


def _poll_failed(connection: Connection, error: Exception) -> None:
    if isinstance(error, LockedOut | Forbidden | CannotUnseal | registry.UnknownConnector):
        backoff.lock_out(connection, str(error))
        return
    failures = connection.failures + 1
    wait = timedelta(seconds=error.after) if isinstance(error, TryLater) and error.after else backoff.probe(failures)
    backoff.pause(connection, timezone.now() + wait, str(error))
