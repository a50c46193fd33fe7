"""The installed connectors, and the connector of a connection, ready for use."""

from __future__ import annotations

import pkgutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TypeVar, overload

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from requests import Session

import connectors
from connectors.engine import correlation_marks, rate_limits, texts, vault
from connectors.kit.contract import Connector, Ports, ProfileConnector
from connectors.kit.errors import Unsupported
from connectors.kit.http import TOTAL_SECONDS, Explain, Http
from connectors.models import Connection
from hub import redaction
from hub.core import sessions
from hub.core.clock import now
from hub.core.sentences import sentence
from hub.egress import Policy, dial, kept, open_session
from hub.models import Leg
from workflows.handoffs import guest_links

GROUP = "tickethub.connectors"
Kind = TypeVar("Kind", bound=Connector)


CALLS_AT_ONCE = 10
"""How many calls one process makes to one system at once, unless the vendor allows fewer."""


class UnknownConnector(Exception):
    """The connection has no usable connector or profile; the message says why."""


@cache
def connectors_by_slug() -> Mapping[str, type[Connector]]:
    """All connectors by slug: the packages of `connectors` with a `connector` module, and installed entry points."""
    found: dict[str, type[Connector]] = {}
    for module in pkgutil.iter_modules(connectors.__path__):
        name = f"{connectors.__name__}.{module.name}.connector"
        if module.ispkg and find_spec(name):
            found |= {kind.slug: kind for kind in _classes(name)}
    for entry in entry_points(group=GROUP):
        kind = entry.load()
        found.setdefault(kind.slug, kind)
    return found


def _classes(name: str) -> Iterator[type[Connector]]:
    module = import_module(name)
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Connector) and value.__module__ == module.__name__:
            yield value


def kind_of(connection: Connection) -> type[Connector]:
    """The class of a connection's connector, made from its profile if it has one; UnknownConnector if there is none."""
    try:
        kind = connectors_by_slug()[connection.connector]
    except KeyError as error:
        raise UnknownConnector(
            sentence("The connector “%(connector)s” is not installed.", connector=connection.connector)
        ) from error
    if not issubclass(kind, ProfileConnector):
        return kind
    if connection.profile is None:
        raise UnknownConnector(sentence("%(connection)s has no profile. Choose one.", connection=connection))
    try:
        return kind.of_profile(connection.profile.document)
    except ValueError as error:
        raise UnknownConnector(
            sentence("The profile %(profile)s cannot be used: %(error)s", profile=connection.profile, error=str(error))
        ) from error


@overload
def ready(connection: Connection, *, share: float = 1.0) -> AbstractContextManager[Connector]: ...
@overload
def ready(connection: Connection, what: type[Kind], *, share: float = 1.0) -> AbstractContextManager[Kind]: ...
def ready(
    connection: Connection, what: type[Connector] = Connector, *, share: float = 1.0
) -> AbstractContextManager[Connector]:
    """The connector of this connection with its settings and ports; what it learned is saved afterwards.

    `what` is the class that is needed, such as `TicketConnector`; Unsupported if the connector is of another class.
    `share` is the part of our share of the vendor's rate limit that this work may use.
    """
    return _ready(prepared(connection), what, share)


def calls_at_once(slug: str) -> int:
    """How many calls one process makes at once to a system with this connector."""
    kind = connectors_by_slug().get(slug)
    threads = kind.limits.threads if kind is not None and kind.limits is not None else None
    return min(CALLS_AT_ONCE, threads or CALLS_AT_ONCE)


@dataclass(frozen=True)
class Prepared:
    """A connection with its connector's class and its settings and secrets, as of one revision."""

    connection: Connection
    kind: type[Connector]
    values: Mapping[str, str]

    def ready(self, what: type[Kind], *, share: float = 1.0) -> AbstractContextManager[Kind]:
        """Like `ready`, without unsealing the secrets again."""
        return _ready(self, what, share)  # type: ignore[return-value]


def prepared(connection: Connection) -> Prepared:
    """What it takes to use a connection; UnknownConnector, or CannotUnseal if no key opens its secrets."""
    kind = kind_of(connection)
    defaults = {setting.name: setting.default for setting in kind.settings}
    return Prepared(connection, kind, {**defaults, **connection.settings, **vault.unseal(connection)})


@contextmanager
def _ready(use: Prepared, what: type[Connector], share: float) -> Iterator[Connector]:
    connection, kind = use.connection, use.kind
    if not issubclass(kind, what):
        raise Unsupported(sentence("%(connector)s does not support this.", connector=kind.label))
    memory: dict[str, str] = dict(connection.memory)
    known = dict(memory)
    limiter = rate_limits.RateLimiter(connection, kind.limits, share=share) if kind.limits and connection.pk else None
    opener = _Opener(limiter, connection.pk)
    try:
        # A poll makes many calls in a row: it keeps no slot from what people wait for.
        with limiter.keeping() if limiter and share == 1.0 else nullcontext():
            yield kind(use.values, _ports(connection, opener, memory))
    finally:
        opener.close()
        if memory != known:
            connection.memory = memory
            _learn(connection, known, memory)


