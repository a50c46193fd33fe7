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
from hub.core.sentences import sentence

KEPT_HEADERS = ("content-type", "user-agent")
LONGEST_KEY = 100


class LeftAlone(Exception):
    """What came in is not taken in; the message says why."""


def accept_hook(*, connection: Connection, headers: Mapping[str, str], body: bytes) -> None:
    """Store a signed hook; it is committed when this returns. On BadSignature or TryLater only a counter moves."""
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
            # Signed, so it is from them: a person has to see what it says.
            keep(
                connection,
                Inbound.Kind.HOOK,
                f"unread.{snapshots.digest(body)[:40]}",
                body,
                headers,
                state=Inbound.State.PARKED,
                error=texts.storable(sentence("The call cannot be understood: %(reason)s", reason=str(error)))[:500],
            )
            return
    hooks.accepted(connection)
    if isinstance(connector, AlertConnector):
        # The same body twice is two events: the alert fired, ended, and fired again.
        keep(connection, Inbound.Kind.HOOK, f"alert.{new_ulid()}", body, headers)
        return
    with transaction.atomic():
        keep(connection, Inbound.Kind.HOOK, hook.delivery, body, headers, remote_key=hook.key)
        for number, key in enumerate(hook.also, 2):
            # A batch: each record is read by itself; the body is stored once.
            keep(connection, Inbound.Kind.HOOK, f"{hook.delivery}.{number}", b"", headers, remote_key=key)


def _fitting(hook: Hook) -> Hook:
    """The hook, if its ids can be stored; else Refused, so that nobody tries again what can never work."""
    for key in (hook.key, *hook.also, hook.delivery):
        if len(key) > LONGEST_KEY or texts.storable(key) != key:
            named = texts.storable(key[:60])
            raise Refused(sentence("It names a record “%(key)s”, which cannot be an id.", key=named))
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
    """Store a delivery; False if it is stored already."""
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
