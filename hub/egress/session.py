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
from .sockets import dial


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
    host, port = connection.host, connection.port or connection.default_port
    seconds = connection.timeout if isinstance(connection.timeout, int | float) else 10
    try:
        return dial(policy, host, port, seconds)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror(str(error))) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"{host} did not answer in time") from error
    except OSError as error:
        raise NewConnectionError(connection, f"{host} refused the connection") from error
