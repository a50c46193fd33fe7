"""Who acts in which roles: people in their own, an API in those it was given, alerts as the system."""

from __future__ import annotations

import pytest

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import ActorKind, Membership, Organisation, Phase
from hub.queries import permissions
from hub.queries.roles import ACKNOWLEDGING, DECIDING, OVERRIDING, READING, WORKING
from tests import factories
from tests.workflows.building import AT, published, rule
from workflows.lifecycle.transitions import MoveRefused
from workflows.rules.execution import bring, fire
from workflows.rules.roles import roles

pytestmark = pytest.mark.django_db
API = Actor(kind=ActorKind.API, id="01JZZZZZZZZZZZZZZZZZZZZZZ1", name="monitoring")


def test_an_api_without_a_token_has_no_roles(agent: Actor) -> None:
    ticket = tickets.open_ticket(title="Slow", actor=agent, at=AT)

    assert roles(API, ticket) == frozenset()
    with pytest.raises(MoveRefused, match="“Start work” is reserved for"):
        fire(ticket=ticket, verb="activate", actor=API, at=AT)
    published()
    newer = tickets.open_ticket(title="Slow", actor=agent, at=AT)
    with pytest.raises(MoveRefused, match="“Begin” is reserved for"):
        fire(ticket=newer, verb="begin", actor=API, at=AT)


def test_an_alert_acts_as_the_system(agent: Actor) -> None:
    published(rule("solve", ["new", "working"], "resolved", roles=["agent"]))
    ticket = tickets.open_ticket(title="Disk full", actor=API, at=AT)

    done = bring(ticket=ticket, name="resolve", reason="every alert of it has ended", actor=API, at=AT)

    assert (done.phase, done.status.slug) == (Phase.RESOLVED, "resolved")


@pytest.mark.parametrize("role", [role for role in Membership.Role.values if role != "vendor"])
def test_pages_and_workflows_ask_the_same_table_of_roles(role: str, us: Organisation) -> None:
    user = factories.member(role, us)

    assert permissions.may_work(user) == (role in WORKING) == (role in ("manager", "agent", "admin"))
    assert permissions.sees_everything(user) == (role in READING) == (role != "requester")
    assert permissions.may_acknowledge(user) == (role in ACKNOWLEDGING) == (role in WORKING or role == "executive")
    assert permissions.may_decide(user, factories.member("agent", us)) == (role in DECIDING) == (role == "manager")
    assert (role in OVERRIDING) == (role in ("manager", "admin"))
