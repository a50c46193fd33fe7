"""What people do with the console from end to end, by its words alone, as somebody would who has read no manual.

Further journeys: twenty tickets by keyboard (`test_keys`), undoing (`test_undo`), a session that ends while somebody
writes (`test_typed`), two people on one ticket (`test_presence`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Leg, Organisation, Person, Phase, Service, Ticket, User
from hub.queries.pickers import PICKERS
from hub.search import indexing
from tests import factories
from tests.browser.people import a_person, a_workflow, logged_in
from tests.hub.test_previews import picture
from workflows.handoffs import engagements, stages

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]

NEWS = 30_000
"""Milliseconds within which an open page shows what others do: it asks every two seconds."""


@dataclass
class World:
    """A small IT organisation with two vendors and three tickets."""

    browser: Any
    live_server: Any
    us: Organisation
    hostwerk: Organisation
    printfix: Organisation
    mona: User
    payroll: Ticket

    def page(self, user: User, path: str = "", **context: Any) -> Any:
        page = logged_in(self.browser, self.live_server, user, **context)
        if path:
            page.goto(f"{self.live_server.url}{path}")
        return page

    @property
    def actor(self) -> Actor:
        return Actor.person(self.mona, self.us)


@pytest.fixture
def world(browser: Any, live_server: Any, us: Organisation) -> World:
    a_workflow()
    mona = a_person(us, "manager", "Mona Manager")
    hostwerk, printfix = (factories.OrganisationFactory(name=name) for name in ("Hostwerk", "Printfix"))
    factories.contract(us, goals={"resolve": {f"P{n}": 3600 for n in (1, 2, 3, 4)}})
    payroll: Service = factories.ServiceFactory(name="Payroll", tier=1, outage_cost=4000, outage_currency="EUR")
    printing: Service = factories.ServiceFactory(name="Printing", tier=3)
    priya: Person = factories.PersonFactory(name="Priya Patel")
    actor, at = Actor.person(mona, us), datetime.now(UTC).replace(microsecond=0)
    made = [
        tickets.open_ticket(title=title, service=service, requester=priya, actor=actor, at=at - timedelta(minutes=age))
        for title, service, age in (
            ("Printer jams", printing, 58),
            ("Salaries cannot be paid", payroll, 52),
            ("Screen flickers", None, 5),
        )
    ]
    return World(browser, live_server, us, hostwerk, printfix, mona, made[1])


def test_the_costliest_ticket_is_found_handed_over_and_the_answer_arrives(world: World) -> None:
    page = world.page(world.mona, "/")
    first = page.get_by_role("region", name="Fix this first").get_by_role("listitem").first
    assert "Salaries cannot be paid" in first.inner_text()
    assert "4,000 EUR an hour" in first.inner_text()
    first.get_by_role("link", name="Salaries cannot be paid").click()

    page.get_by_text("Hand over", exact=True).first.click()
    page.locator("select[name=organisation]").first.select_option(label="Hostwerk")
    page.get_by_label("What they need to know").fill("The database is full.")
    page.get_by_role("button", name="Hand over").click()
    page.get_by_text("(about to be sent)").wait_for()
    page.get_by_role("button", name="Send now").click()
    page.get_by_text("to accept").first.wait_for()

    theirs = world.page(a_person(world.hostwerk, "vendor", "Viktor Vendor"), "/tickets/")
    theirs.get_by_text("Salaries cannot be paid").click()
    theirs.get_by_text("The database is full.").first.wait_for()
    leg = Leg.objects.select_related("organisation", "ticket").get()
    actor = Actor.person(User.objects.get(name="Viktor Vendor"), world.hostwerk)
    leg = stages.accept(leg=leg, actor=actor, at=datetime.now(UTC))
    messages.say(ticket=leg.ticket, body="We are enlarging the disk.", legs=[leg], actor=actor, at=datetime.now(UTC))
    page.get_by_text("We are enlarging the disk.").wait_for(timeout=NEWS)
    assert "Hostwerk" in page.locator(".hub-strip").inner_text()
    theirs.get_by_text("We are enlarging the disk.").wait_for(timeout=NEWS)


def test_a_message_and_a_vendors_number_are_found(world: World) -> None:
    leg = engagements.offer(ticket=world.payroll, organisation=world.hostwerk, actor=world.actor, at=datetime.now(UTC))
    Leg.objects.filter(pk=leg.pk).update(remote_number="T20261128.0012")
    messages.say(
        ticket=world.payroll, body="It was a stale port on the switch.", actor=world.actor, at=datetime.now(UTC)
    )
    Ticket.objects.update(is_indexed=False)
    indexing.index_for_a_while()
    page = world.page(world.mona, "/")
    for words, where in (("stale port", "stale port"), ("20261128", "T20261128.0012"), ("salary", "Salaries")):
        page.get_by_label("Search tickets").fill(words)
        page.keyboard.press("Enter")
        page.wait_for_url("**/tickets/?q=*")
        row = page.locator(".hub-row", has_text=world.payroll.label)
        row.wait_for()
        assert where in row.inner_text()


def test_a_view_is_saved_pinned_and_exported(world: World) -> None:
    at = datetime.now(UTC)
    leg = engagements.offer(ticket=world.payroll, organisation=world.hostwerk, actor=world.actor, at=at)
    stages.accept(leg=leg, actor=world.actor, at=at)
    page = world.page(world.mona, "/tickets/")
    page.get_by_role("button", name="At risk").click()
    page.get_by_text("Filter", exact=True).click()
    page.get_by_role("link", name="Engaged").click()
    page.get_by_label("Hostwerk").check()
    page.get_by_role("button", name="Show only these").click()
    page.locator(".hub-row", has_text="Salaries cannot be paid").wait_for()
    assert page.locator(".hub-row").count() == 1
    page.get_by_text("Views", exact=True).click()
    page.get_by_label("Name of the view").fill("Hostwerk, at risk")
    page.get_by_role("button", name="Save view").click()
    page.get_by_role("navigation", name="Pinned views").get_by_text("Hostwerk, at risk").wait_for()
    with page.expect_download() as loading:
        page.get_by_role("link", name="Export CSV").click()
    text = Path(loading.value.path()).read_text("utf-8-sig")
    assert world.payroll.label in text
    assert len(text.strip().splitlines()) == 2


def test_a_ticket_is_opened_and_a_duplicate_is_proposed(world: World) -> None:
    indexing.index_for_a_while()
    page = world.page(world.mona, "/tickets/new/")
    page.get_by_label("Title").press_sequentially("Salaries cannot be paid out", delay=5)
    page.locator("#similar").get_by_text(world.payroll.label).wait_for(timeout=NEWS)
    page.get_by_label("Requester").press_sequentially("Pri", delay=5)
    page.get_by_label("Requester").fill(PICKERS["person"].label(Person.objects.get(name="Priya Patel")))
    page.get_by_label("Description").fill("Since this morning.")
    page.get_by_role("button", name="Open ticket").click()
    page.get_by_role("heading", name="Salaries cannot be paid out").wait_for()
    made = Ticket.objects.get(title="Salaries cannot be paid out")
    assert made.requester is not None
    assert made.requester.name == "Priya Patel"


def test_a_ticket_is_resolved_with_what_was_done_and_reopened(world: World) -> None:
    page = world.page(world.mona, world.payroll.get_absolute_url())
    page.locator("summary", has_text="Resolve").click()
    form = page.locator("details[open] form", has_text="Resolution")
    form.locator("textarea").fill("Enlarged the disk.")
    form.locator("select").select_option("solved")
    form.get_by_role("button", name="Resolve").click()
    page.locator("#resolution", has_text="Enlarged the disk.").wait_for()
    assert Ticket.objects.get(pk=world.payroll.pk).phase == Phase.RESOLVED
    page.locator("summary", has_text="Reopen").click()
    page.get_by_text("time is charged").first.wait_for()
    page.locator("details[open]").get_by_role("button", name="Reopen").click()
    page.get_by_text("Earlier resolution").first.wait_for()
    assert Ticket.objects.get(pk=world.payroll.pk).phase == Phase.ACTIVE


def test_two_people_edit_at_once_and_nothing_is_lost(world: World) -> None:
    url = f"{world.payroll.get_absolute_url()}edit/"
    ada = a_person(world.us, "agent", "Ada Agent")
    first, second = world.page(world.mona, url), world.page(ada, url)
    first.get_by_label("Title").fill("Salaries are late")
    first.get_by_role("button", name="Save").click()
    first.get_by_role("heading", name="Salaries are late").wait_for()
    second.get_by_label("Title").fill("No salaries")
    second.get_by_role("button", name="Save").click()
    said = second.get_by_role("alert").first
    said.wait_for()
    assert "Salaries are late" in said.inner_text()
    assert "Mona Manager" in said.inner_text()
    assert second.get_by_label("Title").input_value() == "No salaries"
    assert Ticket.objects.get(pk=world.payroll.pk).title == "Salaries are late"


def test_a_colleague_who_is_mentioned_is_told(world: World) -> None:
    ada = a_person(world.us, "agent", "Ada Agent")
    page, hers = world.page(world.mona, world.payroll.get_absolute_url()), world.page(ada, "/notices/")
    page.get_by_placeholder("Write a message.").fill("@Ada Agent, please call the bank.")
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator(".hub-body", has_text="please call the bank").wait_for()
    notice = hers.locator("main").get_by_text("Mona Manager mentioned you").first
    notice.wait_for(timeout=NEWS)
    other_tab = hers.context.new_page()
    other_tab.goto(f"{world.live_server.url}/work/")
    other_tab.locator("#unread .badge", has_text="1").wait_for()
    notice.click()
    hers.get_by_role("heading", name="Salaries cannot be paid").wait_for()
    other_tab.locator("#unread .badge").wait_for(state="detached", timeout=NEWS)


def test_joint_triage_is_begun_and_decided(world: World) -> None:
    page = world.page(world.mona, world.payroll.get_absolute_url())
    page.locator("summary", has_text="Start joint triage").click()
    form = page.locator("form[action$='/triage/']")
    form.locator("[name=reason]").fill("Storage or network?")
    form.get_by_role("button").last.click()
    page.locator("#steer").get_by_text("joint triage").first.wait_for()
    page.goto(f"{world.live_server.url}/tickets/?is=triage")
    page.locator(".hub-row", has_text="Salaries cannot be paid").click()
    form = page.locator("form", has=page.get_by_role("button", name="Decide"))
    form.locator("select").first.select_option(label="Hostwerk")
    form.locator("[name=decision]").fill("It is their storage.")
    form.get_by_role("button", name="Decide").click()
    page.get_by_text("It is their storage.").first.wait_for()
    assert Leg.objects.get().organisation == world.hostwerk


def test_a_picture_is_attached_and_looked_at(world: World, tmp_path: Path) -> None:
    file = tmp_path / "screen.png"
    file.write_bytes(picture(size=(300, 200)))
    page = world.page(world.mona, world.payroll.get_absolute_url())
    page.get_by_label("Files").set_input_files(str(file))
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_role("link", name="Preview of screen.png").click()
    drawn = page.locator(".hub-preview img")
    drawn.wait_for(timeout=NEWS)
    assert drawn.evaluate("image => image.decode().then(() => image.naturalWidth)") == 300
    assert page.url.endswith(world.payroll.get_absolute_url())
