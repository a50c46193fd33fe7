"""Outgoing webhooks: any receiver of Standard Webhooks verifies them, those of before go on, secrets are shown once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import responses
import time_machine
from django.apps import apps
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.test import Client
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from hub.core import crypto
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation, Ticket
from tests import factories
from tests.conftest import need
from tests.workflows import webhook_receiver
from worker import dispatcher
from workflows.admin import EndpointAdmin
from workflows.models import Endpoint, Notice
from workflows.notifications import notify, webhooks
from workflows.notifications.notify import Told

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
MONDAY = datetime(2026, 3, 16, 10, 0, tzinfo=UTC)

# The example by which the packages of the specification test themselves.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
CONTENT = '{"test": 2432232314}'
EXAMPLE_AT = datetime.fromtimestamp(1614265330, tz=UTC)

VERIFY_IN_NODE = """
const { Webhook } = require("standardwebhooks");
const { secret, isRaw, body, headers } = JSON.parse(process.argv[1]);
const webhook = isRaw ? new Webhook(Buffer.from(secret), { format: "raw" }) : new Webhook(secret);
try { webhook.verify(body, headers); console.log("verified"); } catch (error) { console.log(error.message); }
"""


def made(secret: str, *, is_old: bool = False) -> Endpoint:
    endpoint = Endpoint(name="Chat", channel="webhook", url="https://hooks.example.org/x", has_hex_signature=is_old)
    endpoint.sealed = crypto.seal(endpoint.public_id, {"secret": secret})
    endpoint.save()
    return endpoint


@pytest.fixture
def ticket(agent: Actor, settings: Any) -> Ticket:
    settings.EGRESS_ALLOW = ["hooks.example.org"]
    return Ticket.objects.get(pk=tickets.open_ticket(title="VPN – down", actor=agent, at=MONDAY).pk)


def tell(endpoint: Endpoint, ticket: Ticket, *keys: str) -> None:
    for key in keys or ("x",):
        told = Told(key=key, kind="escalation", ticket=ticket, why=f"Because of {key}", is_urgent=True)
        notify.tell(told, notify.endpoint(endpoint), at=MONDAY)


def posted(call: Any) -> tuple[bytes, dict[str, str]]:
    body = call.request.body
    return body if isinstance(body, bytes) else body.encode(), dict(call.request.headers)


def hexadecimal(secret: str, body: bytes, headers: dict[str, str]) -> str:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def said_by_node(secret: str, body: bytes, headers: dict[str, str], *, is_raw: bool = False) -> str:
    need(shutil.which("node"), "node: apt-get install nodejs")
    need((ROOT / "node_modules" / "standardwebhooks").exists(), "the npm package standardwebhooks: make test")
    given = json.dumps({"secret": secret, "isRaw": is_raw, "body": body.decode(), "headers": headers})
    done = subprocess.run(
        ["node", "-e", VERIFY_IN_NODE, given], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout.strip()


# -- the signature


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9))])
def test_the_example_of_the_specification_is_signed_as_it_says(zone: Any) -> None:
    signed = webhooks.signature_headers(
        made(SECRET), id=EXAMPLE["webhook-id"], content=CONTENT, at=EXAMPLE_AT.astimezone(zone)
    )

    assert signed == EXAMPLE
    with time_machine.travel(EXAMPLE_AT):
        assert Webhook(SECRET).verify(CONTENT, signed) == {"test": 2432232314}


@responses.activate
def test_python_and_node_verify_what_is_sent_and_nothing_that_was_changed(ticket: Ticket) -> None:
    endpoint = made("")
    secret = webhooks.renew_secret(endpoint)
    responses.post(endpoint.url, status=204)
    tell(endpoint, ticket)
    dispatcher.drain(most=3)
    body, headers = posted(responses.calls[0])

    assert re.fullmatch(r"v1,[A-Za-z0-9+/]{43}=", headers["webhook-signature"])
    assert headers["webhook-id"] == Notice.objects.get().public_id
    assert Webhook(secret).verify(body, headers)["subject"] == f"[{ticket.label}] Because of x"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"Because", b"becausE"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers | {"webhook-id": "another"})
    assert said_by_node(secret, body, headers) == "verified"
    assert said_by_node(secret, body.replace(b"Because", b"becausE"), headers) == "No matching signature found"


@responses.activate
@pytest.mark.parametrize("secret", ["s3cret", "Grüße, ein Geheimnis", "whsec_not base64!"])
def test_an_endpoint_of_before_gets_both_signatures(ticket: Ticket, secret: str) -> None:
    endpoint = made(secret, is_old=True)
    responses.post(endpoint.url, status=204)
    tell(endpoint, ticket)
    dispatcher.drain(most=3)
    body, headers = posted(responses.calls[0])

    old, standard = headers["webhook-signature"].split(" ")
    assert old == hexadecimal(secret, body, headers)
    assert Webhook(secret.encode()).verify(body, headers) == json.loads(body)
    assert Webhook(secret.encode()).verify(body, headers | {"webhook-signature": standard}) == json.loads(body)
    assert webhook_receiver.receive_with_old_secret(body, headers, secret=secret) == json.loads(body)
    assert said_by_node(secret, body, headers, is_raw=True) == "verified"


@responses.activate
def test_a_typed_secret_of_the_standards_form_is_decoded(ticket: Ticket) -> None:
    endpoint = made(SECRET, is_old=True)
    responses.post(endpoint.url, status=204)
    tell(endpoint, ticket)
    dispatcher.drain(most=3)
    body, headers = posted(responses.calls[0])

    assert Webhook(SECRET).verify(body, headers) == json.loads(body)
    assert headers["webhook-signature"].split(" ")[0] == hexadecimal(SECRET, body, headers)
    assert said_by_node(SECRET, body, headers) == "verified"


@responses.activate
def test_a_renewed_one_gets_the_standard_signature_only(ticket: Ticket) -> None:
    endpoint = made("s3cret", is_old=True)
    secret = webhooks.renew_secret(endpoint)
    responses.post(endpoint.url, status=204)
    tell(endpoint, ticket)
    dispatcher.drain(most=3)
    body, headers = posted(responses.calls[0])

    assert re.fullmatch(r"v1,\S+", headers["webhook-signature"])
    assert Webhook(secret).verify(body, headers) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook(b"s3cret").verify(body, headers)


def test_secrets_are_random_and_as_long_as_the_specification_asks() -> None:
    endpoint = made("")
    one, other = webhooks.renew_secret(endpoint), webhooks.renew_secret(endpoint)

    assert one != other
    assert 24 <= len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) <= 64


@responses.activate
def test_an_endpoint_without_a_secret_is_not_signed(ticket: Ticket) -> None:
    endpoint = Endpoint.objects.create(name="Chat", channel="slack", url="https://hooks.example.org/x")
    responses.post(endpoint.url, status=200)
    tell(endpoint, ticket)
    dispatcher.drain(most=3)

    assert [name for name in posted(responses.calls[0])[1] if name.lower().startswith("webhook")] == []


def test_a_secret_that_no_key_opens_is_said_and_not_tried_again(ticket: Ticket) -> None:
    endpoint = made(SECRET)
    Endpoint.objects.update(sealed=crypto.seal("another row", {"secret": SECRET}))
    tell(endpoint, ticket)
    dispatcher.drain(most=3)

    notice = Notice.objects.get()
    assert (notice.state, notice.why) == (
        "failed",
        "The secret of Chat cannot be read with this installation's keys.",
    )


# -- the id and the time


@responses.activate
def test_over_retries_the_id_stays_and_the_time_is_that_of_the_attempt(ticket: Ticket) -> None:
    endpoint = made(SECRET)
    responses.post(endpoint.url, status=503)
    responses.post(endpoint.url, status=204)
    with time_machine.travel(MONDAY, tick=False) as clock:
        tell(endpoint, ticket)
        dispatcher.drain(most=3)
        clock.shift(61)
        dispatcher.drain(most=3)
        first, second = [posted(call) for call in responses.calls]
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(first[0], second[1] | {"webhook-timestamp": first[1]["webhook-timestamp"]})
        assert Webhook(SECRET).verify(*second) == json.loads(first[0])
        clock.shift(301)
        with pytest.raises(WebhookVerificationError, match="too old"):
            Webhook(SECRET).verify(*second)

    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    times = [int(headers["webhook-timestamp"]) for _body, headers in (first, second)]
    assert times == [int(MONDAY.timestamp()), int(MONDAY.timestamp()) + 61]


@responses.activate
def test_what_could_not_be_sent_together_is_sent_together_again_under_the_same_id(ticket: Ticket) -> None:
    endpoint = made(SECRET)
    responses.post(endpoint.url, status=503)
    responses.post(endpoint.url, status=204)
    with time_machine.travel(MONDAY, tick=False) as clock:
        tell(endpoint, ticket, "a", "b", "c", "d")
        Notice.objects.update(due_at=MONDAY)
        dispatcher.drain(most=5)
        assert len(responses.calls) == 1
        clock.shift(61)
        dispatcher.drain(most=5)

    first, second = [posted(call) for call in responses.calls]
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    assert first[0] == second[0]
    assert sorted(Notice.objects.values_list("state", "attempts")) == [("merged", 1)] * 3 + [("sent", 1)]


@responses.activate
def test_a_receiver_that_drops_ids_it_has_seen_loses_no_notice(ticket: Ticket) -> None:
    """The first attempt arrives, and its answer does not; by the next one, more notices wait."""
    endpoint = made(SECRET)
    arrived: dict[str, str] = {}

    def receiver(request: Any) -> tuple[int, dict[str, str], str]:
        arrived.setdefault(request.headers["webhook-id"], request.body.decode())
        return (503 if len(arrived) == 1 else 204), {}, ""

    responses.add_callback(responses.POST, endpoint.url, receiver)
    with time_machine.travel(MONDAY, tick=False) as clock:
        tell(endpoint, ticket, "a", "b", "c", "d")
        Notice.objects.update(due_at=MONDAY)
        dispatcher.drain(most=5)
        clock.shift(61)
        tell(endpoint, ticket, *"efgh")
        Notice.objects.filter(state="ready").update(due_at=MONDAY)
        dispatcher.drain(most=5)

    assert not Notice.objects.filter(state="ready").exists()
    missing = [key for key in "abcdefgh" if not any(f"Because of {key}" in body for body in arrived.values())]
    assert missing == []


# -- the receiver of the how-to


@pytest.fixture
def fresh_receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(webhook_receiver, "seen", set())
    with time_machine.travel(EXAMPLE_AT, tick=False):
        yield


@pytest.mark.usefixtures("fresh_receiver")
def test_the_receiver_of_the_how_to_takes_what_is_genuine_once() -> None:
    body = CONTENT.encode()

    assert webhook_receiver.receive(body, EXAMPLE, secret=SECRET) == (204, {"test": 2432232314})
    assert webhook_receiver.receive(body, EXAMPLE, secret=SECRET) == (204, None)


@pytest.mark.usefixtures("fresh_receiver")
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"test": 2432232315}', {}),
        (b"\xff", {}),
        (CONTENT.encode(), {"webhook-timestamp": str(1614265330 - 301)}),
        (CONTENT.encode(), {"webhook-id": "msg_another"}),
        (CONTENT.encode(), {"webhook-signature": ""}),
        (CONTENT.encode(), {"webhook-signature": "nonsense"}),
        (CONTENT.encode(), {"webhook-signature": "v1,A"}),
    ],
)
def test_the_receiver_of_the_how_to_refuses_everything_else(body: bytes, headers: dict[str, str]) -> None:
    assert webhook_receiver.receive(body, EXAMPLE | headers, secret=SECRET) == (401, None)


# -- the admin


@pytest.fixture
def admin(us: Organisation, client: Client) -> Client:
    client.force_login(
        factories.member("admin", us, is_staff=True, is_superuser=True),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client


LIST = "/admin/workflows/endpoint/"


def secret_on(page: Any) -> str:
    [found] = re.findall(r'value="(whsec_[^"]+)"', page.content.decode())
    return str(found)


def secret_of(endpoint: Endpoint) -> str:
    return crypto.unseal(endpoint.public_id, bytes(endpoint.sealed))["secret"]


def test_a_new_endpoint_gets_a_secret_that_is_shown_once(admin: Client) -> None:
    form = {"name": "Desk", "channel": "webhook", "url": "https://hooks.example.org/x", "is_active": "on"}
    page = admin.post(f"{LIST}add/", form | {"secret": "weak"})

    endpoint = Endpoint.objects.get()
    assert secret_on(page) == secret_of(endpoint)
    assert "no-store" in page["Cache-Control"]
    assert not endpoint.has_hex_signature
    change = f"{LIST}{endpoint.pk}/change/"
    assert "whsec_" not in admin.get(change).content.decode() + admin.get(LIST).content.decode()

    before = secret_of(endpoint)
    assert admin.post(change, form | {"name": "Service desk", "secret": "weak"}).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.name, secret_of(endpoint)) == ("Service desk", before)


def test_renewing_is_confirmed_first_and_ends_the_old_signature(admin: Client) -> None:
    endpoint = made("s3cret", is_old=True)
    assert "legacy hexadecimal signature until the secret is renewed" in admin.get(LIST).content.decode()

    page = admin.post(LIST, {"action": "renew_secret", "_selected_action": [endpoint.pk]})
    assert "The old secret stops working at once" in page.content.decode()
    endpoint.refresh_from_db()
    assert (secret_of(endpoint), endpoint.has_hex_signature) == ("s3cret", True)

    page = admin.post(LIST, {"action": "renew_secret", "_selected_action": [endpoint.pk], "sure": "1"})
    endpoint.refresh_from_db()
    assert secret_on(page) == secret_of(endpoint)
    assert not endpoint.has_hex_signature
    assert "hexadecimal" not in admin.get(LIST).content.decode()
    assert LogEntry.objects.get().get_change_message() == "Renewed the secret."


def test_an_editor_saves_no_secret_that_was_renewed_meanwhile() -> None:
    endpoint = made("s3cret", is_old=True)
    loaded = Endpoint.objects.get()
    secret = webhooks.renew_secret(endpoint)
    loaded.name = "Renamed"
    EndpointAdmin(Endpoint, site).save_model(None, loaded, None, change=True)  # type: ignore[arg-type]

    kept = Endpoint.objects.get()
    assert (kept.name, secret_of(kept), kept.has_hex_signature) == ("Renamed", secret, False)


def test_a_slack_endpoint_has_no_secret_until_somebody_asks_for_one(admin: Client) -> None:
    form = {"name": "Chat", "channel": "slack", "url": "https://hooks.example.org/x", "is_active": "on"}

    assert admin.post(f"{LIST}add/", form).status_code == 302
    assert Endpoint.objects.get().sealed == b""


def test_the_migration_keeps_the_old_signature_where_there_was_a_secret() -> None:
    signed = made("s3cret")
    unsigned = Endpoint.objects.create(name="Plain", channel="slack", url="https://hooks.example.org/y")
    before = bytes(signed.sealed)

    importlib.import_module("workflows.migrations.0012_hex_signature_of_existing").keep_signing(apps, None)

    signed.refresh_from_db()
    unsigned.refresh_from_db()
    assert (signed.has_hex_signature, bytes(signed.sealed)) == (True, before)
    assert not unsigned.has_hex_signature
