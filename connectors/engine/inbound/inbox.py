"""Keep what comes in, before anyone understands it; then understand it, one thing at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from connectors.engine import backoff, hooks, registry, texts
from connectors.engine.inbound import (
    absences,
    alerts,
    awaited_files,
    duplicates,
    identity,
    inbound_mail,
    inbound_notes,
    pacing,
    reconcile,
    snapshots,
)
from connectors.kit.contract import NOT_UNDERSTOOD, Connector, Hook, RemoteTicket
from connectors.kit.errors import BadSignature, ConnectorError, LockedOut, Missing, Refused, TryLater
from connectors.models import Connection, Inbound, Link
from hub.core.clock import now
from hub.core.startup_errors import in_words
from hub.domain import messages
from hub.models import User
from hub.models.fields import new_ulid

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
MOST_ATTEMPTS = 5
KEPT_HEADERS = ("content-type", "user-agent")
LONGEST_KEY = 100


def accept_hook(*, connection: Connection, headers: Mapping[str, str], body: bytes) -> None:
    """Store a signed hook; when this returns it is committed. BadSignature, TryLater: only a counter moves."""
    with registry.ready(connection) as connector:
        try:
            hook = _fitting(connector.read_hook(headers, body))
        except BadSignature:
            hooks.count(connection, "rejected_hooks")
            raise
        except TryLater:
            hooks.count(connection, "unready_hooks")
            raise
        except (ConnectorError, *NOT_UNDERSTOOD) as error:
            # Signed, so it is from them; what it says a person has to see.
            keep(
                connection,
                Inbound.Kind.HOOK,
                f"unread.{snapshots.digest(body)[:40]}",
                body,
                headers,
                state=Inbound.State.PARKED,
                error=texts.storable(f"The hook cannot be understood: {error}")[:500],
            )
            return
    hooks.accepted(connection)
    if connector.takes_alerts:
        # The same words twice are two pieces of news: it fired, ended, and fired again.
        keep(connection, Inbound.Kind.HOOK, f"alert.{new_ulid()}", body, headers)
        return
    with transaction.atomic():
        keep(connection, Inbound.Kind.HOOK, hook.delivery, body, headers, remote_key=hook.key)
        for number, key in enumerate(hook.also, 2):
            # A batch: each record is a piece of news of its own; the body is kept once.
            keep(connection, Inbound.Kind.HOOK, f"{hook.delivery}.{number}", b"", headers, remote_key=key)


def _fitting(hook: Hook) -> Hook:
    """The hook, if its ids can be kept; else Refused, for what never can be is not asked for again."""
    for key in (hook.key, *hook.also, hook.delivery):
        if len(key) > LONGEST_KEY or texts.storable(key) != key:
            raise Refused(f"It names a record by {texts.storable(key[:60])!r}, which cannot be an id of theirs.")
    return hook


def keep(
    connection: Connection,
    kind: Inbound.Kind,
    delivery: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    kept_headers: Mapping[str, str] | None = None,
    **more: str,
) -> bool:
    """Store it once; False where this very delivery is here already."""
    at = timezone.now()
    _row, is_new = Inbound.objects.get_or_create(
        connection=connection,
        delivery=delivery[:128],
        defaults={
            "kind": kind,
            "headers": {name: value for name, value in headers.items() if name.lower() in KEPT_HEADERS}
            | dict(kept_headers or {}),
            "body": body,
            "received_at": at,
            "next_attempt_at": at,
            **more,
        },
    )
    return is_new


# -- understanding


def due_mail(*, at: datetime, limit: int = 100) -> list[int]:
    """Mail that is to be read now; no more of one sender than its pace allows."""
    return pacing.in_turn(_due(at).filter(kind=Inbound.Kind.MAIL), at=at, limit=limit)


def due_hooks(*, at: datetime, limit: int = 100) -> list[int]:
    """What else is to be read now; no more of one connection than its pace allows."""
    return pacing.in_turn(_due(at).exclude(kind=Inbound.Kind.MAIL), at=at, limit=limit)


def _due(at: datetime) -> QuerySet[Inbound]:
    return Inbound.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=at),
        Q(connection__resting_until__isnull=True) | Q(connection__resting_until__lte=at),
        state=Inbound.State.NEW,
        next_attempt_at__lte=at,
        connection__state=Connection.State.ACTIVE,
    )


def read(*, inbound_id: int) -> None:
    """Understand one thing that came in. A hook is a hint: the record itself is read again."""
    alerting = Connection.objects.filter(inbound=inbound_id, purpose=Connection.Purpose.ALERTS).first()
    if alerting is not None:
        _read_in_order(alerting)
    else:
        _read(inbound_id)


MOST_IN_ORDER = 200


def _read_in_order(connection: Connection) -> None:
    """Alerts are read one after the other: an end that is read before its beginning would be lost."""
    at = timezone.now()
    until = at + LEASE
    claimed = Connection.objects.filter(
        Q(reading_until__isnull=True) | Q(reading_until__lte=at), pk=connection.pk
    ).update(reading_until=until)
    if not claimed:
        return
    try:
        waiting = Inbound.objects.filter(connection=connection, state=Inbound.State.NEW).order_by("pk")
        allowed = pacing.left(pacing.Source(connection.pk, Inbound.Kind.HOOK, ""), pacing.begun(at=at))
        for pk in waiting.values_list("pk", flat=True)[: min(MOST_IN_ORDER, allowed or 0)]:
            _read(pk)
    finally:
        Connection.objects.filter(pk=connection.pk, reading_until=until).update(reading_until=None)


def _read(inbound_id: int) -> None:
    at = timezone.now()
    claimed = Inbound.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lte=at), pk=inbound_id, state=Inbound.State.NEW
    ).update(lease_until=at + LEASE, attempts=F("attempts") + 1, begun_at=at)
    if not claimed:
        return
    row = Inbound.objects.select_related("connection__organisation", "connection__service").get(pk=inbound_id)
    if row.attempts > MOST_ATTEMPTS and not row.error:
        # Every time whoever read it was gone before the end: whatever is in it, it holds up nothing else any more.
        _end(row, Inbound.State.PARKED, f"Reading it was begun {MOST_ATTEMPTS} times and never came to an end.")
        return
    try:
        link = _understand(row)
    except TryLater as error:
        _postpone(row, error)
    except LockedOut as error:
        backoff.lock_out(row.connection, str(error))
        Inbound.objects.filter(pk=row.pk).update(lease_until=None, error=str(error))
    except Missing as error:
        # A hook says it was deleted; whether our record is gone is asked for again before it is believed.
        look_again(row.connection, [row.remote_key])
        _end(row, Inbound.State.IGNORED, str(error))
    except reconcile.LeftAlone as error:
        _end(row, Inbound.State.IGNORED, str(error))
    except (ConnectorError, messages.NotSaid) as error:
        _end(row, Inbound.State.PARKED, str(error))
    except Exception as error:  # whatever it is, it parks this one and nothing else
        log.exception("Inbound %s failed", row.pk)
        if row.attempts >= MOST_ATTEMPTS:
            _end(row, Inbound.State.PARKED, in_words(error))
        else:
            _postpone(row, TryLater(in_words(error)))
    else:
        _end(row, Inbound.State.DONE if link else Inbound.State.IGNORED, "")


def _understand(row: Inbound) -> object:
    """What it came to: something, or nothing of ours."""
    with registry.ready(row.connection) as connector:
        if connector.takes_alerts:
            return alerts.take(row, connector)
        if row.kind == Inbound.Kind.MAIL:
            return inbound_mail.read(row, connector)
        is_whole = row.kind != Inbound.Kind.POLL
        remote = connector.fetch(row.remote_key) if is_whole else snapshots.load(bytes(row.body))
        if remote.notes is None and reconcile.is_of_interest(row.connection, remote):
            # A list without notes: what concerns us is read whole.
            remote, is_whole = connector.fetch(remote.key), True
        return _apply(row.connection, connector, remote, is_whole=is_whole)


def _apply(
    connection: Connection, connector: Connector, remote: RemoteTicket, *, is_whole: bool = False
) -> Link | None:
    """Bring the record up to what was read; `is_whole` where every note they have is in it."""
    doubled = duplicates.other_link(connection, remote)
    if doubled is not None:
        duplicates.settle(doubled, connector, connector.fetch(remote.key))
        return doubled
    contents, failed = awaited_files.contents(connector, remote, inbound_notes.unread_files(connection, remote))
    link = reconcile.apply(connection=connection, remote=remote, at=now(), contents=contents, is_whole=is_whole)
    if link is not None:
        awaited_files.remember(link, failed.values())
    return link


def _end(row: Inbound, state: Inbound.State, error: str) -> None:
    Inbound.objects.filter(pk=row.pk).update(
        state=state, error=texts.storable(error), next_attempt_at=None, lease_until=None
    )


def _postpone(row: Inbound, error: TryLater) -> None:
    wait = timedelta(seconds=error.after) if error.after else backoff.probe(row.attempts)
    Inbound.objects.filter(pk=row.pk).update(
        next_attempt_at=timezone.now() + wait, lease_until=None, error=texts.storable(str(error))
    )


@transaction.atomic
def retry(row: Inbound) -> None:
    """Read a parked one again."""
    Inbound.objects.filter(pk=row.pk, state=Inbound.State.PARKED).update(
        state=Inbound.State.NEW, attempts=0, next_attempt_at=timezone.now(), error=""
    )


def alike(row: Inbound) -> QuerySet[Inbound]:
    """What waits on the same connection for the same reason, this one among them."""
    return Inbound.objects.filter(connection=row.connection_id, state=Inbound.State.PARKED, error=row.error)


@transaction.atomic
def retry_alike(row: Inbound) -> int:
    """Read everything again that waits for the same reason; how many there were."""
    return alike(row).update(state=Inbound.State.NEW, attempts=0, next_attempt_at=timezone.now(), error="")


def leave_out(row: Inbound, *, user: User, reason: str) -> None:
    """Take nothing from a parked one: somebody has read it."""
    Inbound.objects.filter(pk=row.pk, state=Inbound.State.PARKED).update(
        state=Inbound.State.IGNORED, error=f"Left out by {user}: {reason}"[:1000], next_attempt_at=None
    )


@transaction.atomic
def vouch(row: Inbound, *, user: User, reason: str) -> None:
    """Take a parked letter although its sender is not proven: somebody of ours answers for that."""
    row = Inbound.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if row.kind != Inbound.Kind.MAIL or row.state != Inbound.State.PARKED:
        raise ValueError("Only a letter that is parked can be taken all the same.")
    told = {"user": user.public_id, "name": str(user), "reason": reason[:500]}
    Inbound.objects.filter(pk=row.pk).update(headers=row.headers | {"vouched": told})
    retry(row)


# -- looking


def due_looks(*, at: datetime, limit: int = 50) -> list[int]:
    """Links somebody marked to be read again."""
    return list(
        Link.objects.filter(
            Q(next_look_at__isnull=True) | Q(next_look_at__lte=at),
            Q(connection__resting_until__isnull=True) | Q(connection__resting_until__lte=at),
            is_dirty=True,
            state__in=[Link.State.ACTIVE, Link.State.ALIAS],
            connection__state=Connection.State.ACTIVE,
        )
        .exclude(remote_key="")
        .order_by("pk")
        .values_list("pk", flat=True)[:limit]
    )


def look(*, link_id: int) -> None:
    """Read one linked ticket as it is there now, with all its notes and files."""
    at = timezone.now()
    until = at + LEASE
    claimed = Link.objects.filter(
        Q(next_look_at__isnull=True) | Q(next_look_at__lte=at), pk=link_id, is_dirty=True
    ).update(next_look_at=until)
    if not claimed:
        return
    # What somebody wrote meanwhile stands: a mark to look again, or that it stands still and why.
    link = Link.objects.select_related("connection__organisation", "connection__service", "leg__ticket").get(pk=link_id)
    mine = Link.objects.filter(pk=link_id, next_look_at=until, state=link.state)
    try:
        with registry.ready(link.connection) as connector:
            _look_at(link, connector)
    except Missing as error:
        if not identity.not_found(link, error):
            mine.update(next_look_at=timezone.now() + absences.look_after(link))
        return
    except ConnectorError as error:
        failures = link.look_failures + 1
        why = {} if link.state == Link.State.ALIAS else {"why": texts.storable(str(error))}
        mine.update(look_failures=failures, next_look_at=timezone.now() + backoff.probe(failures), **why)
        return
    why = {} if link.state == Link.State.ALIAS else {"why": ""}
    mine.update(is_dirty=False, next_look_at=None, look_failures=0, **why)


def _look_at(link: Link, connector: Connector) -> None:
    """Read a linked ticket whole; of one that was merged there, also the status of the record that survived."""
    _apply(link.connection, connector, connector.fetch(link.remote_key), is_whole=True)
    alias = Link.objects.select_related("leg__ticket").get(pk=link.pk)
    if alias.state != Link.State.ALIAS or not alias.merged_key:
        return
    with suppress(Missing):  # where it is out of our sight, nothing of it is known
        reconcile.follow_survivor(alias=alias, remote=connector.glance(alias.merged_key), at=now())


def mark_dirty(connection: Connection) -> int:
    """Have every live link of a connection read again, as after its mapping changed."""
    if not registry.kind_of(connection).keeps_records:
        return 0
    return Link.objects.filter(connection=connection, state=Link.State.ACTIVE).update(is_dirty=True, next_look_at=None)


def look_again(connection: Connection, keys: Sequence[str]) -> None:
    """Read these again: they are said to be gone, and what is not there three times is believed to be."""
    links = Link.objects.filter(connection=connection, remote_key__in=keys, state=Link.State.ACTIVE, is_dirty=False)
    links.update(is_dirty=True, next_look_at=None)
