"""Calls of webhooks as they come in: which are read at all, and how many were rejected.

A connection with its connector and its secrets is kept by this process for as long as its revision is the same. A call
of a connection that is kept costs one statement: an INSERT that holds only if the revision is still the same. Any other
call first reads the connection's state and revision.
"""

from __future__ import annotations

import hmac
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, QuerySet

from connectors.engine import hooks, registry
from connectors.engine.registry import Prepared
from connectors.kit.contract import HookConnector
from connectors.models import Connection
from connectors.models.connection import CONDITION
from hub.core import statements
from hub.core.sentences import sentence
from hub.core.statements import Change

MOST_KEPT = 1000
"""Connections kept by one process. Beyond that, all are read again."""
IDS = re.compile(r"[0-9A-Za-z]{1,64}")
CLOSED = frozenset({Connection.State.ARCHIVED, Connection.State.DRAFT})


class NotLetIn(Exception):
    """The call is refused with the HTTP status `status`. Only a count of such calls is kept, by `counter` if named."""

    def __init__(self, status: int, why: str, *, counter: str = "") -> None:
        super().__init__(why)
        self.status, self.counter = status, counter


@dataclass(frozen=True)
class Called:
    """The connection that a call is for."""

    use: Prepared
    has_rejected: bool
    """Whether calls were rejected since the last one that was valid."""

    @property
    def connection(self) -> Connection:
        """As of its current revision; its counters may be older."""
        return self.use.connection


class _Kept:
    """The connections that this process keeps, by their public id, each as of one revision."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rows: dict[str, Prepared] = {}

    def get(self, connection_id: str, revision: int) -> Prepared:
        found = self.rows.get(connection_id)
        if found is not None and found.connection.revision == revision:
            return found
        use = registry.prepared(Connection.objects.select_related("profile").get(public_id=connection_id))
        with self.lock:
            if len(self.rows) >= MOST_KEPT:
                self.rows.clear()
            self.rows[connection_id] = use
        return use


_kept = _Kept()


AS_KNOWN = (
    f'EXISTS (SELECT 1 FROM "{Connection._meta.db_table}" WHERE "id" = %s AND "revision" = %s '  # noqa: S608
    'AND "state" NOT IN (\'archived\', \'draft\') AND "rejected_hooks" = "rejected_before")'
)
"""SQL: whether a connection is as this process knows it, takes calls, and has no rejected calls to be forgotten."""


def known(connection_id: str, token: str, header_names: Iterable[str]) -> Prepared | None:
    """The connection as this process knows it, if such a call was let in then; to be used under `AS_KNOWN` only."""
    use = _kept.rows.get(connection_id)
    if token and not IDS.fullmatch(token):
        return None
    try:
        return None if use is None else _let_in(use, token, header_names)
    except NotLetIn:
        return None


def is_current(use: Prepared) -> bool:
    """Whether the connection is still as this process knows it, and takes calls."""
    return bool(_as_known(use.connection.pk, use.connection.revision))


@statements.select
def _as_known(connection_id: int, revision: int) -> QuerySet[Connection, int]:
    rows = Connection.objects.filter(pk=connection_id, revision=revision).exclude(state__in=CLOSED)
    return rows.values_list("pk", flat=True)


def is_known(connection_id: str, token: str, header_names: Iterable[str]) -> bool:
    """Whether `called` let such a call in when this process last read the connection, so that its body can be read.

    This takes no query. Whether the call counts is decided by `called` and by its signature.
    """
    return known(connection_id, token, header_names) is not None


def called(connection_id: str, token: str, header_names: Iterable[str]) -> Called:
    """The connection that a call is for, by its URL and the names of its headers; NotLetIn if it is refused.

    A call to an unknown URL or without a signature is thus refused before its body is read.
    """
    if not IDS.fullmatch(connection_id) or not (token == "" or IDS.fullmatch(token)):
        raise NotLetIn(404, sentence("There is no such connection."))
    row = _state_of.first(connection_id)
    if row is None or row[1] in CLOSED:
        raise NotLetIn(404, sentence("There is no such connection."))
    use = _kept.get(connection_id, row[0])
    try:
        return Called(_let_in(use, token, header_names), has_rejected=row[2] != row[3])
    except NotLetIn as refused:
        if refused.counter:
            count(use.connection, refused.counter)
        raise


@statements.select
def _state_of(connection_id: str) -> QuerySet[Connection, tuple[int, str, int, int]]:
    """The revision, the state and the two counters of a connection, by its public id."""
    rows = Connection.objects.filter(public_id=connection_id)
    return rows.values_list("revision", "state", "rejected_hooks", "rejected_before")


def _let_in(use: Prepared, token: str, header_names: Iterable[str]) -> Prepared:
    """The connection, if its connector takes calls at this address and with these headers; NotLetIn otherwise."""
    kind = use.kind
    if not issubclass(kind, HookConnector):
        raise NotLetIn(404, sentence("There is no such connection."), counter="stray_hooks")
    if not _is_at_its_address(kind, use.connection, token):
        raise NotLetIn(404, sentence("There is no such connection."))
    names = {name.lower() for name in header_names}
    if kind.signature_headers and not names & set(kind.signature_headers):
        raise NotLetIn(401, sentence("The call is not signed."), counter="rejected_hooks")
    return use


def _is_at_its_address(kind: type[HookConnector], connection: Connection, given: str) -> bool:
    """Whether the token in the URL is right; without a token, the calls have to be signed."""
    return kind.signs_hooks if not given else hmac.compare_digest(given.encode(), hooks.token(connection).encode())


def count(connection: Connection, name: str) -> None:
    """Count one more call of which nothing else is kept; `name` is a counter of the connection."""
    {"rejected_hooks": _rejected, "stray_hooks": _stray, "unready_hooks": _unready}[name](connection.pk)


@statements.update
def _rejected(connection_id: int) -> Change:
    return _one_more(connection_id, "rejected_hooks")


@statements.update
def _stray(connection_id: int) -> Change:
    return _one_more(connection_id, "stray_hooks")


@statements.update
def _unready(connection_id: int) -> Change:
    return _one_more(connection_id, "unready_hooks")


def _one_more(connection_id: int, name: str) -> Change:
    assert name in CONDITION  # a counter makes no new revision
    return Change(QuerySet(Connection).filter(pk=connection_id), {name: F(name) + 1})


def accepted(call: Called) -> None:
    """Note that a call was valid: earlier rejected calls are no longer counted against the current secret."""
    if call.has_rejected:
        Connection.objects.filter(pk=call.connection.pk).update(rejected_before=F("rejected_hooks"))


def switched_off(connection: Connection) -> None:
    """Check the webhook at once, because the vendor reports that it was deactivated. The report is not trusted."""
    Connection.objects.filter(pk=connection.pk, state=Connection.State.ACTIVE).update(healed_at=None, next_poll_at=None)
