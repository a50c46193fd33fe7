"""One ticket: born at a vendor, handed over, worked on, answered, resolved."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.autotask.simulator import Simulator, Tenant
from connectors.engine.operations import compare
from connectors.models import Connection, Link, Outbound
from hub.domain import history, ledger, tickets
from hub.domain.actors import Actor
from hub.models import Leg, Message, Organisation, Phase, Stage, Ticket
from tests import factories
from worker import dispatcher
from workflows.handoffs import comments, engagements

pytestmark = pytest.mark.django_db


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def test_an_offer_becomes_a_ticket_there_and_what_happens_there_is_followed(
    connection: Connection, simulator: Simulator, tenant: Tenant, agent: Actor, us: Organisation
) -> None:
    requester = factories.PersonFactory()
    ticket = tickets.open_ticket(
        title="Printing fails", description="Error 0x11", priority="P2", requester=requester, actor=agent, at=now()
    )

    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    dispatcher.drain(most=5)

    link = Link.objects.get(leg=leg)
    item = tenant.tickets[link.remote_key]
    assert (item["title"], item["priority"], item["externalID"]) == ("Printing fails", 1, link.reference)
    assert Leg.objects.get(pk=leg.pk).delivered_at is not None
    assert Ticket.objects.get(pk=ticket.pk).hold_reason == "to_accept"

    simulator.act("deskside.test", "set", ticket=link.remote_key, by="501", status=8)
    simulator.act("deskside.test", "note", ticket=link.remote_key, by="501", text="Looking at the queue", publish=1)
    dispatcher.drain(most=3)

    assert Leg.objects.get(pk=leg.pk).stage == Stage.WORKING
    assert [m.body for m in Message.objects.filter(ticket=ticket)] == ["Looking at the queue"]

    simulator.act("deskside.test", "note", ticket=link.remote_key, by="501", text="Which printer is it?", publish=1)
    simulator.act("deskside.test", "set", ticket=link.remote_key, by="501", status=7)
    dispatcher.drain(most=3)
    assert Ticket.objects.get(pk=ticket.pk).phase == Phase.WAITING

    comments.requester_says(
        ticket=Ticket.objects.get(pk=ticket.pk),
        requester=requester,
        body="The one in accounting",
        actor=agent,
        at=now(),
    )
    dispatcher.drain(most=3)

    assert tenant.tickets[link.remote_key]["status"] == 8
    assert [n["description"] for n in tenant.notes.values()][-1] == "The one in accounting"
    assert not Outbound.objects.exclude(state=Outbound.State.DONE).exists()

    simulator.act("deskside.test", "set", ticket=link.remote_key, by="501", status=5)
    dispatcher.drain(most=3)
    assert Leg.objects.get(pk=leg.pk).stage == Stage.DONE
    assert compare.differences(Link.objects.get(pk=link.pk)) == []
    done = Ticket.objects.get(pk=ticket.pk)
    assert done.hold_reason == "to_verify"
    assert history.verify(done) is None
    assert ledger.verify(done) == []
