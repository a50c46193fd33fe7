"""What a vendor still says about a ticket of ours that is over: cancelled, or an alias of another."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from connectors.autotask.simulator import Simulator
from connectors.engine.inbound import reconcile
from connectors.kit.contract import RemoteNote, RemoteTicket
from connectors.models import Connection, Difference, FieldRule, Inbound, Link
from hub.core.clock import now
from hub.domain import history, ledger, tickets
from hub.domain.actors import Actor
from hub.models import Message, Organisation, Ticket
from tests import factories
from worker import dispatcher
from workflows.handoffs import engagements
from workflows.incidents import merging
from workflows.lifecycle import transitions

pytestmark = pytest.mark.django_db
DOMAIN = "deskside.test"


def work() -> None:
    dispatcher.drain(most=2)


@pytest.fixture
def linked(connection: Connection, agent: Actor) -> Link:
    ticket = tickets.open_ticket(title="No VPN", requester=factories.PersonFactory(), actor=agent, at=now())
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
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
    engagements.recall(leg=linked.leg, reason="nobody needs it", actor=agent, at=now())
    transitions.move(ticket=linked.leg.ticket, name="cancel", actor=agent, at=now())
    work()
    say(simulator, linked, "It was the gateway")

    parked = Inbound.objects.get(state=Inbound.State.PARKED)
    assert "cancelled; nothing can be added" in parked.error
    assert parked.attempts == 1


# -- what was said before is corrected after


def seen(linked: Link, *notes: RemoteNote, **fields: str) -> None:
    link = Link.objects.select_related("connection").get(pk=linked.pk)
    known = link.agreed.get("reference", {}).get("theirs", link.reference)
    remote = RemoteTicket(
        key=link.remote_key,
        number="T1",
        url="",
        fields=dict(link.heard) | fields,
        created_at=link.born_at or now(),
        changed_at=now(),
        author="501",
        reference=known,
        notes=notes,
    )
    reconcile.apply(connection=link.connection, remote=remote, at=now())


def note(key: str, text: str) -> RemoteNote:
    return RemoteNote(key=key, text=text, visibility="1", author="Dora", is_ours=False, created_at=now())


def test_corrections_on_an_alias_are_heard_each_time(linked: Link, agent: Actor) -> None:
    goes_on = tickets.open_ticket(title="VPN gateway", actor=agent, at=now())
    seen(linked, note("n0", "v1"))
    merging.merge(ticket=linked.leg.ticket, into=goes_on, actor=agent, at=now())
    for text in ("v2", "v3"):
        seen(linked, note("n0", text), note("n1", f"late {text}"))

    heard = Message.objects.filter(ticket=goes_on).values_list("body", flat=True)
    assert set(heard) == {"v2", "v3", "late v2", "late v3"}
    assert not Difference.objects.filter(field="visibility").exists()


def test_a_field_that_cannot_change_any_more_holds_no_word_back(
    linked: Link, agent: Actor, us: Organisation, client: Client
) -> None:
    FieldRule.objects.filter(field="title").update(direction="both", authority="theirs")
    goes_on = tickets.open_ticket(title="VPN gateway", actor=agent, at=now())
    merging.merge(ticket=linked.leg.ticket, into=goes_on, actor=agent, at=now())
    seen(linked, note("n1", "It was the gateway"), title="No VPN: gateway")
    assert Message.objects.filter(ticket=goes_on, body="It was the gateway").exists()

    told = Difference.objects.get(field="title", resolved_at=None)
    assert "is cancelled and can no longer be changed" in told.why
    client.force_login(factories.member("agent", us), backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(reverse("console:difference", args=[told.pk])).status_code == 302
    assert Message.objects.filter(ticket=goes_on, body__contains="No VPN: gateway").exists()
