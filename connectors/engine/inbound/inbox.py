"""Keeps what comes in exactly as it came, before anything reads it."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from connectors.engine import hooks, registry, texts
from connectors.engine.inbound import snapshots
from connectors.kit.contract import NOT_UNDERSTOOD, AlertConnector, Hook, HookConnector
from connectors.kit.errors import BadSignature, ConnectorError, Refused, TryLater
from connectors.models import Connection, Inbound
from hub.core.ids import new_ulid

KEPT_HEADERS = ("content-type", "user-agent")
LONGEST_KEY = 100


class LeftAlone(Exception):
    """What came in is not taken in; the message says why."""


def accept_hook(*, connection: Connection, headers: Mapping[str, str], body: bytes) -> None:
    """Store a signed hook; when this returns it is committed. BadSignature, TryLater: only a counter moves."""
    with registry.ready(connection, HookConnector) as connector:
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
    if isinstance(connector, AlertConnector):
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
