"""Two people on one ticket: each sees that the other is there, and writing."""

from __future__ import annotations

from typing import Any

import pytest

from hub.models import Organisation
from tests.browser.people import a_person, a_workflow, logged_in, some_tickets

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


def test_one_sees_that_the_other_is_writing(browser: Any, live_server: Any, us: Organisation) -> None:
    a_workflow()
    ada, bob = a_person(us), a_person(us, "agent", "Bob Builder")
    [ticket] = some_tickets(ada, us, 1)
    first, second = (logged_in(browser, live_server, user) for user in (ada, bob))
    first.goto(f"{live_server.url}{ticket.get_absolute_url()}")
    second.goto(f"{live_server.url}{ticket.get_absolute_url()}edit/")
    second.get_by_text("Ada Agent is viewing this ticket").wait_for()
    second.get_by_label("Title").press_sequentially("x")
    first.evaluate("document.body.dispatchEvent(new Event('writing'))")  # what ten seconds do, too
    first.get_by_text("Bob Builder is writing").wait_for(timeout=15_000)
