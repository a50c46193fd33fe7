"""No page has a fault that axe finds by the rules of WCAG 2.2 AA, in either theme, on a screen of 1,366 pixels."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Contract, Organisation, Ticket, User
from tests import factories
from tests.browser.test_console import agent, now
from workflows.handoffs import comments, engagements, stages
from workflows.lifecycle import tasks
from workflows.models import ReplyTemplate
from workflows.notifications import following

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => {
  const found = await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']});
  return found.violations.map(each => {
    const nodes = each.nodes.slice(0, 3).map(node => node.html.slice(0, 160));
    return `${each.id}: ${nodes.join(' | ')}`;
  });
}"""

__all__ = ["agent"]

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is missing: run make test, which installs it with npm"),
]


@pytest.fixture
def ticket(us: Organisation, agent: Actor) -> Ticket:
    """A ticket with something in every part of its page."""
    service, at = factories.ServiceFactory(name="Mail"), now() - timedelta(hours=3)
    factories.contract(us, kind=Contract.Kind.SLA, service=service, goals={"resolve": {"P3": 3600, "P1": 60}})
    requester = factories.PersonFactory(name="Priya", organisation=us)
    made = tickets.open_ticket(
        title="Mail is slow", description="Since Monday", service=service, requester=requester, actor=agent, at=at
    )
    vendor = factories.OrganisationFactory(name="Hostwerk")
    leg = engagements.offer(ticket=made, organisation=vendor, actor=agent, at=at)
    leg = stages.accept(leg=leg, actor=agent, at=at)
    comments.comment(ticket=made, body="We look into it", legs=[leg], is_for_requester=True, actor=agent, at=at)
    user = User.objects.get(email="ada@example.test")
    tasks.add(ticket=made, title="Call back", assignee=user, due_at=at, actor=agent, at=at)
    following.watch(user=user, ticket=made)
    comments.comment(ticket=made, body="News", actor=Actor.vendor(vendor, "Kai"), at=now())
    ReplyTemplate.objects.create(name="Ask", body="Since when?")
    return Ticket.objects.get(pk=made.pk)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, live_server: Any, ticket: Ticket, scheme: str) -> None:
    where = ticket.get_absolute_url()
    clock = ticket.clocks.get(target="resolve")
    page = browser.new_context(
        color_scheme=scheme, viewport={"width": 1366, "height": 900}, bypass_csp=True, reduced_motion="reduce"
    ).new_page()
    page.goto(f"{live_server.url}/log-in/")
    found = {"/log-in/": faults(page)}
    page.get_by_label("E-mail address").fill("ada@example.test")
    page.get_by_label("Password").fill("a-long-enough-one")
    page.get_by_role("button", name="Log in").click()
    page.locator(".hub-menu").wait_for()
    for url in (
        "/",
        "/work/",
        "/tickets/",
        "/tickets/?q=mail",
        "/tickets/new/",
        "/vendors/",
        "/sync/",
        "/notices/",
        "/account/",
        where,
        f"{where}edit/",
        f"{where}fields/",
        f"{where}audiences/",
        f"{where}clocks/{clock.pk}/",
        f"{where}print/",
    ):
        page.goto(f"{live_server.url}{url}")
        found[url] = faults(page)
    assert {url: each for url, each in found.items() if each} == {}


def faults(page: Any) -> list[str]:
    page.add_script_tag(path=str(AXE))
    return list(page.evaluate(RUN))
