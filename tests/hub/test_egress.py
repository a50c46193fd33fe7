"""Which addresses may be called: literals that hide loopback, names that resolve to it, links that lead there."""

from __future__ import annotations

import socket
import threading

import pytest

from hub.egress import EgressDenied, Policy, dial, open_session


class Canary:
    """Listens on loopback and counts who comes."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.visits = 0
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client:
                self.visits += 1
                client.recv(65536)
                client.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(scope="module")
def canary() -> Canary:
    return Canary()


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{p}/",
        "https://127.1:{p}/",
        "https://0:{p}/",
        "https://2130706433:{p}/",
        "https://0x7f000001:{p}/",
        "https://017700000001:{p}/",
        "https://[::1]:{p}/",
        "https://[::]:{p}/",
        "https://[::ffff:127.0.0.1]:{p}/",
        "https://[::127.0.0.1]:{p}/",
        "https://[::ffff:0:127.0.0.1]:{p}/",
        "https://localhost:{p}/",
        "https://good@127.0.0.1:{p}/",
        "https://127.0.0.1.:{p}/",
        "http://127.0.0.1:{p}/",
        "http://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{p}/",
        "https://127.0.0.1:99999/",
        "https:///nowhere",
        "https://[fe80::1%25eth0]:{p}/",
    ],
)
def test_nothing_reaches_loopback(canary: Canary, url: str) -> None:
    before = canary.visits

    with pytest.raises((EgressDenied, ValueError, OSError)):
        open_session(Policy()).get(url.format(p=canary.port), timeout=2)

    assert canary.visits == before


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "0.0.0.0",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::ffff:a9fe:a9fe",
        "fc00::1",
        "::127.0.0.1",
        "::10.0.0.1",
        "::7f00:1",
        "0:0:0:0:0:0:7f00:1",
        "::1",
        "::",
        "::ffff:0:127.0.0.1",
        "2001:470:1:2:0:5efe:10.0.0.1",
        "2001:470:1:2:200:5efe:127.0.0.1",
        "::ffff:127.0.0.1%eth0",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "64:ff9b:1::7f00:1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "not an address",
    ],
)
def test_private_and_special_addresses_are_denied(address: str) -> None:
    with pytest.raises(EgressDenied):
        Policy().check_address("vendor.example", address, 443)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_are_allowed(address: str) -> None:
    Policy().check_address("vendor.example", address, 443)


@pytest.mark.parametrize(
    ("entry", "host", "address", "port", "allowed"),
    [
        ("127.0.0.1:8801", "127.0.0.1", "127.0.0.1", 8801, True),
        ("127.0.0.1:8801", "127.0.0.1", "127.0.0.1", 8802, False),
        ("10.20.0.0/16", "redmine.example", "10.20.3.4", 443, True),
        ("10.20.0.0/16", "redmine.example", "10.21.3.4", 443, False),
        ("redmine.example", "redmine.example", "10.21.3.4", 443, True),
        ("redmine.example:443", "evil.example", "10.21.3.4", 443, False),
    ],
)
def test_the_installation_may_allow_its_own_network(
    entry: str, host: str, address: str, port: int, allowed: bool
) -> None:
    policy = Policy.of([entry])
    if allowed:
        policy.check_address(host, address, port)
    else:
        with pytest.raises(EgressDenied, match="TICKETHUB_EGRESS_ALLOW"):
            policy.check_address(host, address, port)


def test_what_is_allowed_is_reached_and_its_redirect_is_not_followed(canary: Canary) -> None:
    before = canary.visits

    answer = open_session(Policy.of([f"127.0.0.1:{canary.port}"])).get(
        f"http://127.0.0.1:{canary.port}/", allow_redirects=False, timeout=2
    )

    assert (answer.status_code, canary.visits) == (302, before + 1)


def test_a_redirect_is_not_followed_even_where_a_caller_asks_for_it(canary: Canary) -> None:
    """The session's own guard: every caller of ours says no to redirects as well."""
    before = canary.visits

    answer = open_session(Policy.of([f"127.0.0.1:{canary.port}", "127.0.0.1:1"])).get(
        f"http://127.0.0.1:{canary.port}/", allow_redirects=True, timeout=2
    )

    assert (answer.status_code, answer.history, canary.visits) == (302, [], before + 1)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_private_address_among_public_ones_is_enough_to_be_denied(
    monkeypatch: pytest.MonkeyPatch, canary: Canary, place: int
) -> None:
    """A name may have several addresses, and whichever answers first would be called."""
    addresses = ["93.184.216.34", "93.184.216.35"]
    addresses.insert(place, "127.0.0.1")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, canary.port)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)
    connected: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: connected.append(address))

    with pytest.raises(EgressDenied):
        dial(Policy(), "vendor.example", canary.port, 2)

    assert connected == []


def test_the_address_that_was_checked_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is resolved again for the call could lead elsewhere by then."""
    asked: list[str] = []

    def resolve(host: str, port: int, **_more: object) -> list[object]:
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    connected: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: connected.append(address))
    dial(Policy(), "vendor.example", 443, 2).close()

    assert (asked, connected) == (["vendor.example"], [("93.184.216.34", 443)])


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{canary.port}")
    before = canary.visits

    with pytest.raises((EgressDenied, OSError)):
        open_session(Policy()).get("https://10.0.0.1/", timeout=1)

    assert canary.visits == before
