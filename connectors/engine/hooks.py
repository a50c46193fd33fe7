"""That a vendor calls us when something changes, and goes on calling."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterable

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from connectors.engine import registry
from connectors.kit.contract import HOOK_SECRET, Connector, HookConnector
from connectors.kit.errors import ConnectorError
from connectors.models import Connection
from hub.core.sentences import sentence

log = logging.getLogger(__name__)

MANY_REJECTED = 30
"""So many calls in a row that do not verify are told to a person."""


def register(connection: Connection, *, hub_url: str) -> None:
    """Ask the vendor's system to call us; asked again for the same address, nothing happens.

    Raises the connector's errors; makes calls, so it belongs in no transaction.
    """
    if connection.hook_id and connection.hook_url == hub_url:
        return
    with registry.ready(connection, HookConnector) as connector:
        connection.own_user = connector.check().own_user
        connection.hook_id = connector.register_hook(address(connection, hub_url)).key
    connection.hook_url, connection.hook_note, connection.hook_checked_at = hub_url, "", timezone.now()
    connection.save(update_fields=["hook_id", "own_user", "hook_url", "hook_note", "hook_checked_at"])


def keep(connection: Connection, connector: Connector) -> None:
    """Where their calls are registered, see that they still are; what they had switched off is switched on again.

    What was missed meanwhile the polls have brought: a hook is never more than a hint.
    """
    hub_url = connection.hook_url
    if not connection.hook_id or not hub_url or not isinstance(connector, HookConnector):
        return
    note = ""
    if connection.rejected_hooks - connection.rejected_before >= MANY_REJECTED:
        connector.ports.memory.pop(HOOK_SECRET, None)  # the secret there may be another one: it is entered again
    try:
        hooked = connector.register_hook(address(connection, hub_url))
    except ConnectorError as error:
        note = sentence("The registration of calls could not be checked: %(error)s", error=str(error))
        Connection.objects.filter(pk=connection.pk).update(hook_note=note[:255], hook_checked_at=timezone.now())
        return
    if hooked.was_off or hooked.key != connection.hook_id:
        why = hooked.was_off or "The registration was gone there."
        note = f"{why} It is on again since {timezone.now():%Y-%m-%d %H:%M} UTC; polls brought what was missed."
        log.warning("%s: %s", connection, note)
    changes: dict[str, object] = {"hook_checked_at": timezone.now(), "hook_id": hooked.key}
    if note:
        changes["hook_note"] = note[:255]
    Connection.objects.filter(pk=connection.pk).update(**changes)


def accepted(connection: Connection) -> None:
    """A call of theirs was in order: what was rejected before is not of the secret that holds now."""
    if connection.rejected_before != connection.rejected_hooks:
        Connection.objects.filter(pk=connection.pk).update(rejected_before=F("rejected_hooks"))


def switched_off(connection: Connection) -> None:
    """The vendor says it will not call any more: look at once. What it says is only a hint, so nothing is believed."""
    Connection.objects.filter(pk=connection.pk, state=Connection.State.ACTIVE).update(healed_at=None, next_poll_at=None)


def address(connection: Connection, hub_url: str) -> str:
    """Where they call us; where they cannot sign, the address itself is the secret."""
    return f"{hub_url}/hooks/{connection.public_id}/{'' if signs(connection) else f'{token(connection)}/'}"


def token(connection: Connection) -> str:
    """What only this hub can know of a connection, for its address."""
    told = f"hook-path:{connection.public_id}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), told, hashlib.sha256).hexdigest()[:32]


class NotLetIn(Exception):
    """A call that is not looked at: `status` is what it is answered with. Nothing is kept but a count."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def called(connection_id: str, token: str, header_names: Iterable[str]) -> Connection:
    """The connection a call is for, seen from its address and the names of its headers alone; else NotLetIn.

    So whoever calls nobody, or signs nothing, is answered before any of its body is read.
    """
    if "\x00" in connection_id + token:  # PostgreSQL cannot even look for it
        raise NotLetIn(404, sentence("There is no such connection."))
    rows = Connection.objects.filter(public_id=connection_id).select_related("profile")
    connection = rows.exclude(state__in=[Connection.State.ARCHIVED, Connection.State.DRAFT]).first()
    if connection is None:
        raise NotLetIn(404, sentence("There is no such connection."))
    kind = registry.kind_of(connection)
    if not issubclass(kind, HookConnector):
        count(connection, "stray_hooks")
        raise NotLetIn(404, sentence("There is no such connection."))
    if not _is_at_its_address(kind, connection, token):
        raise NotLetIn(404, sentence("There is no such connection."))
    names = {name.lower() for name in header_names}
    if kind.signature_headers and not names & set(kind.signature_headers):
        count(connection, "rejected_hooks")
        raise NotLetIn(401, sentence("The call is not signed."))
    return connection


def count(connection: Connection, name: str) -> None:
    """One more of the calls that nothing is kept of."""
    Connection.objects.filter(pk=connection.pk).update(**{name: F(name) + 1})


def _is_at_its_address(kind: type[HookConnector], connection: Connection, given: str) -> bool:
    """Whether a call came to the connection's own address: where calls are signed, the signature decides."""
    return kind.signs_hooks if not given else hmac.compare_digest(given.encode(), token(connection).encode())


def signs(connection: Connection) -> bool:
    """Whether calls are signed; if not, a secret in the address takes the place of a signature."""
    kind = registry.kind_of(connection)
    return kind.signs_hooks if issubclass(kind, HookConnector) else True
