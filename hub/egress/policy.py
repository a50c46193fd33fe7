"""Which addresses may be called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from hub.core.sentences import sentence

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Networks that can never be a vendor's, including those that Python's is_global does not exclude.
DENIED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)


class EgressDenied(ValueError):
    """The call is not allowed. The message names the host and no other part of the URL."""


@dataclass(frozen=True)
class Policy:
    """Allows public addresses over TLS, and the exceptions of the installation.

    An allowed entry is an address, a network or a host name, with or without a port:
    ``127.0.0.1:8801``, ``10.20.0.0/16``, ``redmine.example:443``.
    """

    allowed: tuple[str, ...] = ()

    @classmethod
    def of(cls, allowed: Iterable[str]) -> Policy:
        return cls(tuple(allowed))

    def check_url(self, url: str) -> None:
        """Raise EgressDenied for a forbidden scheme, credentials in the URL, or plain HTTP to an unlisted host."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise EgressDenied(sentence("The address is not a URL.")) from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EgressDenied(sentence("The address must begin with https:// and name a host."))
        if parts.username is not None or parts.password is not None:
            raise EgressDenied(sentence("The address must not contain a user name."))
        if "%" in parts.hostname:
            raise EgressDenied(sentence("The address must not name a network interface."))
        port = port or (443 if parts.scheme == "https" else 80)
        if parts.scheme == "http" and not self._is_listed(parts.hostname, port):
            raise EgressDenied(
                sentence(
                    "%(host)s would be called without encryption. Use https://, or add %(host)s:%(port)s to "
                    "TICKETHUB_EGRESS_ALLOW if the host is in your own network.",
                    host=parts.hostname,
                    port=port,
                )
            )

    def check_address(self, host: str, address: str, port: int) -> None:
        """Raise EgressDenied for a resolved address outside the public networks, unless host or address is listed."""
        try:
            found = unwrapped(ip_address(address.split("%")[0]))
        except ValueError as error:
            raise EgressDenied(sentence("%(host)s resolves to an invalid address.", host=host)) from error
        if self._is_listed(host, port) or self._is_listed(str(found), port):
            return
        if any(found in network for network in DENIED if network.version == found.version) or not found.is_global:
            raise EgressDenied(
                sentence(
                    "%(host)s is in a private network. Add %(host)s:%(port)s to TICKETHUB_EGRESS_ALLOW "
                    "to allow calls to it.",
                    host=host,
                    port=port,
                )
            )

    def _is_listed(self, host: str, port: int) -> bool:
        return any(_matches(entry, host, port) for entry in self.allowed)


def unwrapped(address: Address) -> Address:
    """The IPv4 address embedded in an IPv6 address (mapped, compatible, translated or ISATAP), else the address itself.

    Tunnels that embed an IPv4 address, too (6to4, Teredo, NAT64), are denied as whole networks.

    >>> unwrapped(ip_address("::ffff:127.0.0.1")), unwrapped(ip_address("::127.0.0.1"))
    (IPv4Address('127.0.0.1'), IPv4Address('127.0.0.1'))
    >>> unwrapped(ip_address("::ffff:0:10.0.0.1")), unwrapped(ip_address("2001:470:1:2:0:5efe:10.0.0.1"))
    (IPv4Address('10.0.0.1'), IPv4Address('10.0.0.1'))
    >>> unwrapped(ip_address("::1"))
    IPv6Address('::1')
    """
    if isinstance(address, IPv4Address):
        return address
    above, low = divmod(int(address), 2**32)
    is_one = above in (0, _MAPPED, _TRANSLATED) or above & 0xFDFFFFFF == _ISATAP
    return IPv4Address(low) if is_one and low > 1 else address


_MAPPED = 0xFFFF
_TRANSLATED = 0xFFFF0000
_ISATAP = 0x00005EFE


def _matches(entry: str, host: str, port: int) -> bool:
    name, _, wanted_port = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
    name = name or entry
    if wanted_port and wanted_port != str(port):
        return False
    if name.lower() == host.lower():
        return True
    try:
        return ip_address(host) in ip_network(name, strict=False)
    except ValueError:
        return False
