"""A credential goes where it was entered for: who changes where to has to enter the credential again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from connectors.autotask.simulator import Simulator, Tenant
from connectors.engine import connection_profiles, profiles, registry, vault
from connectors.models import Connection
from connectors.rest.connector import Rest
from connectors.rest.profile_class import addresses
from connectors.wizard.forms.settings import access_settings
from hub.models import Organisation, User
from tests import factories
from tests.connectors.rest.journey import Server
from tests.console.test_pages import log_in

pytestmark = pytest.mark.django_db

ENTER_AGAIN = "so it would be sent to another system"
SECRETS = {"password": "planted-1", "client_secret": "planted-2", "refresh_token": "planted-3"}
MAIL = {
    "to": "vendor@x.test",
    "senders": "@x.test",
    "mailbox": "hub@x.test",
    "imap_host": "mail.x.test",
    "imap_port": "993",
    "imap_security": "tls",
    "folders": "INBOX",
    "smtp_host": "mail.x.test",
    "smtp_port": "465",
    "smtp_security": "tls",
    "user": "hub",
    "auth": "password",
    "trust": "address",
    "tenant": "",
    "client_id": "",
    "authserv": "",
}


class Spy:
    """Stands where the credentials would be lured to, and keeps all that arrives there."""

    def __init__(self) -> None:
        self.heard: list[dict[str, str]] = []

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        self.heard.append({name: str(value) for name, value in environ.items() if name.startswith("HTTP_")})
        start("404 Not Found", [("Content-Type", "application/json")])
        return [b"{}"]


@pytest.fixture
def spy(simulator: Simulator, settings: Any) -> Iterator[tuple[Spy, str]]:
    app = Spy()
    server = Server(app)
    settings.EGRESS_ALLOW = [*settings.EGRESS_ALLOW, f"127.0.0.1:{server.port}"]
    yield app, f"http://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def admin(us: Organisation) -> User:
    return factories.member("admin", us, is_staff=True, is_superuser=True)


@pytest.fixture
def client(admin: User) -> Client:
    return log_in(admin)


@pytest.fixture
def mail(us: Organisation) -> Connection:
    made = Connection(
        name="By mail",
        organisation=factories.OrganisationFactory(),
        connector="email",
        state="active",
        settings=MAIL,
        own_user="hub@x.test",
        cursor="{}",
    )
    return sealed(made, SECRETS)


@pytest.fixture
def rest(us: Organisation) -> Connection:
    slug, profile = connection_profiles.chosen("rest:redmine")
    kept = {"address": "https://redmine.x.test", "project": "1", "tracker": "1", "reference_field": "1"}
    made = Connection(
        name="Redmine",
        organisation=factories.OrganisationFactory(),
        connector=slug,
        profile=profile,
        state="active",
        settings=kept,
        own_user="7",
        cursor="2026-01-01T00:00:00Z",
    )
    return sealed(made, {"api_key": "planted-4"})


def sealed(connection: Connection, secrets: dict[str, str]) -> Connection:
    connection.save()
    vault.seal(connection, secrets)
    connection.save()
    return connection


def entered(connection: Connection, **other: str) -> dict[str, str]:
    """What the page Access sends when only this is changed: what is kept of credentials is empty there."""
    found = {setting.name: "" for setting in access_settings(registry.kind_of(connection))}
    shown = {name: value for name, value in connection.settings.items() if name in found}
    return found | shown | other


def as_kept(connection: Connection) -> dict[str, Any]:
    fresh = Connection.objects.get(pk=connection.pk)
    return {
        "settings": fresh.settings,
        "secrets": vault.unseal(fresh),
        "state": fresh.state,
        "memory": fresh.memory,
        "own_user": fresh.own_user,
        "cursor": fresh.cursor,
    }


def test_another_address_with_the_key_left_empty_is_refused_and_calls_nobody(
    client: Client, connection: Connection, spy: tuple[Spy, str]
) -> None:
    """The way an admin could have read a credential that nobody is ever shown."""
    before = as_kept(connection)
    form = entered(connection, zone_lookup=f"{spy[1]}/ATServicesRest")
    page = client.post(reverse("admin:connectors_access", args=[connection.pk]), form).content.decode()

    assert page.count(ENTER_AGAIN) == 3  # the key, the code, and what hooks are signed with
    assert spy[0].heard == []
    assert as_kept(connection) == before
    assert not LogEntry.objects.exists()


def test_the_admin_form_refuses_the_same(client: Client, connection: Connection, spy: tuple[Spy, str]) -> None:
    before = as_kept(connection)
    kind = registry.kind_of(connection)
    form = {f"setting_{setting.name}": connection.settings.get(setting.name, "") for setting in kind.settings}
    form |= {
        "name": connection.name,
        "organisation": str(connection.organisation_id),
        "connector": "autotask",
        "state": "active",
        "intake": "adopt",
        "sensitive_data": "warn",
        "poll_seconds": "60",
    }
    form["setting_zone_lookup"] = f"{spy[1]}/ATServicesRest"
    for state in ("active", "paused", "draft"):
        address = reverse("admin:connectors_connection_change", args=[connection.pk])
        page = client.post(address, form | {"state": state}).content.decode()

        assert ENTER_AGAIN in page
    assert spy[0].heard == []
    assert as_kept(connection) == before


@pytest.mark.parametrize(
    "moved",
    [
        {"imap_host": "mail.elsewhere.test"},
        {"imap_port": "994"},
        {"imap_security": "none"},
        {"smtp_host": "mail.elsewhere.test"},
        {"smtp_port": "25"},
        {"smtp_security": "none"},
    ],
)
def test_another_mail_server_or_none_of_its_encryption_needs_the_password_again(
    client: Client, mail: Connection, moved: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "ready", None)  # any call would fail the test
    before = as_kept(mail)
    page = client.post(reverse("admin:connectors_access", args=[mail.pk]), entered(mail, **moved)).content.decode()

    assert page.count(ENTER_AGAIN) == len(SECRETS)
    assert as_kept(mail) == before


def test_another_address_of_a_system_by_profile_needs_the_key_again(
    client: Client, rest: Connection, spy: tuple[Spy, str]
) -> None:
    before = as_kept(rest)
    form = entered(rest, address=spy[1])
    page = client.post(reverse("admin:connectors_access", args=[rest.pk]), form).content.decode()

    assert ENTER_AGAIN in page
    assert spy[0].heard == []
    assert as_kept(rest) == before


TOKEN = """
[connect]
base = "{settings.address}"
way = "client_credentials"
token = "{settings.token_address}"
authority = "{settings.authority}"
discover = "{settings.zones}"
"""


def test_every_setting_that_says_where_credentials_go_is_an_address() -> None:
    """Of a profile: the base, where tokens come from, where the base is asked for, and who signs for their host."""
    assert addresses(TOKEN) == {"address", "token_address", "authority", "zones"}


@pytest.mark.parametrize("name", sorted(Rest.shipped_profiles()))
def test_every_shipped_profile_says_which_setting_is_its_address(name: str) -> None:
    kind = Rest.of_profile(Rest.shipped_profiles()[name])

    assert [setting for setting in kind.settings if setting.is_address]
    assert all(setting in access_settings(kind) for setting in kind.settings if setting.is_secret or setting.is_address)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('base = "{settings.address}"', 'base = "https://elsewhere.test"'),
        ("X-Redmine-API-Key =", "X-Another-Header ="),
        ('label = "Address"', 'label = "Address"\ndefault = "https://elsewhere.test"'),
    ],
)
def test_another_version_of_a_profile_that_sends_elsewhere_gets_no_key(
    client: Client, rest: Connection, old: str, new: str
) -> None:
    assert rest.profile is not None
    draft = profiles.new_version(rest.profile)
    draft.document = draft.document.replace(old, new, 1)
    assert new in draft.document
    draft.save()
    profiles.publish(draft)
    client.post(
        reverse("admin:connectors_profile_changelist"), {"action": "move_connections", "_selected_action": [draft.pk]}
    )
    rest.refresh_from_db()

    assert rest.profile_id == draft.pk
    assert (rest.state, bytes(rest.sealed)) == ("locked_out", b"")
    assert "Enter them again" in rest.last_error
    assert LogEntry.objects.get(object_id=str(rest.pk)).get_change_message() == f"Changed: profile: {draft}."


def test_a_check_that_fails_changes_nothing(client: Client, connection: Connection, spy: tuple[Spy, str]) -> None:
    """All was entered again, but nobody answers there as Autotask does."""
    before = as_kept(connection)
    form = entered(
        connection, zone_lookup=f"{spy[1]}/ATServicesRest", secret="new", integration_code="new", hook_secret="new"
    )
    page = client.post(reverse("admin:connectors_access", args=[connection.pk]), form)

    assert page.status_code == 200  # the page again, with what is wrong
    assert spy[0].heard
    assert not [
        heard for heard in spy[0].heard if "a-secret" in str(heard) or before["secrets"]["secret"] in str(heard)
    ]
    assert as_kept(connection) == before
    assert not LogEntry.objects.exists()


def test_who_changed_what_is_kept_without_a_value(
    client: Client,
    admin: User,
    connection: Connection,
    simulator: Simulator,
    tenant: Tenant,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    form = entered(connection, zone_lookup=f"{simulator.base}/ATServicesRest/", secret=tenant.secret)
    form |= {"integration_code": tenant.integration_code, "hook_secret": "another"}
    answer = client.post(reverse("admin:connectors_access", args=[connection.pk]), form)

    assert answer.status_code == 302, answer.content.decode()
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (admin, str(connection.pk))
    told = entry.get_change_message()
    assert told.startswith("Changed: ")
    for label in ("Secret", "Tracking identifier", "Webhook secret", "Zone lookup"):
        assert label in told
    for value in (tenant.secret, tenant.integration_code, "another", simulator.base):
        assert value not in told + caplog.text
    assert str(admin) in caplog.text
