"""An admin builds a workflow in the browser from the documentation alone, tries it, publishes it, sees it act."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Membership, Organisation, Service, Stage, Ticket, User, Workflow, WorkflowVersion
from tests import factories
from tests.workflows.building import STATES
from workflows.authoring import publishing, serialization
from workflows.handoffs import expiry, returns, stages
from workflows.models import Notice, Pending, PolicyRecord, Triage
from workflows.rules import runner

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]

AT = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)


@pytest.fixture
def agent(us: Organisation) -> Actor:
    if not WorkflowVersion.objects.filter(status="published").exists():
        Workflow.objects.get_or_create(name="Standard", defaults={"is_default": True})
        plain = {"format": serialization.FORMAT, "workflow": "Standard", "settings": {}, "states": STATES}
        made = serialization.taken_in(plain | {"transitions": [], "escalations": []})
        publishing.publish(made, user=None, why="to begin with", at=AT)
    user = User.objects.create_superuser("abel@example.test", "a-long-enough-one", name="Abel Admin")
    Membership.objects.create(user=user, organisation=us, role="admin")
    return Actor.person(user, us)


class Builder:
    """The admin in front of the builder's pages."""

    def __init__(self, browser: Any, url: str) -> None:
        self.page = browser.new_context(viewport={"width": 1360, "height": 1000}).new_page()
        self.page.set_default_timeout(8_000)
        self.url, self.shots = url, 0
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(f"{url}/admin/login/?next=/admin/hub/workflow/add/")
        self.page.fill("#id_username", "abel@example.test")
        self.page.fill("#id_password", "a-long-enough-one")
        self.page.click("[type=submit]")

    def shot(self, name: str) -> None:
        where = os.environ.get("TICKETHUB_SHOTS")
        if where:
            self.page.screenshot(path=str(Path(where) / f"builder-{name}.png"), full_page=True)

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).first.fill(text)

    def choose(self, label: str, option: str) -> None:
        self.page.get_by_label(label, exact=True).first.select_option(label=option)

    def tick(self, label: str) -> None:
        self.page.get_by_label(label, exact=True).first.check()

    def press(self, name: str) -> None:
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).first.click()

    def follow(self, name: str) -> None:
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=name, exact=True).first.click()

    def add_guard(self, kind: str) -> None:
        self.page.locator("#guard-new").select_option(label=kind)
        self.press("Add a guard")

    def add_action(self, kind: str, name: str = "action") -> None:
        self.page.locator(f"#{name}-new").select_option(label=kind)
        self.press("Add an action")

    def text(self) -> str:
        return str(self.page.locator("body").inner_text())


