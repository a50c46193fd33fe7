"""People who are logged in, each in a browser of their own, and the tickets they see."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Membership, Organisation, State, Ticket, User, Workflow, WorkflowVersion

PASSWORD = "a-long-enough-one"


def a_workflow() -> None:
    """The usual workflow, unless there is one."""
    if State.objects.exists():
        return
    workflow = Workflow.objects.create(name="Standard", is_default=True)
    version = WorkflowVersion.objects.create(workflow=workflow, status="published")
    for slug, phase in (("new", "new"), ("in-progress", "active"), ("done", "resolved")):
        State.objects.create(version=version, slug=slug, name=slug, phase=phase, is_default=True)


def a_person(organisation: Organisation, role: str = "manager", name: str = "Ada Agent") -> User:
    """A user with a role at an organisation, who can log in."""
    address = f"{name.split()[0].lower()}@example.test"
    user = User.objects.create_user(address, PASSWORD, name=name)
    Membership.objects.create(user=user, organisation=organisation, role=role)
    return user


def logged_in(browser: Any, live_server: Any, user: User, **context: Any) -> Any:
    """A page of a new browser session, in which this user is logged in."""
    page = browser.new_context(**context).new_page()
    page.goto(f"{live_server.url}/log-in/")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/log-in/" not in url)
    return page


def some_tickets(user: User, us: Organisation, count: int) -> list[Ticket]:
    """Open tickets T0, T1 and so on."""
    actor, at = Actor.person(user, us), datetime.now(UTC)
    return [tickets.open_ticket(title=f"T{number}", actor=actor, at=at) for number in range(count)]
