"""Calls that nothing is kept of: each is answered, counted, and shown on its connection's page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from connectors.autotask.simulator import Tenant
from connectors.autotask.webhooks import signature
from connectors.engine import hook_calls, hooks, registry, vault
from connectors.models import Connection, Inbound, Profile
from connectors.queries import sync_issues
from hub.models import Organisation
from tests import factories
from tests.connectors.rest.vendor import document

pytestmark = pytest.mark.django_db

SECRET = "hook-secret"


def connect(connector: str, **more: Any) -> Connection:
    made = Connection.objects.create(
        name=connector, organisation=factories.OrganisationFactory(), connector=connector, state="active", **more
    )
    vault.seal(made, {"hook_secret": SECRET, "key": SECRET})
    made.save()
    return made


def call(connection: Connection, body: bytes, **headers: str) -> int:
    where = f"/hooks/{connection.public_id}/"
    return Client().post(where, body, content_type="application/json", headers=headers).status_code


def counts(connection: Connection) -> tuple[int, int, int]:
    row = Connection.objects.get(pk=connection.pk)
    return row.rejected_hooks, row.unready_hooks, row.stray_hooks


@pytest.mark.parametrize("body", [b"", b"garbage", b"{}", b"\x00\xff" * 1000, json.dumps({"ID": 7}).encode()])
def test_what_is_not_signed_is_401_and_leaves_a_count(us: Organisation, body: bytes) -> None:
    for connector in ("autotask", "connectwise"):
        made = connect(connector, settings={"site": "na.myconnectwise.net"})

        assert call(made, body) == 401
        assert call(made, body, **{"X-Hook-Signature": "sha1=x", "X-Content-Signature": "x"}) == 401
        assert counts(made) == (2, 0, 0)
    assert not Inbound.objects.exists()


def test_a_system_that_makes_no_calls_has_no_address(us: Organisation) -> None:
    profile = Profile.objects.create(
        connector="rest", slug="desk", name="Desk", document=document(), status="published"
    )
    for made in (connect("email"), connect("rest", profile=profile)):
        assert call(made, b"{}") == 404
        assert counts(made) == (0, 0, 1)
    assert not Inbound.objects.exists()


def test_a_key_that_cannot_be_had_is_503_and_leaves_a_count(us: Organisation) -> None:
    """Nobody listens there; the second call does not even ask."""
    made = connect("connectwise", settings={"site": "https://127.0.0.1:1"})
    body = json.dumps({"ID": 7, "Metadata": {"key_url": "https://127.0.0.1:1/callbackkey/x"}}).encode()
    Connection.objects.filter(pk=made.pk).update(key_asked_at="2026-03-16T09:00:00Z")
    with registry.ready(made) as connector:
        assert connector.ports.may_ask_for_key()
        assert not connector.ports.may_ask_for_key()
    answer = Client().post(
        f"/hooks/{made.public_id}/", body, content_type="application/json", headers={"X-Content-Signature": "x"}
    )

    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert counts(made) == (0, 1, 0)
    assert not Inbound.objects.exists()


def test_the_counts_stand_on_the_connections_page(us: Organisation) -> None:
    made = connect("autotask")
    for name, times in (("rejected_hooks", 3), ("unready_hooks", 4), ("stray_hooks", 5)):
        for _ in range(times):
            hook_calls.count(made, name)
    page = Client()
    page.force_login(factories.member("manager", us), backend="django.contrib.auth.backends.ModelBackend")

    shown = page.get(f"/sync/connections/{made.public_id}/").content.decode()

    assert "Calls without a valid signature</dt><dd>3</dd>" in shown
    assert "Calls whose key could not be fetched</dt><dd>4</dd>" in shown
    assert "Unexpected calls</dt><dd>5</dd>" in shown


# -- that they call us, compared whole


def hooked(connection: Connection, tenant: Tenant) -> dict[str, Any]:
    hooks.register(connection, hub_url="https://hub.test")
    [hook] = tenant.hooks.values()
    return hook


def checked(connection: Connection) -> str:
    """What the hourly check says."""
    fresh = Connection.objects.get(pk=connection.pk)
    with registry.ready(fresh) as connector:
        hooks.keep(fresh, connector)
    return Connection.objects.get(pk=connection.pk).hook_note


def test_a_webhook_that_is_whole_stays_as_it_is(connection: Connection, tenant: Tenant) -> None:
    before = dict(hooked(connection, tenant))

    assert (checked(connection), hooked(connection, tenant)) == ("", before)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fields": []}, "wrong: fields"),
        ({"fields": [1]}, "wrong: fields"),
        ({"excluded": []}, "wrong: the exclusion of the API user"),
        ({"isSubscribedToUpdateEvents": False}, "wrong: event types"),
        ({"deactivationUrl": "https://elsewhere.test/"}, "wrong: the deactivation address"),
        ({"isActive": False}, "disabled the webhook"),
    ],
)
def test_what_is_missing_of_a_webhook_is_noticed_and_put_right(
    connection: Connection, tenant: Tenant, change: dict[str, Any], told: str
) -> None:
    hook = hooked(connection, tenant)
    whole = {name: sorted(hook[name]) if isinstance(hook[name], list) else hook[name] for name in change}
    hook |= change

    assert told in checked(connection)
    assert {name: sorted(hook[name]) if isinstance(hook[name], list) else hook[name] for name in change} == whole
    Connection.objects.update(hook_note="")
    assert checked(connection) == ""  # told once


def test_another_secret_here_is_entered_there_as_well(connection: Connection, tenant: Tenant) -> None:
    hook = hooked(connection, tenant)
    vault.seal(connection, vault.unseal(connection) | {"hook_secret": "a-new-one"})
    connection.save(update_fields=["sealed"])

    assert "wrong: the secret" in checked(connection)
    assert hook["secretKey"] == "a-new-one"


def test_calls_that_do_not_verify_are_told_and_the_secret_is_entered_again(
    connection: Connection, tenant: Tenant, us: Organisation
) -> None:
    hook = hooked(connection, tenant)
    hook["secretKey"] = "changed there"
    Connection.objects.update(rejected_hooks=29)
    assert [row.title for row in sync_issues.stuck() if row.kind == "connection"] == []
    assert call(connection, b"{}") == 401
    [row] = [row for row in sync_issues.stuck() if row.kind == "connection"]
    assert row.title == "Calls from Deskside Autotask are rejected"
    assert row.why.startswith("30 calls since the last valid one had a wrong signature or none")

    assert "the secret" in checked(connection)
    assert hook["secretKey"] == SECRET
    body = json.dumps({"Guid": "g", "EntityType": "Ticket", "Id": 1, "SequenceNumber": 1}).encode()
    assert call(connection, body, **{"X-Hook-Signature": signature(hook["secretKey"], body)}) == 202
    assert [row for row in sync_issues.stuck() if row.kind == "connection"] == []


@pytest.mark.parametrize("key", ["1" * 101, "1" * 5000])
def test_a_signed_call_about_an_id_that_cannot_be_is_kept_for_a_person(us: Organisation, key: str) -> None:
    made = connect("autotask")
    body = json.dumps({"Guid": "g", "EntityType": "Ticket", "Id": key, "SequenceNumber": 1}).encode()

    assert call(made, body, **{"X-Hook-Signature": signature(SECRET, body)}) == 202
    row = Inbound.objects.get()
    assert (row.state, bytes(row.body)) == ("parked", body)
    assert "which is not a valid ID" in row.error


@pytest.mark.parametrize("text", ["a\\u0000b", "a\\ud800b"])
def test_nul_and_half_a_character_in_an_id_are_kept_for_a_person(us: Organisation, text: str) -> None:
    rows = '[hook]\nkey = "answer.id"\ncheck = "header"\nheader = "X-Token"\nsecret = "{secrets.key}"\n'
    profile = Profile.objects.create(
        connector="rest", slug="desk", name="Desk", document=document(rest=rows), status="published"
    )
    made = connect("rest", profile=profile)

    assert call(made, f'{{"id": "{text}"}}'.encode(), **{"X-Token": SECRET}) == 202
    row = Inbound.objects.get()
    assert row.state == "parked"
    assert row.error


@pytest.mark.parametrize("at", ["9" * 400, "-" + "9" * 400, "1e400", "nan", "9999-12-31T23:59:59-14:00"])
def test_an_impossible_time_in_a_signature_is_a_wrong_signature(us: Organisation, at: str) -> None:
    rows = (
        '[hook]\nkey = "answer.id"\ncheck = "header"\nheader = "X-Token"\nsecret = "{secrets.key}"\n'
        "timestamp = \"headers['x-at']\"\n"
    )
    profile = Profile.objects.create(
        connector="rest", slug="desk", name="Desk", document=document(rest=rows), status="published"
    )

    assert call(connect("rest", profile=profile), b'{"id": 7}', **{"X-Token": SECRET, "X-At": at}) == 401
