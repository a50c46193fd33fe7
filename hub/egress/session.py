"""A requests session whose every connection is checked at the moment it is made."""

from __future__ import annotations

import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from .policy import Policy


def open_session(policy: Policy, *, connections: int = 4) -> requests.Session:
    """A session without proxies, stored cookies or redirects that reaches only what the policy allows."""
    session = _Unmoved()
    session.trust_env = False
    adapter = _Adapter(policy, connections)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Unmoved(requests.Session):
    """Follows no redirect, whoever asks for it."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Adapter(HTTPAdapter):
    def __init__(self, policy: Policy, connections: int) -> None:
        self.policy = policy
        super().__init__(pool_connections=connections, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        manager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **more)
        manager.pool_classes_by_scheme = _pools(self.policy)
        self.poolmanager = manager

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.policy.check_url(request.url or "")
        return super().send(request, *args, **kwargs)


def _pools(policy: Policy) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(policy, self)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(policy, self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


def _connect(policy: Policy, connection: HTTPConnection) -> socket.socket:
    """Resolve once, check every address, connect to one that was checked."""
    host, port = connection.host, connection.port or connection.default_port
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror(str(error))) from error
    for _family, _type, _proto, _name, address in found:
        policy.check_address(host, str(address[0]), port)
    failed: OSError | None = None
    for family, kind, proto, _name, address in found:
        attempt = socket.socket(family, kind, proto)
        try:
            attempt.settimeout(connection.timeout if isinstance(connection.timeout, int | float) else 10)
            attempt.connect(address)
        except OSError as error:
            attempt.close()
            failed = error
        else:
            attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return attempt
    if isinstance(failed, TimeoutError):
        raise ConnectTimeoutError(connection, f"{host} did not answer in time") from failed
    raise NewConnectionError(connection, f"{host} refused the connection") from failed
