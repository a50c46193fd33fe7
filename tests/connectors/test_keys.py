"""Credentials at rest and in logs: sealed with the newest key, and never written where anybody reads."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from connectors.autotask.simulator import QuietServer
from connectors.engine import registry, vault
from connectors.kit import oauth
from connectors.kit.errors import ConnectorError
from connectors.kit.simulating import Answer, Request
from connectors.models import Connection, Profile
from hub import redaction
from hub.core import crypto
from hub.core.clock import now
from hub.domain import accounts
from hub.domain.actors import Actor
from hub.models import Organisation
from tests import factories
from tests.conftest import SilentHandler
from tests.connectors.rest.vendor import Vendor, document
from tests.console.pages import opened
from workflows.handoffs import engagements, guest_links
from workflows.models import Endpoint

pytestmark = pytest.mark.django_db

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def run(*options: str) -> tuple[str, str, int]:
    out, err, status = StringIO(), StringIO(), 0
    try:
        call_command("rotate_keys", *options, stdout=out, stderr=err)
    except SystemExit as ended:
        status = int(str(ended.code))
    return out.getvalue(), err.getvalue(), status


@pytest.fixture
def sealed(us: Organisation, settings: Any) -> tuple[Connection, Endpoint]:
    """A connection and an endpoint whose secrets the old key sealed."""
    settings.SEAL_KEYS = [OLD]
    connection = Connection.objects.create(name="Desk", organisation=us, connector="autotask")
    vault.seal(connection, {"secret": "a-secret"})
    connection.save()
    endpoint = Endpoint.objects.create(name="Chat", channel="slack", url="https://chat.test/")
    endpoint.sealed = crypto.seal(endpoint.public_id, {"secret": "another-secret"})
    endpoint.save()
    settings.SEAL_KEYS = [NEW, OLD]
    return connection, endpoint


def test_every_credential_is_sealed_again_with_the_newest_key(
    sealed: tuple[Connection, Endpoint], settings: Any
) -> None:
    said = [run(), run()]
    settings.SEAL_KEYS = [NEW]

    assert said[0] == (
        "Credentials encrypted again with the newest key: 2.\nThe newest key opens 2 of 2.\n"
        "Key 2 (older) opens 0 of 2. It can be removed from TICKETHUB_SEAL_KEYS.\n",
        "",
        0,
    )
    assert said[1][0].startswith("Credentials encrypted again with the newest key: 0.")
    assert vault.unseal(Connection.objects.get()) == {"secret": "a-secret"}
    endpoint = Endpoint.objects.get()
    assert crypto.unseal(endpoint.public_id, bytes(endpoint.sealed)) == {"secret": "another-secret"}


def test_stopped_half_way_it_goes_on_where_it_was(sealed: tuple[Connection, Endpoint]) -> None:
    kind, pk = next(vault.sealed_rows())
    assert vault.reseal(kind, pk)
    before = bytes(Connection.objects.get().sealed)

    said, _err, status = run()

    assert (said.splitlines()[0], status) == ("Credentials encrypted again with the newest key: 1.", 0)
    assert bytes(Connection.objects.get().sealed) == before


def test_looking_changes_nothing_and_says_which_key_opens_what(sealed: tuple[Connection, Endpoint]) -> None:
    before = bytes(Connection.objects.get().sealed)

    assert run("--check") == ("The newest key opens 0 of 2.\nKey 2 (older) opens 2 of 2.\n", "", 0)
    assert bytes(Connection.objects.get().sealed) == before


def test_what_no_key_opens_is_named_and_left_as_it_is(sealed: tuple[Connection, Endpoint], settings: Any) -> None:
    settings.SEAL_KEYS = [NEW]
    before = bytes(Connection.objects.get().sealed)

    _said, err, status = run()

    assert "connection Desk: no key opens its credentials. Restore the key, or enter the credentials again.\n" in err
    assert "notification endpoint Chat: no key" in err
    assert (status, bytes(Connection.objects.get().sealed)) == (1, before)


# -- logs


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that any library logs at any level, as a handler of the root writes it."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


PLANTED = "pl4nted/secret+with=signs"
TOKEN = '[connect.token]\nurl = "{settings.address}/oauth/token"\nclient_id = "hub"\n'
WAYS_IN = {
    "user and password": 'user = "hub"\npassword = "{secrets.key}"',
    "bearer": 'bearer = "{secrets.key}"',
    "header": 'headers = { X-Api-Key = "{secrets.key}" }',
    "query": 'query = { api_key = "{secrets.key}" }',
    "client credentials": TOKEN + 'client_secret = "{secrets.key}"',
    "client credentials by basic": TOKEN + 'client = "basic"\nclient_secret = "{secrets.key}"',
    "token with the key in its address": TOKEN + 'query = { key = "{secrets.key}" }',
    "log-in of their own": '[connect.token]\ngrant = "none"\nurl = "{settings.address}/oauth/token"\n'
    'body = { password = "{secrets.key}" }\nheader = "X-Session"\nprefix = ""\n',
}


@pytest.fixture
def vendor(settings: Any) -> Iterator[str]:
    """A system on loopback that gives a token and then stumbles: the address it is called at."""

    def answer(request: Request) -> Answer:
        if request.path == "/oauth/token":
            return Answer(body={"access_token": "t0ken-that-they-gave", "expires_in": 3600})
        return Answer(status=500, body={"error": "out of order"})

    oauth._TOKENS.clear()
    server = QuietServer(("127.0.0.1", 0), SilentHandler)
    server.set_app(Vendor(answer))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    settings.EGRESS_ALLOW = [f"127.0.0.1:{server.server_port}"]
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("way", WAYS_IN)
def test_no_way_in_shows_its_credential_in_a_log(us: Organisation, vendor: str, log: io.StringIO, way: str) -> None:
    """Also where a library warns of a whole address, or shows what it was called with."""
    profile = Profile.objects.create(
        connector="rest", slug="desk", name="Desk", document=document(connect=WAYS_IN[way]), status="published"
    )
    connection = Connection.objects.create(
        name="Desk", organisation=us, connector="rest", profile=profile, settings={"address": vendor}
    )
    vault.seal(connection, {"key": PLANTED})
    connection.save()
    with registry.ready(connection) as connector:
        with pytest.raises(ConnectorError):
            connector.changes_since("2026-03-16T09:00:00Z")
        sent = {"Authorization": PLANTED, "address": f"{vendor}/tickets?api_key={quote(PLANTED, safe='')}"}
        other = logging.getLogger("some.library")
        other.warning("Retrying after %r, headers %s", sent["address"], sent)
        try:
            raise ValueError(f"cannot call {sent}") from KeyError("t0ken-that-they-gave")
        except ValueError:
            other.exception("It failed")
        logging.getLogger("py.warnings").warning(f"Unverified request to {sent['address']}")

    said = log.getvalue()
    assert "/tickets" in said  # the libraries did log what they did
    assert redaction.HIDDEN in said
    for form in (PLANTED, quote(PLANTED), quote(PLANTED, safe=""), repr(PLANTED)[1:-1]):
        assert form not in said
    if "token" in WAYS_IN[way]:
        assert "t0ken-that-they-gave" not in said


def test_the_installations_own_secrets_are_hidden_too(settings: Any, log: io.StringIO) -> None:
    redaction.know_address("postgresql://hub:p%40ss-of-the-database@db.test/hub")
    logging.getLogger("any").error("%s %s p@ss-of-the-database", settings.SECRET_KEY, settings.SEAL_KEYS[0])
    logging.getLogger("any").error("postgresql://hub:p%%40ss-of-the-database@db.test/hub %s", "fine")

    said = log.getvalue()
    for secret in (settings.SECRET_KEY, settings.SEAL_KEYS[0], "p@ss-of", "p%40ss-of"):
        assert secret not in said
    assert "fine" in said


def test_addresses_that_are_keys_stand_in_no_log_and_head_is_answered(
    us: Organisation, agent: Actor, log: io.StringIO, settings: Any
) -> None:
    """404, 403, 405, 410 and 429 are logged with their path."""
    vendor = factories.OrganisationFactory()
    leg = engagements.offer(ticket=opened(agent), organisation=vendor, actor=agent, at=now())
    guest_link = guest_links.open_for(leg, at=now())
    token, user = guest_links.token(guest_link), factories.member("manager", us)
    page, careful = Client(), Client(enforce_csrf_checks=True)
    where = f"/v/{token}/"
    link = accounts.reset_path(user)
    events = leg.ticket.events.count()
    settings.DEBUG = False
    answers = [
        page.head(where).status_code,
        page.get(f"/v/{token}/nothing").status_code,
        page.get(f"/v/{token[:-1]}{'b' if token.endswith('a') else 'a'}/").status_code,
        page.put(where).status_code,
        careful.post(where, {"act": "accept"}).status_code,
        page.get(f"{link}more").status_code,
        page.get(f"/hooks/{'0' * 26}/{'0123456789abcdef' * 2}/").status_code,
    ]
    assert leg.ticket.events.count() == events  # nothing of that was a use of it
    guest_link.window_at, guest_link.window_uses = now(), guest_links.USES_AN_HOUR
    guest_link.save()
    answers.append(page.get(where).status_code)

    said = log.getvalue()
    assert answers == [200, 404, 404, 405, 403, 404, 405, 429]
    assert said.count(redaction.HIDDEN) >= 6
    assert token not in said
    assert token[:-1] not in said
    assert link.split("/")[-2] not in said
    assert "0123456789abcdef" * 2 not in said


def test_a_look_never_acts(us: Organisation, agent: Actor) -> None:
    leg = engagements.offer(ticket=opened(agent), organisation=factories.OrganisationFactory(), actor=agent, at=now())
    where = reverse("console:guest_link", args=[guest_links.token(guest_links.open_for(leg, at=now()))])

    for verb in ("accept", "decline", "resolve"):
        Client().get(where, {"do": verb, "act": verb, "name": "Eve", "text": "done"})
        Client().head(where, {"do": verb, "act": verb, "name": "Eve", "text": "done"})

    assert leg.ticket.legs.get().stage == "offered"
