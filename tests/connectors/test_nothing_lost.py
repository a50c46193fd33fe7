"""What goes wrong with one thing stops no other, is said, and is made up for."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from connectors.autotask.simulator import Injected, Simulator, Tenant
from connectors.engine import registry
from connectors.engine.inbound import awaited_files, inbound_notes, polling, reconcile, refetch, snapshots, withdrawals
from connectors.engine.operations import compare, troubles
from connectors.kit.contract import RemoteTicket
from connectors.models import AwaitedFile, Binding, Connection, Difference, Link, Mapping, Outbound, Trouble
from connectors.queries import sync_issues
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Clock, Event, Leg, Message, Ticket
from tests import factories
from tests.connectors.test_engine import DOMAIN, now, offered, work
from tests.console.test_pages import log_in
from worker import dispatcher
from workflows.handoffs import comments, engagements, expiry, guest_links
from workflows.lifecycle import priorities

__all__ = ["offered"]

pytestmark = pytest.mark.django_db

P1_THERE = "4"


def test_a_cleared_reference_put_back_lets_later_changes_through(
    offered: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    """The correction moved the link's number in the database, and the old one was saved over it."""
    for _ in range(2):
        tenant.tickets[offered.remote_key]["externalID"] = ""
        refetch.mark_dirty(offered.connection)
        work()
    comments.comment(ticket=offered.leg.ticket, body="and on", legs=[offered.leg], actor=agent, at=now())
    work()

    link = Link.objects.get()
    assert link.last_seq == Outbound.objects.filter(link=link).order_by("-seq").values_list("seq", flat=True)[0]
    assert "and on" in [note["description"] for note in tenant.notes.values()]


@pytest.mark.parametrize("column", ["last_seq", "is_dirty", "next_look_at", "lease_until"])
def test_hearing_saves_no_column_that_others_move(
    offered: Link, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    """Between reading the link and saving it another process moves the column; its value stands afterwards."""
    moved: Any = {"last_seq": 77, "is_dirty": True}.get(column, timezone.now() + timedelta(days=3))
    real = withdrawals.withdrawn

    def meanwhile(sight: Any) -> None:
        real(sight)
        Link.objects.filter(pk=offered.pk).update(**{column: moved})

    monkeypatch.setattr(reconcile, "withdrawn", meanwhile)
    with_notes = simulator.act(DOMAIN, "note", ticket=offered.remote_key, by="501", text="hello", publish=4)
    assert with_notes
    with registry.ready(offered.connection) as connector:
        remote = connector.fetch(offered.remote_key)
    reconcile.apply(connection=offered.connection, remote=remote, at=now(), is_whole=True)

    assert getattr(Link.objects.get(pk=offered.pk), column) == moved


@pytest.mark.parametrize("status", [404, 500])
def test_a_file_that_cannot_be_read_stops_neither_notes_nor_status(
    offered: Link, simulator: Simulator, tenant: Tenant, status: int
) -> None:
    simulator.act(DOMAIN, "file", ticket=offered.remote_key, by="501", name="trace.txt", text="abc", publish=4)
    simulator.act(DOMAIN, "note", ticket=offered.remote_key, by="501", text="see the trace", publish=4)
    simulator.faults.append(Injected("GET", "/Attachments/", status=status, times=99))
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=8)
    work()

    item = AwaitedFile.objects.get()
    assert (item.name, item.state) == ("trace.txt", AwaitedFile.State.WAITING)
    assert item.why
    assert Message.objects.filter(ticket=offered.leg.ticket, body="see the trace").exists()
    assert Link.objects.get().heard["status"] == "8"
    assert not offered.leg.ticket.attachments.exists()

    simulator.faults.clear()
    AwaitedFile.objects.update(next_attempt_at=timezone.now())
    awaited_files.fetch(awaited_id=item.pk)
    assert [file.name for file in offered.leg.ticket.attachments.all()] == ["trace.txt"]
    assert AwaitedFile.objects.get().state == AwaitedFile.State.DONE


