"""The inbox: stores what is received exactly as it is, before it is read."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils import timezone

from connectors.engine import hook_calls, texts
from connectors.engine.hook_calls import Called
from connectors.engine.inbound import snapshots
from connectors.engine.registry import Prepared
from connectors.kit.contract import NOT_UNDERSTOOD, AlertConnector, Hook, HookConnector
from connectors.kit.errors import BadSignature, ConnectorError, Refused, TryLater
from connectors.models import Connection, Inbound
from hub.core import wakeups
from hub.core.rows import insert_if, insert_once
from hub.core.sentences import sentence

KEPT_HEADERS = ("content-type", "user-agent")
LONGEST_KEY = 100


class LeftAlone(Exception):
    """What was received is ignored; the message says why."""


def accept_hook(*, call: Called, headers: Mapping[str, str], body: bytes, call_id: str) -> None:
    """Store a webhook call; it is committed when this returns. On BadSignature or TryLater, only a counter changes.

    `call_id` is new for every call: the same alert twice is two events, and one call that is stored twice is one.
    """
    connection = call.connection
    with call.use.ready(HookConnector) as connector:
        try:
            hook = _fitting(connector.read_hook(headers, body))
        except BadSignature:
            hook_calls.count(connection, "rejected_hooks")
            raise
        except TryLater:
            hook_calls.count(connection, "unready_hooks")
            raise
        except (ConnectorError, *NOT_UNDERSTOOD) as error:
            # It has a valid signature, so it is from the vendor, and a person has to see it.
            keep(
                connection,
                Inbound.Kind.HOOK,
                f"unread.{snapshots.digest(body)[:40]}",
                body,
                headers,
                state=Inbound.State.PARKED,
                error=texts.storable(sentence("The call could not be read: %(reason)s", reason=str(error)))[:500],
            )
            return
    hook_calls.accepted(call)
    if isinstance(connector, AlertConnector):
        # The same body twice is two events: the alert became active, ended, and became active again.
        keep(connection, Inbound.Kind.HOOK, f"alert.{call_id}", body, headers)
        return
    # A batch: each record is read by itself; the body is stored once.
    rows = [_row(connection, Inbound.Kind.HOOK, hook.delivery, body, headers, remote_key=hook.key)] + [
        _row(connection, Inbound.Kind.HOOK, f"{hook.delivery}.{number}", b"", headers, remote_key=key)
        for number, key in enumerate(hook.also, 2)
    ]
    insert_once(rows)  # a call that was delivered before is stored already
    wakeups.wake()


def accept_known(use: Prepared, headers: Mapping[str, str], body: bytes, *, call_id: str) -> bool:
    """Store a call with one statement, if the connection is as this process knows it; whether it was stored.

    If not, nothing has happened: the connection has changed, or the call cannot be read, is a batch, or is stored
    already. Raises BadSignature or TryLater, counted, like `accept_hook`, if the connection has not changed.
    """
    try:
        with use.ready(HookConnector) as connector:
            hook = _fitting(connector.read_hook(headers, body))
    except (BadSignature, TryLater) as error:
        if not hook_calls.is_current(use):
            return False
        hook_calls.count(use.connection, "rejected_hooks" if isinstance(error, BadSignature) else "unready_hooks")
        raise
    except (ConnectorError, *NOT_UNDERSTOOD):
        return False
    if hook.also:
        return False
    delivery = f"alert.{call_id}" if isinstance(connector, AlertConnector) else hook.delivery
    key = "" if isinstance(connector, AlertConnector) else hook.key
    row = _row(use.connection, Inbound.Kind.HOOK, delivery, body, headers, remote_key=key)
    if not insert_if(row, hook_calls.AS_KNOWN, [use.connection.pk, use.connection.revision]):
        return False
    wakeups.wake()
    return True


def _fitting(hook: Hook) -> Hook:
    """The call, if its IDs can be stored; Refused if not, so that it is not tried again in vain."""
    for key in (hook.key, *hook.also, hook.delivery):
        if len(key) > LONGEST_KEY or texts.storable(key) != key:
            named = texts.storable(key[:60])
            raise Refused(sentence("The call names the record “%(key)s”, which is not a valid ID.", key=named))
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
    """Store a delivery; False if it was stored before."""
    row = _row(connection, kind, delivery, body, headers, kept_headers=kept_headers, **more)
    given = {name: getattr(row, name) for name in ("kind", "headers", "body", "received_at", "next_attempt_at", *more)}
    is_new = Inbound.objects.get_or_create(connection=connection, delivery=row.delivery, defaults=given)[1]
    wakeups.wake()
    return is_new


def _row(
    connection: Connection,
    kind: Inbound.Kind,
    delivery: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    kept_headers: Mapping[str, str] | None = None,
    **more: str,
) -> Inbound:
    at = timezone.now()
    return Inbound(
        connection=connection,
        delivery=delivery[:128],
        kind=kind,
        headers={name: value for name, value in headers.items() if name.lower() in KEPT_HEADERS}
        | dict(kept_headers or {}),
        body=body,
        received_at=at,
        next_attempt_at=at,
        **more,
    )
