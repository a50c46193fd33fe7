"""The admin: every list opens, published policy is final, a connection goes live only after its check."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from connectors.autotask.simulator import Simulator, Tenant
from connectors.engine import vault
from connectors.models import Connection, Mapping
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Calendar, Contract, Organisation, State, WorkflowVersion
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(us: Organisation) -> Client:
    made = Client()
    made.force_login(
        factories.member("admin", us, is_staff=True, is_superuser=True),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return made


@pytest.mark.parametrize("model", [m for m in admin.site._registry if m._meta.app_label in ("hub", "connectors")])
def test_every_list_and_form_opens(client: Client, connection: Connection, model: Any) -> None:
    label = f"{model._meta.app_label}_{model._meta.model_name}"

    assert client.get(reverse(f"admin:{label}_changelist")).status_code == 200
    if admin.site._registry[model].has_add_permission(_request(client)):
        assert client.get(reverse(f"admin:{label}_add")).status_code == 200


def _request(client: Client) -> Any:
    return client.get("/admin/").wsgi_request


def test_published_policy_is_final_and_a_new_version_is_a_draft(client: Client, us: Organisation) -> None:
    contract = factories.contract(us, goals={"resolve": {"P1": 60}})
    url = reverse("admin:hub_contract_changelist")

    page = client.get(reverse("admin:hub_contract_change", args=[contract.pk]))
    assert "Save" not in page.content.decode().split("submit-row")[-1]
    client.post(url, {"action": "new_version", "_selected_action": [contract.pk]})
    draft = Contract.objects.get(version=2)
    assert (draft.status, draft.targets.count()) == ("draft", 1)
    client.post(url, {"action": "publish", "_selected_action": [draft.pk]})

    assert dict(Contract.objects.values_list("version", "status")) == {1: "retired", 2: "published"}


def test_a_new_workflow_version_renames_a_status_for_what_comes_next(
    client: Client, agent: Actor, at: datetime
) -> None:
    url = reverse("admin:hub_workflowversion_changelist")
    before = tickets.open_ticket(title="VPN", actor=agent, at=at)
    client.post(url, {"action": "new_version", "_selected_action": [WorkflowVersion.objects.get().pk]})
    draft = WorkflowVersion.objects.get(number=2)
    draft.states.get(phase="closed").delete()
    publish = reverse("admin:workflows_publish", args=[draft.pk])
    page = client.post(publish, {"why": "to see"})
    assert "closed" in page.content.decode().split("This version cannot be published yet")[1].split("</ul>")[0]
    State.objects.create(version=draft, slug="closed", name="Closed", phase="closed", is_default=True)
    draft.states.filter(phase="new").update(name="Just arrived")
    client.post(publish, {"why": "a clearer name"})

    after = tickets.open_ticket(title="VPN", actor=agent, at=at)

    assert (before.status.name, after.status.name) == ("New", "Just arrived")
    assert dict(WorkflowVersion.objects.values_list("number", "status")) == {1: "fading", 2: "published"}


def test_a_calendar_that_cannot_be_is_refused_in_words(client: Client) -> None:
    page = client.post(
        reverse("admin:hub_calendar_add"),
        {"name": "Odd", "time_zone": "Mars", "weekly_mon": "9-17"},
    )

    assert "Unknown time zone &#x27;Mars&#x27;" in page.content.decode()
    assert not Calendar.objects.exists()


@pytest.mark.parametrize(
    ("zone", "weekly", "hours", "bars"),
    [
        ("Europe/Berlin", factories.OFFICE, "40", 5),
        ("Asia/Kolkata", {"mon": [["09:00", "12:00"], ["13:00", "17:30"]]}, "7.5", 2),
        ("UTC", {}, "0", 0),
    ],
)
def test_a_calendar_shows_its_coming_week(client: Client, zone: str, weekly: Any, hours: str, bars: int) -> None:
    row = Calendar.objects.create(name="x", time_zone=zone, weekly=weekly)
    page = client.get(reverse("admin:hub_calendar_change", args=[row.pk])).content.decode()
    assert f"{hours} working hours in the next seven days, in the time zone {zone}." in page
    assert page.count("#2f9e44") == bars


def form(organisation: Organisation, tenant: Tenant, simulator: Simulator, **more: str) -> dict[str, Any]:
    return {
        "name": "New",
        "organisation": organisation.pk,
        "connector": "autotask",
        "state": "active",
        "intake": "adopt",
        "sensitive_data": "warn",
        "poll_seconds": 60,
        "setting_user_name": tenant.api_user,
        "setting_secret": tenant.secret,
        "setting_integration_code": tenant.integration_code,
        "setting_company_id": "175",
        "setting_queue_id": "8",
        "setting_note_type": "1",
        "setting_due_hours": "24",
        "setting_zone_lookup": f"{simulator.base}/ATServicesRest",
    } | more


def test_a_connection_goes_live_after_its_check_and_shows_no_secret(
    client: Client, simulator: Simulator, tenant: Tenant
) -> None:
    vendor = factories.OrganisationFactory()

    client.post(reverse("admin:connectors_connection_add"), form(vendor, tenant, simulator))

    made = Connection.objects.get()
    assert (made.state, made.own_user) == ("active", "502")
    assert "secret" not in made.settings
    assert vault.unseal(made)["secret"] == tenant.secret
    page = client.get(reverse("admin:connectors_connection_change", args=[made.pk])).content.decode()
    assert tenant.secret not in page
    assert tenant.integration_code not in page


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"setting_queue_id": "99"}, "There is no active queue with this ID."),
        ({"setting_secret": "guess"}, "Autotask rejected the user name and secret"),
        ({"setting_zone_lookup": "https://10.0.0.1/x"}, "is in a private network"),
        ({"setting_zone_lookup": "http://vendor.example/x"}, "without encryption"),
        ({"setting_secret": ""}, "This field is required."),
    ],
)
def test_a_check_that_fails_saves_nothing_and_says_why(
    client: Client, simulator: Simulator, tenant: Tenant, wrong: dict[str, str], said: str
) -> None:
    vendor = factories.OrganisationFactory()

    page = client.post(reverse("admin:connectors_connection_add"), form(vendor, tenant, simulator, **wrong))

    assert said in page.content.decode()
    assert not Connection.objects.exists()


def test_their_system_is_asked_once_to_call_us(client: Client, connection: Connection, tenant: Tenant) -> None:
    for _ in range(2):
        client.post(
            reverse("admin:connectors_connection_changelist"),
            {"action": "register_hook", "_selected_action": [connection.pk]},
        )

    assert [hook["webhookUrl"] for hook in tenant.hooks.values()] == [
        f"http://127.0.0.1:8000/hooks/{connection.public_id}/"
    ]


def test_a_new_mapping_version_carries_every_rule(client: Client, connection: Connection) -> None:
    client.post(
        reverse("admin:connectors_mapping_changelist"),
        {"action": "new_version", "_selected_action": [Mapping.objects.get().pk]},
    )

    old, new = Mapping.objects.order_by("version")
    assert [new.fields.count(), new.values.count(), new.statuses.count(), new.notes.count()] == [
        old.fields.count(),
        old.values.count(),
        old.statuses.count(),
        old.notes.count(),
    ]
