"""Connections that are checked when they are made, for HTTP as well as for mail."""

from __future__ import annotations

import socket

from .policy import Policy


def dial(policy: Policy, host: str, port: int, seconds: float) -> socket.socket:
    """Resolve the host once, check all its addresses, and connect to one of them. Raises OSError and EgressDenied."""
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    for _family, _type, _proto, _name, address in found:
        policy.check_address(host, str(address[0]), port)
    failed: OSError | None = None
    for family, kind, proto, _name, address in found:
        attempt = socket.socket(family, kind, proto)
        try:
            attempt.settimeout(seconds)
            attempt.connect(address)
        except OSError as error:
            attempt.close()
            failed = error
        else:
            attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return attempt
    raise failed or OSError(f"{host} has no address")
