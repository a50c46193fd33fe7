"""A system that asks for our certificate, and whose own was signed by an authority of its own: over a real TLS line."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.engine import profiles, registry, vault
from connectors.kit.errors import ConnectorError, Refused, TryLater
from connectors.models import Connection
from tests import factories
from tests.connectors.rest.vendor import document

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("us")]


class Signed(NamedTuple):
    """A certificate with its key."""

    key: Any
    certificate: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def with_key(self) -> str:
        kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.pem + self.key.private_bytes(serialization.Encoding.PEM, kind, plain).decode()


def sign(name: str, by: Signed | None = None) -> Signed:
    key = ec.generate_private_key(ec.SECP256R1())
    mine = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(mine)
        .issuer_name(by.certificate.subject if by else mine)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    return Signed(key, built.sign(by.key if by else key, hashes.SHA256()))


AUTHORITY = sign("Vendor's authority")
OURS = sign("hub", AUTHORITY)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = b'{"items": []}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "server.pem").write_text(sign("127.0.0.1", AUTHORITY).with_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(cadata=AUTHORITY.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def connected(port: int, settings: Any, **secrets: str) -> Connection:
    settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
    text = document(connect='certificate = "{secrets.pem}"\nauthority = "{settings.authority}"')
    text = text.replace(
        "[connect]",
        '[[settings]]\nname = "pem"\nlabel = "Certificate"\nsecret = true\n'
        '[[settings]]\nname = "authority"\nlabel = "Authority"\nrequired = false\n[connect]',
        1,
    )
    made = Connection(
        name="By certificate",
        organisation=factories.OrganisationFactory(),
        connector="rest",
        profile=profiles.publish(profiles.take_in(text)),
        settings={"address": f"https://127.0.0.1:{port}", "authority": AUTHORITY.pem},
    )
    made.save()
    vault.seal(made, {"pem": OURS.with_key} | secrets)
    made.save()
    return made


def test_we_show_our_certificate_and_believe_their_authority(port: int, settings: Any) -> None:
    with registry.ready(connected(port, settings)) as connector:
        assert connector.check().own_user == "known by our marks"


def test_another_certificate_or_authority_lets_nobody_in(port: int, settings: Any) -> None:
    made = connected(port, settings, pem=sign("somebody else").with_key)
    with registry.ready(made) as connector, pytest.raises(ConnectorError):
        connector.check()
    vault.seal(made, {"pem": OURS.with_key})
    made.settings["authority"] = ""  # the public authorities did not sign theirs
    with registry.ready(made) as connector, pytest.raises(TryLater):
        connector.check()


@pytest.mark.parametrize("pem", ["nothing", OURS.pem, "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_is_said_at_its_setting(port: int, settings: Any, pem: str) -> None:
    made = connected(port, settings, pem=pem)
    with (
        registry.ready(made) as connector,
        pytest.raises(Refused, match="Expected a certificate with its") as refused,
    ):
        connector.check()
    assert refused.value.field == "pem"
