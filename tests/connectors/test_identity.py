"""One record there for one leg here: doubled, deleted, reset, looping systems, and two hubs that meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from connectors.autotask.simulator import Simulator, Tenant
from connectors.engine import correlation_marks
from connectors.engine.inbound import identity, refetch
from connectors.engine.operations import compare
from connectors.models import Attempt, Connection, Difference, Inbound, Link, Outbound
from connectors.queries import sync_issues
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Event, Leg, Message, Stage, Ticket, UnmappedValue
from tests import factories
from worker import dispatcher
from workflows.handoffs import comments, engagements

pytestmark = pytest.mark.django_db

DOMAIN = "deskside.test"
OTHER_HUB = "ZZZZZZZ9"


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def work() -> None:
    dispatcher.drain(most=2)


def an_hour_later() -> None:
    Connection.objects.update(healed_at=timezone.now() - timedelta(hours=2), resting_until=None)
    Link.objects.update(next_look_at=None)
    Outbound.objects.exclude(next_attempt_at=None).update(next_attempt_at=timezone.now())


@pytest.fixture
def link(connection: Connection, agent: Actor) -> Link:
    """A ticket offered to the vendor and made there."""
    ticket = tickets.open_ticket(title="Printing fails", priority="P2", actor=agent, at=now())
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    work()
    return Link.objects.select_related("leg__ticket", "connection").get(leg=leg)


def twin(simulator: Simulator, tenant: Tenant, link: Link, *, by: str) -> str:
    """A second record there with our reference."""
    source = tenant.tickets[link.remote_key]
    fields = {name: source[name] for name in ("title", "priority", "status", "externalID")}
    return str(simulator.act(DOMAIN, "open", by=by, **fields)["id"])


def me(tenant: Tenant) -> str:
    return "502" if "501" in tenant.people else "0"


# -- two records for one reference


def test_a_second_record_of_our_own_is_closed_and_what_was_said_there_is_kept(
    link: Link, simulator: Simulator, tenant: Tenant
) -> None:
    spare = twin(simulator, tenant, link, by=me(tenant))
    simulator.act(DOMAIN, "note", ticket=spare, by="501", text="On the spare one", publish=4)
    for _ in range(3):
        work()

    assert Ticket.objects.count() == 1
    assert Link.objects.get().remote_key == link.remote_key
    assert tenant.tickets[spare]["status"] == 5
    assert [m.body for m in Message.objects.all()] == ["On the spare one"]
    kept_notes = [n["description"] for n in tenant.notes.values() if str(n["ticketID"]) == link.remote_key]
    assert kept_notes == ["On the spare one"]
    assert [d.field for d in Difference.objects.filter(resolved_at=None)] == ["duplicate"]
    assert Leg.objects.get().stage == Stage.OFFERED


def test_the_oldest_record_stays_even_if_the_link_is_bound_to_the_other(
    link: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    """The first create was listed too late, so a second one was made and linked."""
    comments.comment(ticket=link.leg.ticket, body="Please look", legs=[link.leg], actor=agent, at=now())
    work()
    spare = link.remote_key
    Connection.objects.update(cursor="2100-01-01T00:00:00Z")  # no poll tells of it
    older = tenant.tickets[spare] | {"id": 7, "ticketNumber": "T7"}
    tenant.tickets = {"7": older, **tenant.tickets}
    simulator.act(DOMAIN, "note", ticket=spare, by="501", text="Looking", publish=4)
    work()
    assert Link.objects.get().remote_key == spare

    an_hour_later()
    for _ in range(4):
        work()

    fresh = Link.objects.get()
    assert fresh.remote_key == "7"
    assert tenant.tickets[spare]["status"] == 5
    assert sorted(n["description"] for n in tenant.notes.values() if n["ticketID"] == 7) == ["Looking", "Please look"]
    assert sorted(m.body for m in Message.objects.all()) == ["Looking", "Please look"]
    assert [line for line in compare.differences(fresh) if "duplicate" not in line] == []


def test_it_is_told_once_and_settled_once(link: Link, simulator: Simulator, tenant: Tenant) -> None:
    twin(simulator, tenant, link, by=me(tenant))
    for _ in range(3):
        an_hour_later()
        work()
    writes = [call for call in simulator.seen if call[0] == "PATCH"]
    an_hour_later()
    work()

    assert Difference.objects.filter(field="duplicate").count() == 1
    assert [call for call in simulator.seen if call[0] == "PATCH"] == writes


def test_a_copy_that_a_person_made_is_left_as_it_is(link: Link, simulator: Simulator, tenant: Tenant) -> None:
    copy = twin(simulator, tenant, link, by="501")
    before = dict(tenant.tickets[copy])
    for _ in range(2):
        work()

    assert Ticket.objects.count() == 1
    assert tenant.tickets[copy] == before
    assert "One of the vendor's people created it" in Difference.objects.get(field="duplicate").why


# -- gone, reset, overwritten


def test_a_deleted_record_is_not_made_again(link: Link, agent: Actor, simulator: Simulator, tenant: Tenant) -> None:
    del tenant.tickets[link.remote_key]
    comments.comment(ticket=link.leg.ticket, body="Any news?", legs=[link.leg], actor=agent, at=now())
    for _ in range(4):
        an_hour_later()
        work()

    fresh = Link.objects.get()
    assert fresh.state == Link.State.QUARANTINED
    assert "requested 3 times" in fresh.why
    assert tenant.tickets == {}
    assert [item.kind for item in sync_issues.stuck()] == ["link"]
    assert Outbound.objects.get(kind="note").state == Outbound.State.READY


def test_what_is_said_while_a_link_stands_still_is_said_when_it_goes_on(
    link: Link, agent: Actor, tenant: Tenant
) -> None:
    gone = tenant.tickets.pop(link.remote_key)
    for _ in range(4):
        an_hour_later()
        work()
    comments.comment(ticket=link.leg.ticket, body="Any news?", legs=[link.leg], actor=agent, at=now())
    work()

    tenant.tickets[link.remote_key] = gone
    client = Client()
    client.force_login(factories.member("agent", tickets.us()))
    client.post(f"/sync/link/{link.pk}/retry/")
    work()

    assert Link.objects.get().state == Link.State.ACTIVE
    assert [note["description"] for note in tenant.notes.values()] == ["Any news?"]


def test_a_system_that_was_reset_is_not_written_to(
    link: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    """Its numbers begin again and mean other people's tickets now."""
    key = link.remote_key
    tenant.tickets = {
        key: tenant.tickets[key]
        | {"title": "Somebody else's", "externalID": "", "createDate": "2031-01-01T00:00:00Z", "status": 8}
    }
    before = dict(tenant.tickets[key])
    tickets.set_priority(ticket=link.leg.ticket, priority="P1", actor=agent, at=now())
    comments.comment(ticket=link.leg.ticket, body="hello", legs=[link.leg], actor=agent, at=now())
    for _ in range(3):
        work()

    assert Link.objects.get().state == Link.State.QUARANTINED
    assert "now belongs to another ticket" in Link.objects.get().why
    assert tenant.tickets[key] == before
    assert tenant.notes == {}
    assert Leg.objects.get().stage == Stage.OFFERED


