"""The code of the how-tos for guards and actions does what the pages say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import EventKind, Membership, Organisation, Ticket
from tests import factories
from tests.workflows.building import AT, act, draft, guard, published, rule
from workflows.lifecycle.transitions import MoveRefused
from workflows.models import FailedAction
from workflows.rules import registry
from workflows.rules.execution import fire

PAGES = Path(__file__).resolve().parents[1] / "docs" / "how-to"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _kinds_of_the_pages_end_with_the_test() -> Iterator[None]:
    before = dict(registry.GUARDS), dict(registry.ACTIONS)
    yield
    for kinds, known in zip((registry.GUARDS, registry.ACTIONS), before, strict=True):
        for slug in kinds.keys() - known.keys():
            del kinds[slug]


def run_code_of(page: str) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)
    exec(code, {})


def test_the_guard_of_the_how_to_refuses_a_verb_until_its_condition_holds(agent: Actor) -> None:
    run_code_of("add-a-guard.md")
    published(rule("begin", ["new"], "working", guards=[guard("open_for", days=3)]))
    ticket = tickets.open_ticket(title="VPN down", actor=agent, at=AT)

    with pytest.raises(MoveRefused, match="has been open for 2 days; at least 3 are needed"):
        fire(ticket=ticket, verb="begin", actor=agent, at=AT + timedelta(days=2))
    fire(ticket=ticket, verb="begin", actor=agent, at=AT + timedelta(days=3))
    assert Ticket.objects.get().status.slug == "working"


def test_its_parameters_are_checked_and_the_builder_offers_it(us: Organisation) -> None:
    run_code_of("add-a-guard.md")

    with pytest.raises(registry.BadParams, match="days"):
        registry.GUARDS["open_for"].judged({"days": 0})
    version = draft()
    client = Client()
    client.force_login(factories.member(Membership.Role.ADMIN, us, is_staff=True, is_superuser=True))
    page = client.get(reverse("admin:workflows_transition", args=[version.pk, "new"]))
    assert "the ticket has been open for …" in page.content.decode()


def test_the_action_of_the_how_to_changes_the_ticket_through_its_verb(agent: Actor) -> None:
    run_code_of("add-an-action.md")
    service = factories.ServiceFactory(name="Payroll")
    published(rule("begin", ["new"], "working", actions=[act("set_service", service=service.public_id)]))
    ticket = tickets.open_ticket(title="VPN down", actor=agent, at=AT)

    fire(ticket=ticket, verb="begin", actor=agent, at=AT)

    assert Ticket.objects.get().service == service
    edited = ticket.events.get(kind=EventKind.TICKET_EDITED)
    assert edited.payload["changed"] == {"service": ["", service.public_id]}


def test_a_service_that_is_gone_is_a_failure_that_waits_for_somebody(agent: Actor) -> None:
    run_code_of("add-an-action.md")
    service = factories.ServiceFactory()
    published(rule("begin", ["new"], "working", actions=[act("set_service", service=service.public_id)]))
    ticket = tickets.open_ticket(title="VPN down", actor=agent, at=AT)
    service.delete()

    fire(ticket=ticket, verb="begin", actor=agent, at=AT)

    assert Ticket.objects.get().status.slug == "working"
    assert FailedAction.objects.get().why == "The service named in the rule no longer exists."
