"""The console in a browser: live without reload, both themes, nothing the content policy refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Membership, Organisation, State, User, Workflow, WorkflowVersion
from tests import factories
from workflows.handoffs import engagements
from workflows.lifecycle import triage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def agent(us: Organisation) -> Actor:
    if not State.objects.exists():
        version = WorkflowVersion.objects.create(
            workflow=Workflow.objects.create(name="Standard", is_default=True), status="published"
        )
        for slug, phase in (("new", "new"), ("in-progress", "active")):
            State.objects.create(version=version, slug=slug, name=slug, phase=phase, is_default=True)
    user = User.objects.create_user("ada@example.test", "a-long-enough-one", name="Ada Agent")
    Membership.objects.create(user=user, organisation=us, role="manager")
    return Actor.person(user, us)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_message_appears_without_reload_and_nothing_is_refused(
    browser: Any, live_server: Any, agent: Actor, scheme: str
) -> None:
    ticket = tickets.open_ticket(title="VPN down", requester=factories.PersonFactory(), actor=agent, at=now())
    page = browser.new_context(color_scheme=scheme).new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(f"{live_server.url}/log-in/")
    page.get_by_label("E-mail address").fill("ada@example.test")
    page.get_by_label("Password").fill("a-long-enough-one")
    page.get_by_role("button", name="Log in").click()
    page.locator(".hub-menu").wait_for()
    assert page.locator("html").get_attribute("data-bs-theme") == scheme
    page.goto(f"{live_server.url}{ticket.get_absolute_url()}")
    page.get_by_placeholder("Write a message.").fill("half a thought")
    messages.say(ticket=ticket, body="news from elsewhere", actor=agent, at=now())

    page.get_by_text("news from elsewhere").wait_for(timeout=10_000)
    assert page.get_by_placeholder("Write a message.").input_value() == "half a thought"
    page.get_by_role("button", name="Send").click()
    page.locator(".hub-body", has_text="half a thought").wait_for(timeout=10_000)
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.locator("html").get_attribute("data-bs-theme") != scheme
    assert complaints == []
    # The admin's “auto” is no choice: the system's theme holds.
    page.evaluate("localStorage.setItem('theme', 'auto')")
    page.reload()
    assert page.locator("html").get_attribute("data-bs-theme") == scheme


def test_what_is_fetched_anew_takes_nothing_away_that_is_being_written(
    browser: Any, live_server: Any, agent: Actor
) -> None:
    ticket = tickets.open_ticket(title="VPN down", requester=factories.PersonFactory(), actor=agent, at=now())
    engagements.offer(ticket=ticket, organisation=factories.OrganisationFactory(), actor=agent, at=now())
    page = browser.new_page()
    page.goto(f"{live_server.url}/log-in/")
    page.get_by_label("E-mail address").fill("ada@example.test")
    page.get_by_label("Password").fill("a-long-enough-one")
    page.get_by_role("button", name="Log in").click()
    page.goto(f"{live_server.url}{ticket.get_absolute_url()}")
    page.locator("#legs").get_by_text("Recall …").click()
    why = page.locator("#legs details[open] textarea")
    why.fill("they have no")
    page.get_by_text("All segments").click()
    page.get_by_placeholder("Write a message.").focus()
    messages.say(ticket=ticket, body="news from elsewhere", actor=agent, at=now())
    page.get_by_text("news from elsewhere").wait_for(timeout=10_000)

    assert why.input_value() == "they have no"
    assert page.locator("#ledger details").get_attribute("open") is not None
    page.get_by_text("Start joint triage").wait_for()
    triage.start(ticket=ticket, cause="person", reason="whose is it?", actor=agent, at=now())
    page.locator("#steer").get_by_text("whose is it?").wait_for(timeout=10_000)


def test_every_control_has_a_name(browser: Any, live_server: Any, agent: Actor) -> None:
    """What a screen reader says of buttons, links, fields and pictures."""
    ticket = tickets.open_ticket(title="VPN down", requester=factories.PersonFactory(), actor=agent, at=now())
    page = browser.new_context(viewport={"width": 390, "height": 800}).new_page()
    page.goto(f"{live_server.url}/log-in/")
    page.get_by_label("E-mail address").fill("ada@example.test")
    page.get_by_label("Password").fill("a-long-enough-one")
    page.get_by_role("button", name="Log in").click()
    page.locator(".hub-menu").wait_for()
    for url in ("/", "/tickets/", "/sync/", "/tickets/new/", ticket.get_absolute_url()):
        page.goto(f"{live_server.url}{url}")

        nameless = page.evaluate(NAMELESS)

        assert nameless == [], url
        assert page.locator("h1").count() == 1, url
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, f"{url} is wider than a phone"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read_against_what_it_stands_on(
    browser: Any, live_server: Any, agent: Actor, us: Organisation, scheme: str
) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 : 1, for what the page shows and for every colour a badge can have."""
    factories.contract(us, goals={"resolve": {"P3": 3600, "P1": 1}, "first_response": {"P3": 7200}})
    ticket = tickets.open_ticket(title="VPN down", requester=factories.PersonFactory(), actor=agent, at=now())
    engagements.offer(ticket=ticket, organisation=factories.OrganisationFactory(), actor=agent, at=now())
    triage.start(ticket=ticket, cause="person", reason="whose is it?", actor=agent, at=now())
    page = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{live_server.url}/log-in/")
    page.get_by_label("E-mail address").fill("ada@example.test")
    page.get_by_label("Password").fill("a-long-enough-one")
    page.get_by_role("button", name="Log in").click()
    page.locator(".hub-menu").wait_for()
    for url in ("/", "/tickets/", ticket.get_absolute_url(), "/sync/"):
        page.goto(f"{live_server.url}{url}")
        assert page.evaluate(FAINT, ["red", "orange", "yellow", "green", "azure", "purple", "secondary"]) == [], url


FAINT = """colours => {
  for (const colour of colours) {
    const badge = document.createElement('span');
    badge.className = `badge bg-${colour}-lt`; badge.textContent = colour;
    document.querySelector('main, body').append(badge);
  }
  document.querySelectorAll('details').forEach(each => { each.open = true; });
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const read = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (upper, lower) => [0, 1, 2].map(i => upper[i] * upper[3] + lower[i] * (1 - upper[3])).concat(1);
  const ground = element => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) layers.unshift(getComputedStyle(each).backgroundColor);
    return layers.map(read).reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const light = colour => {
    const [r, g, b] = colour.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return [...document.querySelectorAll('body *')].filter(e => e.offsetParent && !e.disabled && e.matches(':not(option)')
      && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
    const below = ground(e), word = light(over(read(getComputedStyle(e).color), below)), back = light(below);
    return [(Math.max(word, back) + 0.05) / (Math.min(word, back) + 0.05), e.className, e.textContent.trim()];
  }).filter(found => found[0] < 4.5);
}"""


NAMELESS = """() => [...document.querySelectorAll('button, a[href], input:not([type=hidden]), select, textarea, img')]
  .filter(e => !(e.labels && e.labels.length) && !e.getAttribute('aria-label') && !e.textContent.trim()
               && !e.getAttribute('title') && !(e.tagName === 'IMG' && e.hasAttribute('alt')))
  .map(e => e.outerHTML)"""
