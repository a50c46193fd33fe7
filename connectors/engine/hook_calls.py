"""Calls of webhooks as they come in: which are read at all, and how many were rejected."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from django.db.models import F

from connectors.engine import hooks, registry
from connectors.kit.contract import HookConnector
from connectors.models import Connection
from hub.core.sentences import sentence


class NotLetIn(Exception):
    """The call is refused with the HTTP status `status`. Only a count of such calls is kept."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def called(connection_id: str, token: str, header_names: Iterable[str]) -> Connection:
    """The connection that a call is for, by its URL and the names of its headers; NotLetIn if it is refused.

    A call to an unknown URL or without a signature is thus refused before its body is read.
    """
    if "\x00" in connection_id + token:  # PostgreSQL refuses NUL even in a query
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


def _is_at_its_address(kind: type[HookConnector], connection: Connection, given: str) -> bool:
    """Whether the token in the URL is right; without a token, the calls have to be signed."""
    return kind.signs_hooks if not given else hmac.compare_digest(given.encode(), hooks.token(connection).encode())


def count(connection: Connection, name: str) -> None:
    """Count one more call of which nothing else is kept; `name` is a counter of the connection."""
    Connection.objects.filter(pk=connection.pk).update(**{name: F(name) + 1})


def accepted(connection: Connection) -> None:
    """Note that a call was valid: earlier rejected calls are no longer counted against the current secret."""
    if connection.rejected_before != connection.rejected_hooks:
        Connection.objects.filter(pk=connection.pk).update(rejected_before=F("rejected_hooks"))


def switched_off(connection: Connection) -> None:
    """Check the webhook at once, because the vendor reports that it was deactivated. The report is not trusted."""
    Connection.objects.filter(pk=connection.pk, state=Connection.State.ACTIVE).update(healed_at=None, next_poll_at=None)