def test_payroll_p1_is_built_rehearsed_published_and_acts(browser: Any, live_server: Any, agent: Actor) -> None:
    first = factories.OrganisationFactory(name="Hostwerk")
    second = factories.OrganisationFactory(name="Beta Hosting")
    us = Organisation.objects.get(is_us=True)
    director = factories.member("executive", us, name="Ida Director", email="ida@us.test")
    factories.contract(us, goals={"resolve": {"P1": 4 * 3600}})
    payroll = factories.ServiceFactory(name="Payroll", tier=1)
    past = tickets.open_ticket(title="Payroll is down", priority="P1", service=payroll, actor=agent, at=AT)
    admin = Builder(browser, live_server.url)

    admin.fill("Name:", "Payroll P1")
    admin.press("Save")
    assert "Created the draft Payroll P1 v1 as a copy of the standard workflow." in admin.text()

    admin.follow("Settings")
    admin.fill("Return limit", "1")
    admin.press("Save")

    # Whatever is P1 goes to the first vendor, who has a quarter of an hour.
    admin.follow("Add transition")
    admin.fill("Name", "To the hosting vendor")
    admin.choose("Triggered by", "an event")
    admin.press("Show the fields of this trigger")
    admin.tick("opened")
    admin.add_guard("the priority is one of …")
    admin.tick("P1, critical")
    admin.add_action("hand over")
    admin.choose("Organisation", "Hostwerk")
    admin.fill("Minutes to accept", "15")
    admin.shot("transition")
    admin.press("Save")
    assert "“To the hosting vendor” was saved." in admin.text()

    admin.follow("Add transition")
    admin.fill("Name", "Ask the second vendor")
    admin.choose("Triggered by", "what a vendor does")
    admin.press("Show the fields of this trigger")
    admin.tick("does not answer in time")
    admin.tick("declines")
    admin.add_guard("the priority is one of …")
    admin.tick("P1, critical")
    admin.add_action("offer to the next vendor")
    for number, name in enumerate(("Hostwerk", "Beta Hosting")):
        admin.page.locator(f"[name=action0-organisations_{number}]").select_option(label=name)
    admin.press("Save")

    admin.follow("Add escalation")
    admin.fill("Name", "The director at half time")
    admin.fill("Percent of the goal", "50")
    admin.add_guard("the priority is one of …")
    admin.tick("P1, critical")
    admin.add_action("notify somebody", "step0action")
    admin.choose("Recipients", "our executives")
    admin.fill("Text", "{ticket.title}: half of the resolution time is used; {ticket.holder} holds the ticket.")
    admin.shot("escalation")
    admin.press("Save")
    admin.shot("built")
    assert "cannot be published yet" not in admin.text()

    # On what really happened it would have gone to the hosting vendor.
    admin.page.emulate_media(color_scheme="dark")
    admin.shot("built-dark")
    admin.page.emulate_media(color_scheme="light")
    admin.follow("Dry run")
    admin.page.locator("main, #content").get_by_label("Ticket", exact=True).fill(past.label)
    admin.press("Run")
    admin.shot("rehearsed")
    assert "hand over to Hostwerk" in admin.text()
    assert not past.legs.exists()

    admin.page.go_back()
    admin.page.goto(f"{live_server.url}/admin/hub/workflowversion/")
    admin.page.locator("tr", has_text="Payroll P1").get_by_role("link", name="Open builder").click()
    admin.follow("Publish")
    admin.shot("publish")
    admin.fill("Reason", "Payroll was down for a day in February.")
    admin.press("Publish")
    assert "Payroll P1 v1 is published. No service uses this workflow yet" in admin.text()
    admin.page.goto(f"{live_server.url}/admin/hub/service/{payroll.pk}/change/")
    admin.page.locator("[name=workflow]").select_option(label="Payroll P1")
    admin.press("Save")

    assert admin.complaints == []
    assert PolicyRecord.objects.get(version__workflow__name="Payroll P1").user.email == "abel@example.test"  # type: ignore[union-attr]
    ticket = _acts(Service.objects.get(pk=payroll.pk), first, second, director, agent)
    admin.page.goto(f"{live_server.url}{ticket.get_absolute_url()}")
    admin.shot("acts")
    assert "JOINT TRIAGE" in admin.text().upper()


def _acts(service: Service, first: Organisation, second: Organisation, director: User, agent: Actor) -> Ticket:
    """What was built is done: the offer, the next vendor, the director, the second bounce."""
    ticket = tickets.open_ticket(title="Payroll again", priority="P1", service=service, actor=agent, at=AT)
    _pass(ticket, AT)
    offered = Leg.objects.get(ticket=ticket)
    assert (offered.organisation, offered.deadline_at) == (first, AT + timedelta(minutes=15))
    expiry.expire(leg_id=offered.pk, at=AT + timedelta(minutes=15))
    leg = Leg.objects.filter(ticket=ticket).latest("number")
    assert (leg.organisation, leg.stage) == (second, Stage.OFFERED)

    leg = stages.accept(leg=leg, actor=Actor.vendor(second), at=AT + timedelta(minutes=20))
    _pass(ticket, AT + timedelta(hours=2))
    told = Notice.objects.filter(ticket=ticket, user=director, channel="console").get()
    assert "half of the resolution time is used; Beta Hosting holds the ticket." in told.body

    leg = returns.give_back(leg=leg, reason="not ours", actor=Actor.vendor(second), at=AT + timedelta(hours=3))
    assert leg.stage == Stage.ACCEPTED  # it stays with them until it is decided
    assert Triage.objects.get(ticket=ticket).cause == "bounces"
    return ticket


def _pass(ticket: Ticket, until: datetime) -> None:
    for _ in range(100):
        rows = Pending.objects.filter(ticket=ticket, state="waiting", due_at__lte=until)
        row = rows.order_by("due_at", "pk").first()
        if row is None:
            return
        runner.run(pending_id=row.pk, at=max(row.due_at, AT))
    raise AssertionError("it never rests")
