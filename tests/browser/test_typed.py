"""What a person typed is there again: after a refusal, a database that did not answer, a session that had ended."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError

from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Message, Service, Ticket
from tests import factories
from tests.browser.test_console import agent, now
from workflows.handoffs import comments, engagements

__all__ = ["agent"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]

BACK = "Your entries have been restored. They were not sent."


@pytest.fixture
def ticket(agent: Actor) -> Ticket:
    made = tickets.open_ticket(title="VPN down", requester=factories.PersonFactory(), actor=agent, at=now())
    engagements.offer(ticket=made, organisation=factories.OrganisationFactory(), actor=agent, at=now())
    return made


@pytest.fixture
def page(browser: Any, live_server: Any, ticket: Ticket) -> Any:
    page = browser.new_page()
    page.set_default_timeout(10_000)
    page.goto(f"{live_server.url}/log-in/?next={ticket.get_absolute_url()}")
    log_in(page)
    page.get_by_placeholder("Write a message.").wait_for()
    return page


def log_in(page: Any, email: str = "ada@example.test") -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill("a-long-enough-one")
    page.get_by_role("button", name="Log in").click()


def send(page: Any, text: str) -> None:
    page.get_by_placeholder("Write a message.").fill(text)
    page.get_by_role("button", name="Send").click()


def test_after_a_session_that_had_ended(page: Any, live_server: Any, ticket: Ticket) -> None:
    Session.objects.all().delete()
    send(page, "written all morning")
    log_in(page)

    page.get_by_text(BACK).wait_for()
    assert page.url == f"{live_server.url}{ticket.get_absolute_url()}"
    assert page.get_by_placeholder("Write a message.").input_value() == "written all morning"
    page.get_by_role("button", name="Send").click()
    page.locator(".hub-body", has_text="written all morning").wait_for()
    assert Message.objects.filter(ticket=ticket, body="written all morning").count() == 1
    assert page.get_by_placeholder("Write a message.").input_value() == ""


def test_an_open_page_says_that_the_session_has_ended_and_keeps_what_is_written(
    page: Any, live_server: Any, ticket: Ticket
) -> None:
    page.get_by_placeholder("Write a message.").fill("half a thought")
    Session.objects.all().delete()
    page.evaluate("htmx.ajax('GET', location.pathname, {target: '#head', swap: 'outerHTML'})")
    page.get_by_text("You have been logged out.").wait_for()
    assert page.get_by_placeholder("Write a message.").input_value() == "half a thought"
    assert page.locator("input[type=password]").count() == 0
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="log in in a new tab").click()
    log_in(opened.value)
    opened.value.get_by_role("heading", name="VPN down").or_(opened.value.locator(".hub-menu")).first.wait_for()
    page.get_by_role("button", name="Send").click()
    page.get_by_role("link", name="Back to the form with your entries").click()  # it was of the session before
    page.get_by_text(BACK).wait_for()
    page.get_by_role("button", name="Send").click()
    page.locator(".hub-body", has_text="half a thought").wait_for()


def test_after_a_database_that_did_not_answer(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(**_what: Any) -> Any:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(comments, "comment", locked)
        send(page, "written all morning")
        page.get_by_text("The database is not available").wait_for()
    page.get_by_role("link", name="Back to the form with your entries").click()

    page.get_by_text(BACK).wait_for()
    assert page.get_by_placeholder("Write a message.").input_value() == "written all morning"


def test_after_a_refusal(page: Any, ticket: Ticket, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_what: Any) -> Any:
        raise messages.NotSaid("Somebody else has it.")

    monkeypatch.setattr(comments, "comment", refused)
    send(page, "written all morning")

    page.get_by_text("Somebody else has it.").wait_for()
    assert page.get_by_placeholder("Write a message.").input_value() == "written all morning"


def test_a_button_alone_is_nothing_typed(page: Any) -> None:
    page.locator(".hub-menu > summary").click()
    page.get_by_role("button", name="Log out").click()
    log_in(page)

    page.locator(".hub-menu").wait_for()
    assert page.get_by_text(BACK).count() == 0


def test_never_for_somebody_else_and_never_a_password(page: Any, ticket: Ticket, agent: Actor) -> None:
    other = factories.member("manager", agent.organisation, email="otto@example.test")  # type: ignore[arg-type]
    other.set_password("a-long-enough-one")
    other.save()
    Session.objects.all().delete()
    send(page, "written all morning")
    log_in(page, "otto@example.test")

    page.get_by_placeholder("Write a message.").wait_for()
    assert page.get_by_placeholder("Write a message.").input_value() == ""
    assert page.evaluate("sessionStorage.getItem('hub-typed')") is None
    assert "a-long-enough-one" not in page.evaluate("JSON.stringify(sessionStorage)")


@pytest.fixture
def admin_page(browser: Any, live_server: Any, agent: Actor) -> Any:
    abel = factories.member("admin", agent.organisation, email="abel@example.test", is_staff=True, is_superuser=True)  # type: ignore[arg-type]
    abel.set_password("a-long-enough-one")
    abel.save()
    page = browser.new_page()
    page.set_default_timeout(10_000)
    page.goto(f"{live_server.url}/log-in/?next=/admin/hub/service/add/")
    log_in(page, "abel@example.test")
    page.locator("#id_name").wait_for()
    return page


def test_the_admins_pages_give_it_back_as_well(admin_page: Any, live_server: Any) -> None:
    admin_page.locator("#id_name").fill("Payroll, as it was described all morning")
    Session.objects.all().delete()
    admin_page.get_by_role("button", name="Save", exact=True).click()
    log_in(admin_page, "abel@example.test")

    admin_page.get_by_text(BACK).wait_for()
    assert admin_page.locator("#id_name").input_value() == "Payroll, as it was described all morning"
    admin_page.get_by_role("button", name="Save", exact=True).click()
    admin_page.get_by_text("was added successfully").wait_for()
    assert Service.objects.filter(name="Payroll, as it was described all morning").count() == 1


def test_the_admins_pages_give_it_back_after_a_database_that_did_not_answer(
    admin_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_who: Any, **_what: Any) -> Any:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(Service, "save", locked)
        admin_page.locator("#id_name").fill("Payroll")
        admin_page.get_by_role("button", name="Save", exact=True).click()
        admin_page.get_by_text("The database is not available").wait_for()
    admin_page.get_by_role("link", name="Back to the form with your entries").click()

    admin_page.get_by_text(BACK).wait_for()
    assert admin_page.locator("#id_name").input_value() == "Payroll"