def test_a_reference_that_was_cleared_is_put_back_once(link: Link, simulator: Simulator, tenant: Tenant) -> None:
    simulator.act(DOMAIN, "set", ticket=link.remote_key, by="501", externalID="")
    for _ in range(3):
        work()
    assert tenant.tickets[link.remote_key]["externalID"] == link.reference
    an_hour_later()
    work()
    assert compare.differences(Link.objects.get()) == []


def test_another_systems_number_on_an_adopted_ticket_stays(
    connection: Connection, simulator: Simulator, tenant: Tenant
) -> None:
    simulator.act(DOMAIN, "open", by="501", title="Screen black", externalID="RMM-5512")
    for _ in range(2):
        work()

    assert next(iter(tenant.tickets.values()))["externalID"] == "RMM-5512"
    assert compare.differences(Link.objects.get()) == []


def test_what_they_changed_meanwhile_is_heard_before_ours_is_written(
    link: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    Connection.objects.update(next_poll_at=timezone.now() + timedelta(hours=1))
    simulator.act(DOMAIN, "set", ticket=link.remote_key, by="501", status=8)
    tickets.set_priority(ticket=link.leg.ticket, priority="P1", actor=agent, at=now())
    work()

    assert Leg.objects.get().stage == Stage.WORKING
    assert (tenant.tickets[link.remote_key]["priority"], tenant.tickets[link.remote_key]["status"]) == (4, 8)


# -- loops


def test_two_systems_that_answer_each_other_are_stopped(
    link: Link, agent: Actor, tenant: Tenant, settings: Any
) -> None:
    settings.WRITES_PER_LINK_PER_HOUR = 5
    for number in range(8):
        comments.comment(ticket=link.leg.ticket, body=f"n{number}", legs=[link.leg], actor=agent, at=now())
    work()

    stopped = Link.objects.get()
    assert (stopped.state, len(tenant.notes)) == (Link.State.PAUSED, 4)
    assert "reacting to each other" in stopped.why

    identity.release(stopped)
    work()
    assert len(tenant.notes) == 8
    assert Attempt.objects.filter(outcome="ok").count() == 9


def test_what_another_hub_passed_on_keeps_its_hops(
    link: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    mark = f"01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab@{OTHER_HUB}"
    note = {"title": f"Theirs [TH:{mark}]", "description": "From the other hub", "publish": 4}
    simulator.add_note(tenant, link.remote_key, "501", note)
    work()
    message = Message.objects.get()

    assert correlation_marks.hops_in(correlation_marks.sign("01JZZZZZZZZZZZZZZZZZZZZZZZ", hops=[OTHER_HUB])) == [
        OTHER_HUB,
        correlation_marks.hub(),
    ]
    assert link.bindings.get(message=message).hops == OTHER_HUB


def test_what_comes_home_by_way_of_another_hub_is_said_to_nobody_again(
    link: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    comments.comment(ticket=link.leg.ticket, body="hello all", legs=[link.leg], actor=agent, at=now())
    work()
    mark = f"01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab@{correlation_marks.hub()}@{OTHER_HUB}"
    echo = {"title": f"Theirs [TH:{mark}]", "description": "hello all", "publish": 4}
    simulator.add_note(tenant, link.remote_key, "501", echo)
    simulator.add_note(tenant, link.remote_key, "501", echo | {"description": "a person answers and quotes"})
    work()

    assert [m.body for m in Message.objects.order_by("pk")] == ["hello all", "a person answers and quotes"]


def test_a_message_that_went_through_too_many_hubs_stops_with_a_reason(
    link: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    hops = "".join(f"@ZZZZZZZ{number}" for number in range(4))
    mark = f"01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab{hops}"
    note = {"title": f"Theirs [TH:{mark}]", "description": "round and round", "publish": 4}
    simulator.add_note(tenant, link.remote_key, "501", note)
    work()
    from connectors.engine import outbox

    outbox.say_again(link, Message.objects.get())
    work()

    assert "through 4 other hubs" in Outbound.objects.get(state="parked").error


@pytest.mark.parametrize("where", ["reference", "description"])
def test_a_ticket_of_ours_that_came_back_by_way_of_another_hub_is_not_taken_in(
    connection: Connection, us: Any, simulator: Simulator, where: str
) -> None:
    fields = (
        {"externalID": f"TH-{correlation_marks.hub()}-01JZZZZZZZZZZZZZZZZZZZZZZZ"}
        if where == "reference"
        else {
            "externalID": f"TH-{OTHER_HUB}-01JZZZZZZZZZZZZZZZZZZZZZZZ",
            "description": f"x [TH@{correlation_marks.hub()}@{OTHER_HUB}]",
        }
    )
    simulator.act(DOMAIN, "open", by="501", title="Round trip", **fields)
    work()

    assert not Ticket.objects.exists()
    row = Inbound.objects.get()
    assert (row.state, bool(row.error)) == (Inbound.State.IGNORED, True)


def test_a_ticket_of_another_hub_says_so_when_it_is_handed_on(
    connection: Connection, agent: Actor, simulator: Simulator
) -> None:
    reference = f"TH-{OTHER_HUB}-01JZZZZZZZZZZZZZZZZZZZZZZZ"
    simulator.act(DOMAIN, "open", by="501", title="Handed on", externalID=reference, description="Long ago")
    work()

    assert Link.objects.get().hops == [OTHER_HUB]
    assert correlation_marks.trail([OTHER_HUB]) == f"[TH@{OTHER_HUB}@{correlation_marks.hub()}]"


# -- what a person does about it


def test_a_difference_that_was_dealt_with_comes_back_only_with_news(
    link: Link, simulator: Simulator, tenant: Tenant
) -> None:
    tenant.statuses |= {"98": "Parked", "99": "Escalated"}
    simulator.act(DOMAIN, "set", ticket=link.remote_key, by="501", status=99)
    work()
    row = Difference.objects.get(resolved_at=None)
    client = Client()
    client.force_login(factories.member("agent", tickets.us()))
    client.post(f"/sync/difference/{row.pk}/settle/")
    refetch.mark_dirty(link.connection)
    work()
    assert not Difference.objects.filter(resolved_at=None).exists()

    simulator.act(DOMAIN, "set", ticket=link.remote_key, by="501", status=98)
    work()
    assert [d.value for d in Difference.objects.filter(resolved_at=None)] == ["98"]
    assert UnmappedValue.objects.count() == 2
    assert Event.objects.exists()
