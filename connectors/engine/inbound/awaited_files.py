"""The vendor's files whose content has not been fetched yet: tried again automatically, and then by a person.

A file that cannot be fetched holds up nothing else: the notes and the status of its ticket are still synchronised.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from connectors.engine import backoff, registry, texts
from connectors.engine.inbound import reconcile
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import NOT_UNDERSTOOD, MailConnector, RemoteFile, RemoteTicket, TicketConnector
from connectors.kit.errors import ConnectorError, LockedOut, Missing, TryLater
from connectors.models import AwaitedFile, Link
from hub.core.clock import now
from hub.core.jobs import Due
from hub.core.sentences import sentence
from hub.domain import messages
from hub.domain.actors import Actor
from hub.models import User

State = AwaitedFile.State
LEASE = timedelta(seconds=120)
MOST_ATTEMPTS = 5
NOT_ASKED_FOR = (State.PARKED, State.LEFT_OUT, State.TOO_LARGE)
"""The states of files that are fetched only when a person requests it."""


def contents(
    connector: TicketConnector, remote: RemoteTicket, wanted: Iterable[RemoteFile]
) -> tuple[dict[str, bytes], dict[str, tuple[RemoteFile, Exception]]]:
    """The contents of the files that could be fetched, and the errors of the others, both by key. Makes calls."""
    found: dict[str, bytes] = {}
    failed: dict[str, tuple[RemoteFile, Exception]] = {}
    for file in wanted:
        try:
            found[file.key] = connector.content(remote.key, file)
        except (ConnectorError, *NOT_UNDERSTOOD) as error:
            failed[file.key] = (file, error)
    return found, failed


def remember(link: Link, failed: Iterable[tuple[RemoteFile, Exception]]) -> None:
    """Store each file that could not be fetched, to be tried again."""
    at = timezone.now()
    for file, error in failed:
        row, _is_new = AwaitedFile.objects.get_or_create(
            link=link,
            remote_key=file.key,
            defaults={"name": messages.safe_name(file.name), "size": max(file.size, 0), "noted_at": at},
        )
        _failed(row, error)


def _failed(row: AwaitedFile, error: Exception) -> None:
    attempts = row.attempts + 1
    is_final = isinstance(error, ConnectorError) and not isinstance(error, TryLater | Missing)
    is_over = is_final or attempts >= MOST_ATTEMPTS
    AwaitedFile.objects.filter(pk=row.pk).exclude(state=State.DONE).update(
        attempts=F("attempts") + 1,
        why=texts.storable(str(error))[:1000],
        state=State.PARKED if is_over else State.WAITING,
        next_attempt_at=None if is_over else timezone.now() + backoff.rest(attempts),
    )


def due(*, at: datetime, limit: int = 20) -> list[int]:
    """Primary keys of files that are to be tried again now."""
    return list(waiting(at=at).order_by("next_attempt_at", "pk").values_list("pk", flat=True)[:limit])


def due_calls(*, at: datetime, without: Collection[int], limit: int = 100) -> list[Due]:
    """The same with the connections that are called, except some connections."""
    rows = waiting(at=at).exclude(link__connection__in=without).order_by("next_attempt_at", "pk")
    found = rows.values_list("pk", "link__connection", "link__connection__connector")[:limit]
    return [Due(pk, system, registry.calls_at_once(slug)) for pk, system, slug in found]


def waiting(*, at: datetime) -> QuerySet[AwaitedFile]:
    """Files that are to be tried again now."""
    return AwaitedFile.objects.filter(state=State.WAITING, next_attempt_at__lte=at, link__connection__state="active")


def fetch(*, awaited_id: int) -> None:
    """Try to fetch one file again; its content is attached like any other file of the vendor's."""
    at = timezone.now()
    claimed = AwaitedFile.objects.filter(pk=awaited_id, state=State.WAITING, next_attempt_at__lte=at).update(
        next_attempt_at=at + LEASE
    )
    if not claimed:
        return
    row = AwaitedFile.objects.select_related(
        "link__connection__organisation", "link__connection__service", "link__connection__profile", "inbound", "message"
    ).get(pk=awaited_id)
    try:
        _fetch(row)
    except (ConnectorError, CannotUnseal, registry.UnknownConnector, messages.NotSaid) as error:
        _failed(row, error)
        if isinstance(error, LockedOut):
            backoff.lock_out(row.link.connection, str(error))
    else:
        AwaitedFile.objects.filter(pk=row.pk).update(state=State.DONE, next_attempt_at=None, why="")


def _fetch(row: AwaitedFile) -> None:
    connection = row.link.connection
    if row.inbound is not None:
        with registry.ready(connection, MailConnector) as mailbox:
            _take_from_mail(row, mailbox.parse_mail(bytes(row.inbound.body)).files)
        return
    with registry.ready(connection, TicketConnector) as connector:
        _take_from_record(row, connector)


def _take_from_mail(row: AwaitedFile, files: Sequence[tuple[str, bytes]]) -> None:
    number = int(row.remote_key.rpartition(".")[2])
    if number >= len(files):
        raise Missing(sentence("The e-mail that this file came with can no longer be read."))
    _attach(row, files[number][1])


def _take_from_record(row: AwaitedFile, connector: TicketConnector) -> None:
    remote = connector.fetch(row.link.remote_key)
    file = next((file for file in remote.files or () if file.key == row.remote_key), None)
    if file is None:
        raise Missing(sentence("The file no longer exists in the vendor's system."))
    content = connector.content(remote.key, file)
    if row.message is not None:
        _attach(row, content)
    else:
        reconcile.apply(connection=row.link.connection, remote=remote, at=now(), contents={file.key: content})


@transaction.atomic
def _attach(row: AwaitedFile, content: bytes) -> None:
    assert row.message is not None
    actor = Actor.vendor(row.link.connection.organisation, row.message.author_name)
    made = messages.attach(
        message=row.message,
        name=row.name,
        content=content,
        actor=actor,
        at=now(),
        origin=row.link.connection.public_id,
    )
    row.link.bindings.filter(remote_key=row.remote_key, lane="files").update(attachment=made)


def retry(row: AwaitedFile) -> None:
    """Fetch a file now, however large it is, because a person has requested it."""
    AwaitedFile.objects.filter(pk=row.pk, state__in=NOT_ASKED_FOR).update(
        state=State.WAITING, attempts=0, next_attempt_at=timezone.now(), why=""
    )


def leave_out(row: AwaitedFile, *, user: User, reason: str) -> None:
    """Skip a file, with the reason of the person who does."""
    AwaitedFile.objects.filter(pk=row.pk, state__in=NOT_ASKED_FOR).update(
        state=State.LEFT_OUT,
        next_attempt_at=None,
        why=sentence("Skipped by %(person)s: %(reason)s", person=user, reason=reason[:900]),
    )
