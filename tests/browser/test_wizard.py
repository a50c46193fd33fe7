"""A fresh tenant of either vendor is connected in the browser, by somebody who makes mistakes on the way."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.autotask.simulator import Simulator as AutotaskSimulator
from connectors.autotask.simulator import Tenant as AutotaskTenant
from connectors.connectwise.simulator import Simulator as ConnectWiseSimulator
from connectors.connectwise.simulator import Tenant as ConnectWiseTenant
from connectors.engine.operations import trials
from connectors.kit.simulating import QuietServer, Simulator
from connectors.models import Connection, Trial
from connectors.rest.simulator import Simulator as RedmineSimulator
from connectors.rest.simulator import Tenant as RedmineTenant
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Organisation, Person, State, Ticket, User, Workflow, WorkflowVersion
from tests import factories, wire
from tests.browser.effort import SHOWN, Effort
from tests.conftest import SilentHandler
from worker import dispatcher
from workflows.handoffs import engagements

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]

RED = Path(__file__).resolve().parents[2] / "connectors" / "rest" / "profiles" / "redmine"
SHOTS = os.environ.get("TICKETHUB_SHOTS", "")
"""A folder for pictures of every page, for whoever wants to look at them."""


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def serve(simulator_of: Any, tenant: Any, settings: Any) -> Iterator[Simulator[Any]]:
    server = QuietServer(("127.0.0.1", 0), SilentHandler)
    base = f"http://127.0.0.1:{server.server_port}"
    app = simulator_of([tenant], base=base, now=lambda: datetime.now(UTC))
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    settings.EGRESS_ALLOW = [f"127.0.0.1:{server.server_port}"]
    contracts = {AutotaskSimulator: wire.autotask, ConnectWiseSimulator: wire.connectwise}
    wrong = wire.watched(app, contracts[simulator_of]()) if simulator_of in contracts else []
    yield app
    server.shutdown()
    server.server_close()
    thread.join()
    assert wrong == []


@pytest.fixture
def autotask(settings: Any) -> Iterator[Simulator[Any]]:
    tenant = AutotaskTenant(
        name="Deskside",
        domain="deskside.test",
        companies={"175": "Northwind", "176": "Somebody else"},
        people={"501": "Dora Desk"},
    )
    tenant.publish["4"] = "Internal & Co-Managed"
    tenant.queues["9"] = "Sales"
    yield from serve(AutotaskSimulator, tenant, settings)


@pytest.fixture
def redmine(settings: Any) -> Iterator[Simulator[Any]]:
    yield from serve(RedmineSimulator, RedmineTenant(domain="redmine.test", people={"7": "Rita Red"}), settings)


@pytest.fixture
def connectwise(settings: Any) -> Iterator[Simulator[Any]]:
    tenant = ConnectWiseTenant(
        name="Ledgerline",
        domain="ledgerline.test",
        company="ledgerline",
        companies={"250": "Northwind"},
        people={"lledger": "Lena Ledger"},
    )
    yield from serve(ConnectWiseSimulator, tenant, settings)


class Admin:
    """The admin at work in the browser, and what the browser complained about."""

    def __init__(self, browser: Any, url: str, name: str) -> None:
        self.page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        self.url, self.name, self.number = url, name, 0
        self.complaints: list[str] = []
        self.effort = Effort()
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(f"{url}/log-in/")
        self.fill("E-mail address", "abel@example.test")
        self.fill("Password", "a-long-enough-one")
        self.press("Log in")

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).fill(text)
        self.effort.copies() if len(text) > 12 else self.effort.types(text)

    def choose(self, label: str, option: str) -> None:
        self.page.get_by_label(label, exact=True).select_option(label=option)
        self.effort.chooses()

    def unfold(self) -> None:
        self.page.get_by_text("More settings").click()

    def reads(self) -> None:
        self.effort.reads(self.page.evaluate(SHOWN))

    def press(self, name: str) -> None:
        self.look()
        self.reads()
        self.effort.presses()
        self.page.get_by_role("button", name=name).click()
        self.page.wait_for_load_state()

    def look(self) -> None:
        if SHOTS:
            self.number += 1
            self.page.screenshot(path=Path(SHOTS) / f"{self.name}-{self.number:02}.png", full_page=True)

    def sees(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for(timeout=10_000)


@pytest.fixture
def vendor(us: Organisation) -> Organisation:
    if not State.objects.exists():
        version = WorkflowVersion.objects.create(
            workflow=Workflow.objects.create(name="Standard", is_default=True), status="published"
        )
        for slug, phase in (("new", "new"), ("in-progress", "active")):
            State.objects.create(version=version, slug=slug, name=slug, phase=phase, is_default=True)
    User.objects.create_superuser("abel@example.test", "a-long-enough-one", name="Abel Admin")
    factories.member("admin", us, email="other@example.test")
    abel = User.objects.get(email="abel@example.test")
    abel.memberships.create(organisation=us, role="admin")
    requester: Person = factories.PersonFactory(name="Priya Invoice")
    agent = Actor.person(abel, us)
    for title in ("Printing fails", "VPN down", "Screen black"):
        tickets.open_ticket(title=title, description="Since noon", requester=requester, actor=agent, at=now())
    made: Organisation = factories.OrganisationFactory(name="The vendor")
    return made


def how_to(system: str) -> str:
    """What the how-to says to whoever connects this system: its first part, and the table of what to have ready."""
    page = (Path(__file__).resolve().parents[2] / "docs/how-to/connect-a-vendor.md").read_text()
    parts = page.partition("## Page by page")[0].split("### ")
    return parts[0] + "".join(part for part in parts[1:] if part.split()[0] in system)


def begin(browser: Any, live_server: Any, name: str, system: str, *, new: str = "") -> Admin:
    admin = Admin(browser, live_server.url, name)
    admin.effort = Effort()
    admin.effort.reads(how_to(system))
    admin.page.goto(f"{live_server.url}/admin/connectors/connection/")
    admin.page.get_by_role("link", name="Connect a system step by step").click()
    if new:
        admin.fill("Or a new organisation", new)
    else:
        admin.choose("Organisation", "The vendor")
    admin.choose("System", system)
    admin.press("Continue")
    return admin


def end(admin: Admin) -> Connection:
    admin.press("Save draft and preview")
    admin.sees("What the vendor would see")
    admin.sees("never leaves Ticket Hub")
    admin.press("Go live")
    took = admin.effort
    admin.sees("is live")
    if SHOTS:
        (Path(SHOTS) / f"{admin.name}.txt").write_text(str(took))
    assert took.total < 300, str(took)
    admin.sees("Last received")
    admin.look()
    assert admin.complaints == []
    return Connection.objects.get()


def offer_one(connection: Connection) -> Leg:
    us = Organisation.objects.get(is_us=True)
    agent = Actor.person(User.objects.get(email="abel@example.test"), us)
    leg = engagements.offer(
        ticket=Ticket.objects.order_by("pk")[0], organisation=connection.organisation, actor=agent, at=now()
    )
    dispatcher.drain(most=2)
    return Leg.objects.get(pk=leg.pk)


def test_a_fresh_autotask_tenant_is_connected_in_the_browser(
    browser: Any, live_server: Any, vendor: Organisation, autotask: AutotaskSimulator
) -> None:
    tenant = autotask.tenants["deskside.test"]
    autotask.act("deskside.test", "open", by="501", title="Born there", status=7)
    admin = begin(browser, live_server, "autotask", "Autotask PSA")
    admin.fill("API user name", tenant.api_user)
    admin.fill("Secret", "guessed")
    admin.fill("Tracking identifier", tenant.integration_code)
    admin.unfold()  # only because this tenant is a simulated one: the real one is found at the usual address
    admin.page.get_by_label("Zone lookup", exact=True).fill(f"{autotask.base}/ATServicesRest")
    admin.unfold()
    admin.press("Check and continue")
    admin.sees("Autotask rejected the user name and secret")
    assert "guessed" not in admin.page.content()

    admin.fill("Secret", tenant.secret)
    admin.press("Check and continue")  # what was right is kept, also what is never shown again
    admin.sees("Our user can see 2 queues, boards or projects.")
    admin.choose("Company", "Northwind (175)")
    admin.choose("Queue", "Service Desk (8)")
    admin.choose("Note type", "Task Summary (1)")
    admin.page.get_by_label("Service Desk", exact=True).check()
    admin.press("Check and continue")
    admin.sees("The check succeeded.")
    admin.choose("Waiting Customer waiting for", "the requester")
    connection = end(admin)

    assert (connection.state, connection.intake_queues) == (Connection.State.ACTIVE, ["8"])
    assert tenant.secret not in str(connection.settings)
    assert offer_one(connection).delivered_at is not None
    assert [t["title"] for t in tenant.tickets.values()] == ["Born there", "Printing fails"]


def test_a_fresh_connectwise_tenant_is_connected_in_the_browser(
    browser: Any, live_server: Any, vendor: Organisation, connectwise: ConnectWiseSimulator
) -> None:
    tenant = connectwise.tenants["ledgerline.test"]
    admin = begin(browser, live_server, "connectwise", "ConnectWise PSA", new="Ledgerline")
    admin.fill("Site", connectwise.base)
    admin.fill("Company", "ledgerlin")
    admin.fill("Public key", tenant.public_key)
    admin.fill("Private key", tenant.private_key)
    admin.fill("Client ID", tenant.client_id)
    admin.fill("API member", tenant.api_member)
    admin.press("Check and continue")
    admin.sees("ConnectWise has no company with this name")

    admin.fill("Company", "ledgerline")
    admin.press("Check and continue")
    admin.sees("Our user can see 1 queue, board or project.")
    admin.press("Check and continue")  # the only company and the only board are chosen already
    admin.sees("The check succeeded.")
    connection = end(admin)

    assert (connection.name, connection.organisation.name) == ("Ledgerline (ConnectWise PSA)", "Ledgerline")
    assert offer_one(connection).delivered_at is not None
    assert [t["summary"] for t in tenant.tickets.values()] == ["Printing fails"]


def test_a_redmine_is_connected_by_its_profile_in_the_browser(
    browser: Any, live_server: Any, vendor: Organisation, redmine: RedmineSimulator
) -> None:
    tenant = redmine.tenants["redmine.test"]
    admin = begin(browser, live_server, "redmine", "Redmine")
    admin.fill("Address", redmine.base)
    admin.fill("API key", "guessed")
    admin.fill("ID of the reference field", "1")
    admin.press("Check and continue")
    admin.sees("Redmine rejected our credentials")
    admin.fill("API key", tenant.api_key)
    admin.press("Check and continue")
    admin.sees("Access works.")
    admin.press("Check and continue")  # the only project and tracker are chosen already
    admin.sees("The check succeeded.")
    admin.look()
    connection = end(admin)
    assert offer_one(connection).delivered_at is not None
    assert [t["subject"] for t in tenant.tickets.values()] == ["Printing fails"]

    admin.page.goto(f"{live_server.url}/admin/connectors/profile/")
    admin.page.get_by_role("link", name="Workbench").click()
    admin.page.get_by_label("Response", exact=True).fill('{"issues": []')
    admin.press("Preview")
    admin.sees("This is not valid JSON")
    sample = json.loads((RED / "samples" / "get.json").read_text())["answer"]
    admin.choose("Type of response", "one ticket")
    admin.page.get_by_label("Response", exact=True).fill(json.dumps(sample))
    admin.press("Preview")
    admin.sees("How the profile reads the response")
    admin.choose("Use the credentials of", connection.name)
    admin.press("Try")
    admin.sees("Waiting for a worker")
    admin.look()
    trials.run(trial_id=Trial.objects.get().pk)
    admin.sees("reading a ticket with its notes and files")  # the page asks by itself
    admin.look()
    assert admin.page.get_by_text("✗ fails").count() == 0
    assert admin.complaints == []


def test_a_monitoring_tool_is_connected_in_the_browser(browser: Any, live_server: Any, vendor: Organisation) -> None:
    admin = Admin(browser, live_server.url, "alerts")
    admin.page.goto(f"{live_server.url}/admin/connectors/connection/connect/")
    admin.choose("Organisation", Organisation.objects.get(is_us=True).name)
    admin.choose("System", "Autotask PSA")
    admin.press("Continue")
    admin.sees("only a monitoring tool can belong to our own organisation")
    admin.choose("System", "Alerts (monitoring, RMM)")
    admin.press("Continue")
    admin.fill("Alert storm: number of new alerts", "many")
    admin.press("Check and continue")
    admin.sees("Enter a number between 1 and 1000.")
    admin.fill("Alert storm: number of new alerts", "10")
    admin.press("Check and continue")
    admin.sees("Address for the tool")
    address = admin.page.get_by_label("Address").input_value()
    admin.page.get_by_label("Sample call from the tool").fill("{")
    admin.press("Preview")
    admin.sees("This is not valid JSON")
    recorded = Path(__file__).resolve().parents[2] / "fixtures/vendors/alerts/alertmanager-firing.json"
    admin.page.get_by_label("Sample call from the tool").fill(recorded.read_text())
    admin.press("Preview")
    admin.sees("Disk C: on ts-04 is full")
    admin.fill("P2, high", "critical")
    admin.press("Go live")
    admin.sees("already means P1")
    admin.fill("P2, high", "error, high")
    admin.press("Go live")
    admin.sees("Active alerts")
    path = address[address.index("/hooks/") :]
    post = urllib.request.Request(live_server.url + path, recorded.read_bytes(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(post) as answer:
        assert answer.status == 202
    dispatcher.drain(most=2)
    admin.page.reload()
    admin.sees("Disk D: on ts-05 fills")
    admin.look()

    assert admin.complaints == []
    assert Ticket.objects.filter(title="Disk C: on ts-04 is full", priority="P1").exists()


def test_a_profile_with_mistakes_says_where_they_are(browser: Any, live_server: Any, vendor: Organisation) -> None:
    admin = Admin(browser, live_server.url, "profile")
    admin.page.goto(f"{live_server.url}/admin/connectors/profile/add/")
    text = (RED / "profile.toml").read_text().replace('key = "item.id"', 'key = "itme.id"', 1)
    admin.page.get_by_label("Document").fill(text.replace('slug = "redmine"', 'slug = "ours"', 1))
    admin.page.get_by_role("button", name="Save", exact=True).click()
    admin.sees("ticket.key: Unknown name “itme”. Available: answer, item, me, settings.")
    admin.look()
    admin.page.get_by_label("Document").fill((RED / "profile.toml").read_text().replace("redmine", "ours", 1))
    admin.page.get_by_role("button", name="Save", exact=True).click()
    admin.sees("was added successfully")
    admin.page.goto(f"{live_server.url}/admin/connectors/profile/")
    admin.page.get_by_role("link", name="Form", exact=True).click()
    admin.page.get_by_role("link", name="list", exact=True).click()
    admin.fill("items", "answer.isues +")
    admin.page.get_by_role("button", name="Save").click()
    admin.sees("Not saved")
    admin.look()
    admin.fill("items", "answer.issues")
    admin.page.get_by_role("button", name="Save").click()
    admin.sees("Saved; the profile is valid.")
    admin.look()
    assert admin.complaints == []


def test_an_address_inside_our_own_network_is_refused(browser: Any, live_server: Any, vendor: Organisation) -> None:
    admin = begin(browser, live_server, "inside", "ConnectWise PSA")
    for label in ("Company", "Public key", "Private key", "Client ID", "API member"):
        admin.fill(label, "x")
    for address in ("http://127.0.0.1:1", "https://169.254.169.254", "https://10.0.0.7", "https://[::1]"):
        admin.fill("Site", address)
        admin.press("Check and continue")
        admin.page.get_by_role("alert").first.wait_for()
        assert "/access/" in admin.page.url