class _Opener:
    """Opens HTTP sessions for one connector, under our egress policy and within the vendor's rate limit."""

    def __init__(self, limiter: rate_limits.RateLimiter | None, connection_id: int | None) -> None:
        self.policy = Policy.of(settings.EGRESS_ALLOW)
        self.key = (connection_id, self.policy)
        """What a session may be kept for. Those with a certificate of their own are not kept."""
        self.sessions = ExitStack()
        self.session: Session | None = None
        self.is_kept = False
        """Whether an earlier piece of work has used the session."""
        self.opened_at = self.used_at = time.monotonic()
        """When the session was opened, and when the last call ended."""
        self.limiter = limiter

    def close(self) -> None:
        self.sessions.close()
        if self.session is not None and self.key[0] is not None:
            kept.put(self.key, self.session, opened_at=self.opened_at, used_at=self.used_at)
        elif self.session is not None:
            self.session.close()

    def __call__(
        self,
        *,
        base: str,
        headers: Mapping[str, str],
        explain: Explain | None = None,
        seconds: float = TOTAL_SECONDS,
        certificate: str = "",
        authority: str = "",
    ) -> Http:
        # A connector's headers may contain what is derived from a secret, such as a token or an encoded password.
        redaction.know(part for value in headers.values() for part in (value, value.partition(" ")[2]))
        return Http(
            policy=self.policy,
            base=base,
            headers=headers,
            explain=explain,
            session=self._session_for(certificate, authority),
            seconds=seconds,
            throttle=self._call,
            is_kept=self.is_kept,
        )

    @contextmanager
    def _call(self, path: str) -> Iterator[None]:
        """One call: within the vendor's limits, and without a database session."""
        with self.limiter.slot(path) if self.limiter else nullcontext():
            sessions.release()
            yield
            self.used_at = time.monotonic()

    def _session_for(self, certificate: str, authority: str) -> Session:
        if not certificate and not authority:
            if self.session is None:
                self.session = kept.take(self.key)
                self.is_kept = self.session is not None
                self.opened_at = getattr(self.session, "opened_at", self.opened_at)
            if self.session is None:
                self.session = open_session(self.policy)
            return self.session
        return self.sessions.enter_context(open_session(self.policy, certificate=certificate, authority=authority))


def _ports(connection: Connection, opener: _Opener, memory: dict[str, str]) -> Ports:
    return Ports(
        open_http=opener,
        now=now,
        memory=memory,
        secret=lambda name: vault.secret(connection, name),
        keep_secret=lambda name, value: vault.keep(connection, name, value),
        may_ask_for_key=lambda: _may_ask_for_key(connection),
        hide=lambda secret: redaction.know([secret]),
        connect=lambda host, port, seconds: _dialled(opener.policy, host, port, seconds),
        keys=tuple(str(key).encode() for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)),
        hub=correlation_marks.hub(),
        guest_link=_guest_link,
    )


def _dialled(policy: Policy, host: str, port: int, seconds: float) -> socket.socket:
    sessions.release()
    return dial(policy, host, port, seconds)


@transaction.atomic
def _learn(connection: Connection, known: Mapping[str, str], memory: Mapping[str, str]) -> None:
    """Save what the connector learned, beside what other workers learned; nothing if the settings changed meanwhile."""
    if connection.pk is None:
        return
    fresh = Connection.objects.select_for_update(of=("self",)).get(pk=connection.pk)
    if (fresh.settings, fresh.profile_id) != (connection.settings, connection.profile_id):
        return
    changed = {
        texts.storable(name): texts.storable(value) for name, value in memory.items() if known.get(name) != value
    }
    fresh.memory = {
        name: value for name, value in fresh.memory.items() if name in memory or name not in known
    } | changed
    fresh.save(update_fields=["memory"])


KEY_AGAIN = timedelta(minutes=1)
"""The shortest time between two requests for a key to check calls with, whoever calls."""


def _may_ask_for_key(connection: Connection) -> bool:
    at = timezone.now()
    free = Q(key_asked_at__isnull=True) | Q(key_asked_at__lte=at - KEY_AGAIN)
    return bool(Connection.objects.filter(free, pk=connection.pk).update(key_asked_at=at))


def _guest_link(leg_id: str) -> str:
    """The URL of an engagement's guest page; empty if there is no such engagement."""
    leg = Leg.objects.filter(public_id=leg_id).first()
    return (
        guest_links.address(guest_links.open_for(leg, at=now()), hub_url=settings.PUBLIC_URL) if leg is not None else ""
    )
