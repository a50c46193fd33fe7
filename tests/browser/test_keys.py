"""The ticket list by keyboard alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation, Ticket, User
from hub.search import indexing
from tests import factories
from tests.browser.people import a_person, a_workflow, logged_in, some_tickets

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def page(browser: Any, live_server: Any, us: Organisation) -> Any:
    """The list of twenty-two open tickets, for a manager who is logged in."""
    a_workflow()
    user = a_person(us)
    some_tickets(user, us, 22)
    page = logged_in(browser, live_server, user)
    page.goto(f"{live_server.url}/tickets/?sort=number")
    return page


def test_twenty_tickets_are_assigned_by_keyboard_alone(page: Any) -> None:
    for _ in range(20):
        page.keyboard.press("j")
        page.keyboard.press("x")
    page.keyboard.press("a")
    page.wait_for_url("**/tickets/bulk/")
    assert "20 tickets" in page.locator("h1").inner_text()
    page.get_by_label("Assignee").focus()
    page.keyboard.type("Ada")
    page.get_by_role("button", name="Preview").press("Enter")
    page.get_by_role("button", name="Apply to 20 tickets").press("Enter")
    page.wait_for_url("**/tickets/bulk/*/")
    assert "20 done, 0 refused." in page.get_by_role("status").first.inner_text()
    assert "Assign: 20 tickets." in page.locator("#undo").inner_text()
    assert sorted(Ticket.objects.exclude(assignee=None).values_list("title", flat=True)) == sorted(
        f"T{number}" for number in range(20)
    )


def test_a_key_acts_on_the_current_ticket_and_never_in_a_field(page: Any, live_server: Any) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("h")
    page.wait_for_url("**/tickets/bulk/")
    assert "1 ticket" in page.locator("h1").inner_text()
    assert "T0" in page.locator("main .list-group").inner_text()
    page.goto(f"{live_server.url}/tickets/")

    page.keyboard.press("/")
    page.keyboard.type("jxa")
    search = page.get_by_label("Search tickets")
    assert search.input_value() == "jxa"
    assert page.locator(".hub-current, .hub-row input:checked").count() == 0


def test_r_replies_to_the_requester(browser: Any, live_server: Any, us: Organisation) -> None:
    a_workflow()
    mona = a_person(us, "manager", "Mona Manager")
    made = tickets.open_ticket(
        title="No mail",
        requester=factories.PersonFactory(name="Priya"),
        actor=Actor.person(mona, us),
        at=datetime.now(UTC),
    )
    page = logged_in(browser, live_server, mona)
    page.goto(f"{live_server.url}{made.get_absolute_url()}")
    page.keyboard.press("r")
    assert page.get_by_label("Priya").is_checked()
    page.keyboard.type("It works again.")
    assert page.get_by_placeholder("Write a message.").input_value() == "It works again."


def test_the_list_of_shortcuts_names_those_of_the_page_and_they_can_be_switched_off(
    page: Any, live_server: Any
) -> None:
    page.keyboard.press("?")
    text = page.locator("#keys").inner_text()
    assert "next and previous ticket" in text
    assert "Hand over" in text
    page.keyboard.press("Escape")
    page.goto(f"{live_server.url}/account/")
    page.get_by_role("checkbox", name="Keyboard shortcuts").uncheck()
    page.get_by_role("button", name="Save").first.click()
    page.goto(f"{live_server.url}/tickets/")
    for key in ("j", "x", "?", "a"):
        page.keyboard.press(key)
    assert page.locator(".hub-current, .hub-row input:checked, #keys[open]").count() == 0
    assert page.url.endswith("/tickets/")


def test_enter_and_a_click_anywhere_on_the_row_open_the_ticket(page: Any) -> None:
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("#story")
    page.go_back()
    page.locator(".hub-row").nth(3).locator("td").nth(4).click()
    page.wait_for_selector("#story")
    assert "T3" in page.locator("h1").inner_text()


def test_a_list_that_has_changed_forgets_no_ticks(page: Any, us: Organisation) -> None:
    page.keyboard.press("j")
    page.keyboard.press("x")
    tickets.open_ticket(title="new one", actor=Actor.person(User.objects.get(), us), at=datetime.now(UTC))
    page.locator("#news").wait_for(state="visible", timeout=15_000)
    assert page.locator(".hub-row input:checked").count() == 1
    page.locator("#news").click()
    page.get_by_text("new one").wait_for()


def test_the_palette_opens_tickets_pages_and_actions(page: Any, live_server: Any) -> None:
    indexing.index()
    page.keyboard.press("Control+k")
    page.locator("#palette a", has_text="Board").wait_for()
    assert page.locator("#palette-actions button", has_text="Assign").count() == 1
    page.keyboard.type("T17")
    page.locator("#palette a", has_text="T17").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#story")
    assert "T17" in page.locator("h1").inner_text()

    page.keyboard.press("Control+k")
    page.keyboard.type("hand over")
    page.keyboard.press("Enter")
    assert page.locator(".hub-hand-over details[open]").count() == 1

    page.keyboard.press("Control+k")
    page.keyboard.type("relate to")  # an action without a key of its own
    page.keyboard.press("Enter")
    page.locator("details[open] summary", has_text="Relate to another ticket").wait_for()


def test_keys_that_were_changed_act_and_the_usual_ones_no_longer(page: Any) -> None:
    User.objects.update(shortcut_keys={"j": "n", "x": "j"})
    page.reload()
    page.keyboard.press("n")
    page.keyboard.press("x")
    assert page.locator(".hub-row input:checked").count() == 0
    page.keyboard.press("j")
    assert page.locator(".hub-row.hub-current input:checked").count() == 1
    page.keyboard.press("?")
    assert page.locator("#keys dt").first.inner_text() == "n k"
