"""A requests session that checks each connection when it is made."""

from __future__ import annotations

import socket
import ssl
import tempfile
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from hub.core.sentences import sentence

from .policy import Policy
from .sockets import dial


def open_session(
    policy: Policy, *, connections: int = 4, certificate: str = "", authority: str = ""
) -> requests.Session:
    """A session without proxies or redirects that reaches only what the policy allows.

    `certificate` is a client certificate with its key, `authority` a certificate authority to trust instead of the
    public ones; both in PEM format. Raises ValueError if they cannot be read.
    """
    session = _Unmoved()
    session.trust_env = False
    context = _context(certificate, authority) if certificate or authority else None
    adapter = _Adapter(policy, connections, context)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Unmoved(requests.Session):
    """A session that follows no redirect, even if the caller asks for it."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _context(certificate: str, authority: str) -> ssl.SSLContext:
    """The TLS context. The ssl module reads keys from files only, so the key is briefly in a temporary file."""
    try:
        context = ssl.create_default_context(cadata=authority or None)
        if certificate:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "certificate.pem"
                path.touch(mode=0o600)
                path.write_text(certificate)
                context.load_cert_chain(path, password="")
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(sentence("Expected a certificate with its private key, in PEM format.")) from error
    return context


class _Adapter(HTTPAdapter):
    def __init__(self, policy: Policy, connections: int, context: ssl.SSLContext | None = None) -> None:
        self.policy, self.context = policy, context
        super().__init__(pool_connections=connections, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        if self.context is not None:
            more["ssl_context"] = self.context
        manager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **more)
        manager.pool_classes_by_scheme = _pools(self.policy)
        self.poolmanager = manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if self.context is None:
            super().cert_verify(conn, url, verify, cert)
        else:
            conn.cert_reqs = "CERT_REQUIRED"  # enforced by the context, which has the trusted authority

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        pool: dict[str, Any]
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)  # type: ignore[assignment]
        if self.context is not None:
            pool = {name: value for name, value in pool.items() if name not in ("ca_certs", "ca_cert_dir")}
            pool["ssl_context"] = self.context
        return host, pool

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
