"""The page of a vendor with no tool, as somebody on a ladder with a phone sees it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Stage
from tests import factories
from workflows.handoffs import engagements, guest_links

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_used_on_a_phone(browser: Any, live_server: Any, agent: Actor, scheme: str) -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    cabler = factories.OrganisationFactory(name="Cable & Co")
    ticket = tickets.open_ticket(title="Socket is dead", description="Since noon", priority="P3", actor=agent, at=at)
    leg = engagements.offer(ticket=ticket, organisation=cabler, actor=agent, at=at)
    page = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme).new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{live_server.url}/v/{guest_links.token(guest_links.open_for(leg, at=at))}/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_label("Your name").fill("Kai Cable")
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("“Accept” was recorded").wait_for()

    assert page.get_by_label("Your name").input_value() == "Kai Cable"
    page.get_by_role("button", name="Resolve").click()
    page.get_by_text("Please enter a text").wait_for()
    page.get_by_label("Message").fill("New cable")
    page.get_by_role("button", name="Resolve").click()
    page.get_by_text("nothing left to do here").wait_for()
    assert Leg.objects.get(pk=leg.pk).stage == Stage.DONE
    assert complaints == []
