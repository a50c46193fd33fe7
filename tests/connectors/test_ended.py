"""What a vendor still says about a ticket of ours that is over: cancelled, or an alias of another."""

from __future__ import annotations

import pytest

from connectors.autotask.simulator import Simulator
from connectors.engine import dispatcher
from connectors.models import Connection, Inbound, Link
from hub.clock import now
from hub.domain import history, ledger, tickets
from hub.domain.actors import Actor
from hub.models import Message, Ticket
from tests import factories
from workflows import handoffs, merging, moves

pytestmark = pytest.mark.django_db
DOMAIN = "deskside.test"


def work() -> None:
    dispatcher.drain(most=2)


@pytest.fixture
def linked(connection: Connection, agent: Actor) -> Link:
    ticket = tickets.open_ticket(title="No VPN", requester=factories.PersonFactory(), actor=agent, at=now())
    leg = handoffs.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    work()
    return Link.objects.select_related("leg__ticket").get(leg=leg)


def say(simulator: Simulator, link: Link, text: str) -> None:
    simulator.act(DOMAIN, "note", ticket=link.remote_key, by="501", text=text, publish=4)
    Connection.objects.update(next_poll_at=None)
    work()


def test_a_late_word_on_an_alias_is_heard_where_it_goes_on(linked: Link, agent: Actor, simulator: Simulator) -> None:
    goes_on = tickets.open_ticket(title="VPN gateway", actor=agent, at=now())
    merged = merging.merge(ticket=linked.leg.ticket, into=goes_on, actor=agent, at=now())
    work()
    say(simulator, linked, "It was the gateway")

    message = Message.objects.get(body="It was the gateway")
    assert message.ticket == goes_on
    assert message.author_name.endswith(f"({merged.label})")
    assert not message.legs.exists()
    assert not message.is_for_requester
    assert not Inbound.objects.filter(state=Inbound.State.PARKED).exists()
    for ticket in Ticket.objects.all():
        assert history.verify(ticket) is None
        assert ledger.verify(ticket) == []


def test_a_late_word_on_a_cancelled_ticket_is_parked_with_the_reason(
    linked: Link, agent: Actor, simulator: Simulator
) -> None:
    handoffs.recall(leg=linked.leg, reason="nobody needs it", actor=agent, at=now())
    moves.move(ticket=linked.leg.ticket, name="cancel", actor=agent, at=now())
    work()
    say(simulator, linked, "It was the gateway")

    parked = Inbound.objects.get(state=Inbound.State.PARKED)
    assert "cancelled; nothing can be added" in parked.error
    assert parked.attempts == 1
