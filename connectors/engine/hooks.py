"""Webhooks as we register them in a vendor's system: the URL to call, and the regular check that they still work."""

from __future__ import annotations

import hashlib
import hmac
import logging

from django.conf import settings
from django.utils import timezone

from connectors.engine import registry
from connectors.kit.contract import HOOK_SECRET, Connector, HookConnector
from connectors.kit.errors import ConnectorError
from connectors.models import Connection
from hub.core.sentences import sentence

log = logging.getLogger(__name__)

MANY_REJECTED = 30
"""A sync issue is shown after this many rejected calls in a row."""


def register(connection: Connection, *, hub_url: str) -> None:
    """Register a webhook in the vendor's system; does nothing if it is registered for this URL already.

    Raises the connector's errors. It makes calls, so do not use it in a transaction.
    """
    if connection.hook_id and connection.hook_url == hub_url:
        return
    with registry.ready(connection, HookConnector) as connector:
        connection.own_user = connector.check().own_user
        connection.hook_id = connector.register_hook(address(connection, hub_url)).key
    connection.hook_url, connection.hook_note, connection.hook_checked_at = hub_url, "", timezone.now()
    connection.save(update_fields=["hook_id", "own_user", "hook_url", "hook_note", "hook_checked_at"])


def keep(connection: Connection, connector: Connector) -> None:
    """Check a registered webhook and repair its registration; `hook_note` says what was wrong.

    Calls that were missed meanwhile do no harm: polling fetches every change.
    """
    hub_url = connection.hook_url
    if not connection.hook_id or not hub_url or not isinstance(connector, HookConnector):
        return
    note = ""
    if connection.rejected_hooks - connection.rejected_before >= MANY_REJECTED:
        connector.ports.memory.pop(HOOK_SECRET, None)  # the vendor may have another secret: ours is registered again
    try:
        hooked = connector.register_hook(address(connection, hub_url))
    except ConnectorError as error:
        note = sentence("The webhook registration could not be checked: %(error)s", error=str(error))
        Connection.objects.filter(pk=connection.pk).update(hook_note=note, hook_checked_at=timezone.now())
        return
    if hooked.was_off or hooked.key != connection.hook_id:
        note = sentence(
            "%(reason)s The webhook has been active again since %(time)s UTC. Polling fetched what was missed.",
            reason=hooked.was_off or sentence("The registration no longer existed in the vendor's system."),
            time=f"{timezone.now():%Y-%m-%d %H:%M}",
        )
        log.warning("%s: %s", connection, note)
    changes: dict[str, object] = {"hook_checked_at": timezone.now(), "hook_id": hooked.key}
    if note:
        changes["hook_note"] = note
    Connection.objects.filter(pk=connection.pk).update(**changes)


def address(connection: Connection, hub_url: str) -> str:
    """The URL that the vendor calls. If the vendor cannot sign its calls, the URL contains a secret."""
    return f"{hub_url}/hooks/{connection.public_id}/{'' if signs(connection) else f'{token(connection)}/'}"


def token(connection: Connection) -> str:
    """The secret in the URL of a connection whose calls are not signed, derived from the installation's key."""
    told = f"hook-path:{connection.public_id}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), told, hashlib.sha256).hexdigest()[:32]


def signs(connection: Connection) -> bool:
    """Whether the vendor signs its calls; if not, a secret in the URL takes the place of a signature."""
    kind = registry.kind_of(connection)
    return kind.signs_hooks if issubclass(kind, HookConnector) else True
