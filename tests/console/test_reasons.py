"""What is typed beside an act is never thrown away."""

from __future__ import annotations

from datetime import datetime

import pytest

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Organisation
from tests import factories
from tests.console.test_pages import log_in
from workflows.handoffs import engagements, stages

pytestmark = pytest.mark.django_db


@pytest.fixture
def done(us: Organisation, agent: Actor, at: datetime) -> Leg:
    vendor = factories.OrganisationFactory()
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at)
    leg = engagements.begin_there(ticket=ticket, organisation=vendor, actor=Actor.vendor(vendor), at=at)
    return stages.finish(leg=leg, actor=Actor.vendor(vendor), at=at)


@pytest.mark.parametrize(("act", "stage"), [("reopen", "working"), ("approve", "done")])
def test_the_reason_is_said_to_the_organisation(us: Organisation, done: Leg, act: str, stage: str) -> None:
    client = log_in(factories.member("agent", us))
    where = f"/tickets/{done.ticket.public_id}/legs/{done.public_id}/"
    answer = client.post(where, {"act": act, "reason": "It still drops every hour."})
    assert answer.status_code == 302, answer.content
    leg = Leg.objects.get(pk=done.pk)
    [message] = leg.ticket.messages.all()

    assert (leg.stage, message.body) == (stage, "It still drops every hour.")
    assert [each.pk for each in message.legs.all()] == [leg.pk]
    assert not message.is_for_requester


def test_nothing_typed_says_nothing(us: Organisation, done: Leg) -> None:
    client = log_in(factories.member("agent", us))
    client.post(f"/tickets/{done.ticket.public_id}/legs/{done.public_id}/", {"act": "reopen", "reason": "  "})

    assert Leg.objects.get(pk=done.pk).stage == "working"
    assert not done.ticket.messages.exists()