def test_a_clock_that_ran_ahead_holds_no_poll_back(connection: Connection) -> None:
    """It was polled by a clock of tomorrow, which is right again since."""
    Connection.objects.update(next_poll_at=timezone.now() + timedelta(days=1), poll_seconds=30)

    assert polling.due_connections(at=timezone.now()) == []
    troubles.Clock().look()

    assert polling.due_connections(at=timezone.now()) == [connection.pk]
    trouble = Trouble.objects.get()
    assert "by a clock that was fast" in trouble.why
    troubles.Clock().look()
    assert Trouble.objects.get().ended_at is not None


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_clock_that_jumps_is_said(db: None, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    monkeypatch.setattr(troubles, "_apart_from_database", lambda: 0.0)
    clock, real = troubles.Clock(), time.time()
    clock.look()
    monkeypatch.setattr(troubles.time, "time", lambda: real + seconds)
    clock.look()

    assert f"jumped by {seconds:+.0f} seconds" in Trouble.objects.get(ended_at=None).why


def test_a_vendor_that_hung_is_asked_again_within_a_minute(offered: Link, simulator: Simulator) -> None:
    """After ten failures it was left alone for eight minutes, though it was back."""
    simulator.faults.append(Injected("*", "/", status=503, times=10_000))
    for _ in range(10):
        Connection.objects.update(next_poll_at=None, resting_until=None)
        polling.poll(connection_id=offered.connection_id)
    rests = Connection.objects.get().resting_until
    assert rests is not None
    assert rests - timezone.now() <= timedelta(seconds=61)

    simulator.faults.clear()
    Connection.objects.update(next_poll_at=None, resting_until=None)
    polling.poll(connection_id=offered.connection_id)
    assert (Connection.objects.get().failures, Connection.objects.get().resting_until) == (0, None)


def test_a_file_that_is_too_large_is_said_and_can_be_fetched_all_the_same(
    offered: Link, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound_notes, "LARGEST_FILE", 2)
    simulator.act(DOMAIN, "file", ticket=offered.remote_key, by="501", name="trace.txt", text="abc", publish=4)
    work()
    item = AwaitedFile.objects.get()
    assert item.state == AwaitedFile.State.TOO_LARGE
    said = " ".join(Message.objects.filter(ticket=offered.leg.ticket).values_list("body", flat=True))
    assert "trace.txt" in said + item.why
    assert not offered.leg.ticket.attachments.exists()

    us = tickets.us()
    at_it = reverse("console:fetch_file", args=[item.pk])
    may_not = (factories.member("auditor", us), factories.member("vendor", offered.connection.organisation))
    assert [log_in(user).post(at_it).status_code for user in may_not] == [403, 403]
    assert AwaitedFile.objects.get().state == AwaitedFile.State.TOO_LARGE
    client = log_in(factories.member("agent", us))
    page = client.get(offered.leg.ticket.get_absolute_url()).content.decode()
    assert "Download trace.txt anyway" in page
    assert client.post(at_it).status_code == 302
    monkeypatch.setattr(inbound_notes, "LARGEST_FILE", 20 * 2**20)
    awaited_files.fetch(awaited_id=item.pk)
    assert [file.name for file in offered.leg.ticket.attachments.all()] == ["trace.txt"]


def test_a_priority_of_ours_is_delivered_though_theirs_changed_as_well(
    offered: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    """Theirs changed, and ours before the next poll: what was never sent counted as agreed."""
    Mapping.objects.get().fields.filter(field="priority").update(direction="both")
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", priority=3)
    priorities.override(ticket=offered.leg.ticket, priority="P1", reason="payday", actor=agent, at=now())
    with registry.ready(offered.connection) as connector:
        remote = connector.fetch(offered.remote_key)
    reconcile.apply(connection=offered.connection, remote=remote, at=now())  # before ours was sent
    for _ in range(3):
        dispatcher.drain(most=2)
        refetch.mark_dirty(offered.connection)

    assert offered.leg.ticket.__class__.objects.get().priority == "P1"
    assert str(tenant.tickets[offered.remote_key]["priority"]) == P1_THERE
    assert not Outbound.objects.filter(state="ready").exists()
    assert compare.differences(Link.objects.get()) == []


def test_a_note_that_they_deleted_is_marked_so_here(
    offered: Link, simulator: Simulator, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = simulator.act(DOMAIN, "note", ticket=offered.remote_key, by="501", text="wrong ticket", publish=4)
    work()
    del tenant.notes[str(note["id"])]
    refetch.mark_dirty(offered.connection)
    work()
    assert Message.objects.get(body="wrong ticket").withdrawn_at is None  # once may be a fault of theirs
    Binding.objects.exclude(gone_at=None).update(gone_at=timezone.now() - withdrawals.GONE_AFTER)
    refetch.mark_dirty(offered.connection)
    work()

    assert Message.objects.get(body="wrong ticket").withdrawn_at is not None
    said = Message.objects.order_by("-pk").first()
    assert said is not None
    assert said.supersedes == Message.objects.get(body="wrong ticket")


def test_a_note_and_a_file_that_make_no_sense_stop_nothing_else_of_their_ticket(
    offered: Link, simulator: Simulator, tenant: Tenant
) -> None:
    first = simulator.act(DOMAIN, "note", ticket=offered.remote_key, by="501", text="first", publish=4)
    work()
    file = simulator.act(DOMAIN, "file", ticket=offered.remote_key, by="501", name="trace.txt", text="abc", publish=4)
    spoilt = simulator.act(DOMAIN, "note", ticket=offered.remote_key, by="501", text="spoilt", publish=4)
    simulator.watchers.clear()  # none of this is what they document
    dates = [tenant.notes[str(each["id"])].pop("createDateTime") for each in (first, spoilt)]
    tenant.files[str(file["id"])]["attachDate"] = "soon"
    simulator.act(DOMAIN, "note", ticket=offered.remote_key, by="501", text="third", publish=4)
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=8)
    for _ in range(2):
        Binding.objects.exclude(gone_at=None).update(gone_at=timezone.now() - withdrawals.GONE_AFTER)
        refetch.mark_dirty(offered.connection)
        work()

    link = Link.objects.get()
    assert (link.heard["status"], link.why) == ("8", "")
    said = set(Message.objects.filter(ticket=link.leg.ticket).values_list("body", flat=True))
    assert {"first", "third"} <= said
    assert "spoilt" not in said
    assert Message.objects.get(body="first").withdrawn_at is None  # it is there, and was not deleted
    told = Difference.objects.get(field="unread", resolved_at=None)
    assert told.value == ", ".join(sorted(str(each["id"]) for each in (first, spoilt, file)))
    shown = next(item for item in sync_issues.stuck() if item.kind == "difference")
    assert shown.title == f"A note or file from Deskside could not be read: {told.value}"
    assert "Everything else on the ticket is still synchronised." in shown.why

    for each, date in zip((first, spoilt), dates, strict=True):
        tenant.notes[str(each["id"])]["createDateTime"] = date
    tenant.files[str(file["id"])]["attachDate"] = date
    refetch.mark_dirty(offered.connection)
    work()

    assert Message.objects.filter(body="spoilt").exists()
    assert [each.name for each in link.leg.ticket.attachments.all()] == ["trace.txt"]
    assert not Difference.objects.filter(field="unread", resolved_at=None).exists()


def test_an_acceptance_deadline_runs_from_confirmed_delivery(
    connection: Connection, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    """Their system was away for half an hour: they have their quarter of an hour from when the offer reached it."""
    factories.contract(connection.organisation, kind="uc", goals={"acknowledge": {"P3": 900}})
    at = now() - timedelta(minutes=30)
    ticket = tickets.open_ticket(title="VPN", requester=factories.PersonFactory(), actor=agent, at=at)
    leg = engagements.offer(
        ticket=ticket,
        organisation=connection.organisation,
        actor=agent,
        at=at,
        accept_within=timedelta(minutes=15),
    )
    simulator.faults.append(Injected("*", "/", status=503, times=10_000))
    dispatcher.drain(most=2)

    assert expiry.due_legs(at=now()) == []  # it has not reached them
    assert not Clock.objects.filter(ticket=ticket, party=connection.organisation, is_breached=True).exists()

    simulator.faults.clear()
    Connection.objects.update(resting_until=None, next_poll_at=None)
    Outbound.objects.exclude(next_attempt_at=None).update(next_attempt_at=timezone.now())
    work()
    leg = Leg.objects.get(pk=leg.pk)

    assert leg.delivered_at is not None
    assert now() - leg.delivered_at < timedelta(minutes=5)
    assert leg.deadline_at == leg.delivered_at + timedelta(minutes=15)
    assert expiry.due_legs(at=leg.deadline_at - timedelta(seconds=1)) == []
    assert expiry.due_legs(at=leg.deadline_at) == [leg.pk]
    clock = Clock.objects.get(ticket=ticket, party=connection.organisation, target="acknowledge")
    assert (clock.is_breached, clock.due_at) == (False, leg.deadline_at)


def test_a_record_nested_beyond_reading_is_kept_without_what_nests() -> None:
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"in": [deep]}
    plain = {"in": [{"in": 1}]}
    for raw, kept in ((deep, {}), (plain, plain)):
        remote = RemoteTicket(key="1", number="1", url="", fields={}, created_at=None, changed_at=now(), raw=raw)
        assert snapshots.load(snapshots.dump(remote)).raw == kept


def test_the_address_of_a_guest_page_is_never_stored_with_what_they_wrote(
    offered: Link, simulator: Simulator, connection: Connection
) -> None:
    """Whoever reads the message would be let in as the vendor, the requester among them."""
    address = guest_links.address(
        guest_links.open_for(offered.leg, at=now()), hub_url="https://hub.test", verb="accept"
    )
    key = address.split("/v/")[1].split("/")[0]
    note = simulator.act(DOMAIN, "note", ticket=offered.remote_key, by="501", text=f"look: {address} ok", publish=4)
    simulator.act(DOMAIN, "open", by="501", title=f"New {address}", description=f"see {address}")
    work()

    assert Message.objects.get(body__startswith="look:").body == "look: [link removed] ok"
    born = Ticket.objects.exclude(pk=offered.leg.ticket_id).get()
    assert (born.title, born.description) == ("New [link removed]", "see [link removed]")
    there = simulator.tenants[DOMAIN].tickets[Link.objects.get(leg__ticket=born).remote_key]
    assert there["title"] == f"New {address}"  # theirs is left as they wrote it

    simulator.tenants[DOMAIN].notes[str(note["id"])]["description"] = f"changed: {address}"
    refetch.mark_dirty(connection)
    work()

    assert Message.objects.filter(body="changed: [link removed]").exists()
    for model in (Message, Ticket, Event):
        for row in model.objects.values():
            assert key not in str(row)
