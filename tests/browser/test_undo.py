"""What was just done is undone with one key, and the offer goes when it has run out."""

from __future__ import annotations

from typing import Any

import pytest

from hub.models import Organisation, Ticket
from tests.browser.conftest import UNDO_SECONDS
from tests.browser.people import a_person, a_workflow, logged_in, some_tickets

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def page(browser: Any, live_server: Any, us: Organisation) -> Any:
    """A ticket that its reader has just taken."""
    a_workflow()
    user = a_person(us)
    [ticket] = some_tickets(user, us, 1)
    page = logged_in(browser, live_server, user, viewport={"width": 390, "height": 780})
    page.clock.install()
    page.goto(f"{live_server.url}{ticket.get_absolute_url()}")
    page.keyboard.press("t")
    page.locator("#undo").wait_for()
    assert Ticket.objects.get().assignee == user
    return page


def test_one_key_undoes(page: Any) -> None:
    offer = page.locator("#undo").bounding_box()
    assert offer["x"] >= 0
    assert offer["x"] + offer["width"] <= 390
    assert offer["y"] + offer["height"] <= 780
    page.keyboard.press("u")
    page.get_by_text("Undone.").wait_for()
    assert Ticket.objects.get().assignee is None
    assert page.locator("#undo").count() == 0


def test_the_offer_goes_when_it_has_run_out(page: Any) -> None:
    page.get_by_role("button", name="Undo").focus()
    page.clock.fast_forward(1000 * UNDO_SECONDS + 1)
    page.locator("#undo").wait_for(state="detached")
    assert page.evaluate("document.activeElement.id") == "main"
