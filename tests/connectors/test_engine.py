"""The engine with a simulated vendor: one effect, nothing lost, one bad change parks one lane."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.db import connection as database
from django.test import Client
from django.utils import timezone

from connectors.autotask.simulator import Injected, Simulator, Tenant
from connectors.autotask.webhooks import signature
from connectors.engine import correlation_marks, registry, vault
from connectors.engine.inbound import polling, reading, reconcile, refetch
from connectors.engine.operations import compare, publishing
from connectors.engine.outbound import parked_items, sender, sending
from connectors.kit.contract import Change, Ports, Pushed, RemoteTicket, TicketConnector
from connectors.models import (
    Binding,
    Connection,
    Difference,
    Inbound,
    Lane,
    Link,
    Mapping,
    NoteRule,
    Outbound,
    StatusRule,
)
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Event, Leg, Message, Stage, Ticket, UnmappedValue
from tests import factories
from worker import dispatcher
from workflows.handoffs import comments, engagements, returns
from workflows.lifecycle import transitions

pytestmark = pytest.mark.django_db

DOMAIN = "deskside.test"


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def work() -> None:
    """One round of everything that is due, twice: what came in may have led to something to say."""
    dispatcher.drain(most=2)


def settle() -> None:
    """Let the settle time pass for what is unclear."""
    for item in Outbound.objects.filter(intent_at__isnull=False):
        item.intent_at -= sender.SETTLE + timedelta(seconds=1)
        item.save()
    Outbound.objects.exclude(next_attempt_at=None).update(next_attempt_at=timezone.now())
    Connection.objects.update(resting_until=None, next_poll_at=None)


@pytest.fixture
def offered(connection: Connection, agent: Actor) -> Link:
    """A ticket offered to the vendor and made there."""
    ticket = tickets.open_ticket(
        title="Printing fails", priority="P2", requester=factories.PersonFactory(), actor=agent, at=now()
    )
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    work()
    return Link.objects.select_related("leg__ticket", "connection").get(leg=leg)


def test_a_lost_answer_never_makes_a_second_ticket(
    connection: Connection, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    Connection.objects.update(next_poll_at=timezone.now() + timedelta(hours=1))
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=now())
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    with registry.ready(connection) as connector:
        connector.check()

    def lose_the_create(method: str, path: str) -> Injected | None:
        if method == "POST" and path.endswith("/V1.0/Tickets") and not lost:
            lost.append(path)
            return Injected(method, path, status=504, loses_answer=True)
        return None

    lost: list[str] = []
    simulator._fault = lose_the_create  # type: ignore[method-assign]
    work()
    assert Outbound.objects.get().state == Outbound.State.UNCLEAR
    work()
    assert len(tenant.tickets) == 1

    settle()
    Connection.objects.update(next_poll_at=timezone.now() + timedelta(hours=1))
    work()

    assert len(tenant.tickets) == 1
    assert Outbound.objects.filter(kind="create").get().state == Outbound.State.DONE
    assert Link.objects.get().remote_key == next(iter(tenant.tickets))
    assert Leg.objects.get().delivered_at is not None


def test_a_ticket_whose_answer_was_lost_is_adopted_from_the_poll(
    connection: Connection, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=now())
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    link = Link.objects.get(leg=leg)
    simulator.act(DOMAIN, "open", by="501", title="VPN", externalID=link.reference)

    polling.poll(connection_id=connection.pk)
    for row in Inbound.objects.all():
        reading.read(inbound_id=row.pk)

    assert Ticket.objects.count() == 1
    assert Link.objects.get().remote_key == next(iter(tenant.tickets))


def test_a_note_whose_answer_was_lost_is_found_by_its_mark(
    offered: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    lost: list[str] = []

    def lose_the_note(method: str, path: str) -> Injected | None:
        if method == "POST" and path.endswith("/Notes") and not lost:
            lost.append(path)
            return Injected(method, path, status=504, loses_answer=True)
        return None

    simulator._fault = lose_the_note  # type: ignore[method-assign]
    comments.comment(ticket=offered.leg.ticket, body="Try again", legs=[offered.leg], actor=agent, at=now())
    work()
    settle()
    work()

    assert [note["description"] for note in tenant.notes.values()] == ["Try again"]
    assert Message.objects.count() == 1
    assert Binding.objects.filter(lane="notes").count() == 1


def test_what_we_wrote_does_not_come_back(offered: Link, agent: Actor) -> None:
    comments.comment(ticket=offered.leg.ticket, body="hello", legs=[offered.leg], actor=agent, at=now())
    work()
    events = Event.objects.count()

    refetch.mark_dirty(offered.connection)
    work()

    assert Event.objects.count() == events
    assert Message.objects.count() == 1


def test_a_note_is_not_sent_to_where_it_came_from(offered: Link, simulator: Simulator, tenant: Tenant) -> None:
    simulator.act(DOMAIN, "note", ticket=offered.remote_key, by="501", text="Looking", publish=4)
    work()

    assert [message.body for message in Message.objects.all()] == ["Looking"]
    assert len(tenant.notes) == 1


def test_a_reply_that_quotes_our_mark_is_a_new_message(
    offered: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    comments.comment(ticket=offered.leg.ticket, body="hello", legs=[offered.leg], actor=agent, at=now())
    work()
    title = next(iter(tenant.notes.values()))["title"]
    simulator.add_note(tenant, offered.remote_key, "501", {"title": title, "description": "Re: hello", "publish": 1})
    work()

    assert [m.body for m in Message.objects.order_by("pk")] == ["hello", "Re: hello"]


@pytest.mark.parametrize("mark", ["01JZZZZZZZZZZZZZZZZZZZZZZZ:0123456789ab", "", ":", "x:y"])
def test_a_forged_mark_is_not_ours(us: Any, mark: str) -> None:
    assert correlation_marks.operation_in(mark) == ""
    assert (
        correlation_marks.operation_in(correlation_marks.sign("01JZZZZZZZZZZZZZZZZZZZZZZZ"))
        == "01JZZZZZZZZZZZZZZZZZZZZZZZ"
    )


def test_an_unmapped_status_is_shown_and_stops_no_notes(offered: Link, simulator: Simulator, tenant: Tenant) -> None:
    tenant.statuses["99"] = "Escalated to Mars"
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=99)
    simulator.act(DOMAIN, "note", ticket=offered.remote_key, by="501", text="Still looking", publish=4)
    work()
    work()

    assert [(d.field, d.value) for d in Difference.objects.filter(resolved_at=None)] == [("status", "99")]
    assert UnmappedValue.objects.get().value == "99"
    assert Leg.objects.get().remote_status == "99"
    assert [m.body for m in Message.objects.all()] == ["Still looking"]

    draft = publishing.new_mapping_version(Mapping.objects.get())
    StatusRule.objects.create(mapping=draft, theirs="99", label="Escalated", verb="work")
    publishing.publish_mapping(draft)
    work()

    assert Leg.objects.get().stage == Stage.WORKING
    assert not Difference.objects.filter(resolved_at=None).exists()


def test_an_unmapped_visibility_holds_the_note_until_it_is_mapped(
    offered: Link, simulator: Simulator, tenant: Tenant
) -> None:
    tenant.publish["9"] = "Board only"
    simulator.act(DOMAIN, "note", ticket=offered.remote_key, by="501", text="canary: secret", publish=9)
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=8)
    work()

    assert not Message.objects.exists()
    assert Leg.objects.get().stage == Stage.WORKING
    assert Difference.objects.get().field == "visibility"

    draft = publishing.new_mapping_version(Mapping.objects.get())
    NoteRule.objects.create(mapping=draft, theirs="9", audience="us")
    publishing.publish_mapping(draft)
    work()

    message = Message.objects.get()
    assert (message.body, message.is_for_requester, message.is_for_later_legs) == ("canary: secret", False, False)


def test_one_refused_note_parks_its_lane_and_nothing_else(
    offered: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    del tenant.publish["4"]
    comments.comment(ticket=offered.leg.ticket, body="first", legs=[offered.leg], actor=agent, at=now())
    comments.comment(ticket=offered.leg.ticket, body="second", legs=[offered.leg], actor=agent, at=now())
    tickets.set_priority(ticket=offered.leg.ticket, priority="P1", actor=agent, at=now())
    other = tickets.open_ticket(title="Another", actor=agent, at=now())
    engagements.offer(ticket=other, organisation=offered.connection.organisation, actor=agent, at=now())
    work()

    parked = Outbound.objects.get(state=Outbound.State.PARKED)
    assert (parked.message.body, "publish" in parked.error) == ("first", True)  # type: ignore[union-attr]
    assert tenant.tickets[offered.remote_key]["priority"] == 4
    assert len(tenant.tickets) == 2
    assert tenant.notes == {}

    tenant.publish["4"] = "Internal & Co-Managed"
    parked_items.retry(parked)
    work()

    assert [note["description"] for note in tenant.notes.values()] == ["first", "second"]


def test_a_skipped_item_lets_its_lane_go_on(offered: Link, agent: Actor, tenant: Tenant) -> None:
    del tenant.publish["4"]
    comments.comment(ticket=offered.leg.ticket, body="first", legs=[offered.leg], actor=agent, at=now())
    comments.comment(
        ticket=offered.leg.ticket, body="second", legs=[offered.leg], is_for_requester=True, actor=agent, at=now()
    )
    work()

    parked_items.skip(Outbound.objects.get(state=Outbound.State.PARKED), why="they know")
    work()

    assert [note["description"] for note in tenant.notes.values()] == ["second"]


def test_old_news_never_undoes_newer(offered: Link, simulator: Simulator) -> None:
    """Their older status would be a lawful change, so that nothing but its age keeps it out."""
    with registry.ready(offered.connection) as connector:
        simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=8)
        old = connector.fetch(offered.remote_key)
        simulator.now = lambda: datetime.now(UTC) + timedelta(seconds=5)
        simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=12)
        new = connector.fetch(offered.remote_key)
    at = now() + timedelta(seconds=10)

    reconcile.apply(connection=offered.connection, remote=new, at=at)
    reconcile.apply(connection=offered.connection, remote=old, at=at)

    link = Link.objects.get()
    assert Leg.objects.get().stage == Stage.WAITING
    assert (link.heard["status"], link.agreed["status"]["theirs"]) == ("12", "12")


def test_what_no_hook_and_no_poll_told_is_found_within_the_hour(
    offered: Link, simulator: Simulator, tenant: Tenant
) -> None:
    work()
    # A silent edit: the poll has gone past the time of the last activity, so it lists nothing.
    Connection.objects.update(cursor="2100-01-01T00:00:00Z")
    tenant.tickets[offered.remote_key]["status"] = 8
    work()
    assert Leg.objects.get().stage == Stage.OFFERED

    Connection.objects.update(healed_at=timezone.now() - timedelta(hours=2))
    work()

    assert Leg.objects.get().stage == Stage.WORKING


def test_a_lossy_map_does_not_come_back_as_a_change(offered: Link, simulator: Simulator, tenant: Tenant) -> None:
    """Two of their statuses mean working here; the one they chose stays."""
    tenant.statuses["10"] = "Scheduled"
    draft = publishing.new_mapping_version(Mapping.objects.get())
    StatusRule.objects.create(mapping=draft, theirs="10", label="Scheduled", verb="work")
    publishing.publish_mapping(draft)
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=10)
    work()
    work()

    assert tenant.tickets[offered.remote_key]["status"] == 10
    assert compare.differences(Link.objects.get()) == []


def test_our_title_wins_and_theirs_is_put_back_once(offered: Link, simulator: Simulator, tenant: Tenant) -> None:
    mapping = Mapping.objects.get()
    mapping.fields.filter(field="title").update(direction="both")
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", title="Printer is sad")
    work()
    work()
    writes = [call for call in simulator.seen if call[0] == "PATCH"]
    assert len(writes) == 1
    work()
    work()

    assert tenant.tickets[offered.remote_key]["title"] == "Printing fails"
    assert [call for call in simulator.seen if call[0] == "PATCH"] == writes
    assert Difference.objects.filter(field="title").count() == 1
    assert not Difference.objects.filter(resolved_at=None).exists()


def test_a_title_renamed_there_is_shown_beside_the_engagement(
    offered: Link, simulator: Simulator, agent: Actor
) -> None:
    """Ours goes out only, so theirs is no difference; who works on it should know all the same."""
    work()
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", title="Spooler of printer 7")
    work()
    assert Leg.objects.get().remote_title == "Spooler of printer 7"
    assert Ticket.objects.get().title == "Printing fails"

    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", title="Printing fails")
    work()
    assert Leg.objects.get().remote_title == ""


def test_a_status_the_law_refuses_is_kept_as_heard_and_raised_once(
    offered: Link, agent: Actor, simulator: Simulator
) -> None:
    engagements.recall(leg=offered.leg, reason="found it", actor=agent, at=now())
    work()
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=8)
    work()
    refetch.mark_dirty(offered.connection)
    work()

    assert Leg.objects.get().stage == Stage.RECALLED
    assert [(d.field, d.value) for d in Difference.objects.filter(resolved_at=None)] == [("status", "8")]


def test_a_recall_is_told_there(offered: Link, agent: Actor, tenant: Tenant) -> None:
    engagements.recall(leg=offered.leg, reason="found it", actor=agent, at=now())
    work()

    assert tenant.tickets[offered.remote_key]["status"] == 15


def test_an_offer_that_nobody_answered_is_taken_back_there(offered: Link, tenant: Tenant) -> None:
    """Two organisations would work on it else: their system does not know our deadline."""
    returns.expire(leg=offered.leg, actor=Actor.timer("acceptance deadline"), at=now())
    work()

    assert tenant.tickets[offered.remote_key]["status"] == 15


def test_what_they_said_in_time_is_read_before_an_offer_expires(offered: Link, simulator: Simulator) -> None:
    """The worker was stopped after it had heard that they work on it, and the deadline passed meanwhile."""
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=8)
    polling.poll(connection_id=offered.connection_id)
    Leg.objects.update(deadline_at=now() - timedelta(seconds=1))
    dispatcher.drain(most=1)

    assert Leg.objects.get().stage == Stage.WORKING


def test_an_offer_that_expires_before_it_is_there_is_taken_back_when_it_is(
    connection: Connection, agent: Actor, tenant: Tenant
) -> None:
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=now())
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    returns.expire(leg=leg, actor=Actor.timer("acceptance deadline"), at=now())
    work()

    assert [row["status"] for row in tenant.tickets.values()] == [15]


def test_a_ticket_born_there_becomes_ours_once(connection: Connection, simulator: Simulator, tenant: Tenant) -> None:
    simulator.act(DOMAIN, "open", by="501", title="Screen black", status=8, priority=77)
    work()
    Connection.objects.update(cursor="2020-01-01T00:00:00Z")
    work()

    ticket = Ticket.objects.get()
    assert (ticket.title, ticket.priority, ticket.legs.get().stage) == ("Screen black", "P3", Stage.WORKING)
    assert next(iter(tenant.tickets.values()))["externalID"] == Link.objects.get().reference
    assert UnmappedValue.objects.get(field="priority").value == "77"


def test_a_connection_that_ignores_what_is_born_there_stores_no_ticket(
    connection: Connection, simulator: Simulator
) -> None:
    Connection.objects.update(intake=Connection.Intake.IGNORE)
    simulator.act(DOMAIN, "open", by="501", title="Screen black")
    work()

    assert not Ticket.objects.exists()
    assert Inbound.objects.get().state == Inbound.State.IGNORED


def test_files_travel_both_ways(offered: Link, agent: Actor, simulator: Simulator, tenant: Tenant) -> None:
    simulator.act(DOMAIN, "file", ticket=offered.remote_key, by="501", name="trace.txt", text="abc", publish=4)
    work()
    message = comments.comment(ticket=offered.leg.ticket, body="see", legs=[offered.leg], actor=agent, at=now())
    messages.attach(message=message, name="ours.txt", content=b"xyz", actor=agent, at=now())
    work()

    assert [(a.name, a.size) for a in offered.leg.ticket.attachments.order_by("pk")] == [
        ("trace.txt", 3),
        ("ours.txt", 3),
    ]
    assert sorted(file["fullPath"] for file in tenant.files.values()) == ["ours.txt", "trace.txt"]
    assert compare.differences(Link.objects.get()) == []


def test_an_edited_note_supersedes_the_message(offered: Link, simulator: Simulator, tenant: Tenant) -> None:
    note = simulator.act(DOMAIN, "note", ticket=offered.remote_key, by="501", text="Port 9001", publish=4)
    work()
    tenant.notes[str(note["id"])]["description"] = "Port 9100"
    refetch.mark_dirty(offered.connection)
    work()

    first, second = Message.objects.order_by("pk")
    assert (first.body, second.body, second.supersedes) == ("Port 9001", "Port 9100", first)


def test_a_vendor_that_is_down_keeps_its_queue_and_delays_nobody(
    offered: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    simulator._fault = lambda method, path: Injected(method, path, status=503)  # type: ignore[method-assign]
    comments.comment(ticket=offered.leg.ticket, body="hello", legs=[offered.leg], actor=agent, at=now())
    for _ in range(12):
        work()
        Connection.objects.update(resting_until=None)
        Outbound.objects.filter(state="ready").update(next_attempt_at=timezone.now())
        settle()
    connection = Connection.objects.get()
    assert (connection.state, connection.failures > 0) == (Connection.State.ACTIVE, True)

    del simulator._fault  # type: ignore[method-assign]
    settle()
    work()
    settle()
    work()

    assert [note["description"] for note in tenant.notes.values()] == ["hello"]


def test_wrong_credentials_stop_the_connection_and_lose_nothing(offered: Link, agent: Actor, tenant: Tenant) -> None:
    tenant.secret = "changed there"
    comments.comment(ticket=offered.leg.ticket, body="hello", legs=[offered.leg], actor=agent, at=now())
    Connection.objects.update(next_poll_at=timezone.now() + timedelta(hours=1))
    work()

    connection = Connection.objects.get()
    assert connection.state == Connection.State.LOCKED_OUT
    assert "changed there" not in connection.last_error
    assert Outbound.objects.filter(kind="note").get().state == Outbound.State.READY

    vault.seal(connection, vault.unseal(connection) | {"secret": "changed there"})
    connection.save()
    publishing.resume(connection)
    work()
    assert [note["description"] for note in tenant.notes.values()] == ["hello"]


class Overtaken(TicketConnector):
    """While it sends, another worker takes the link over."""

    slug, label = "overtaken", "Overtaken"

    def fetch(self, key: str) -> RemoteTicket:
        link = Link.objects.get()
        return RemoteTicket(
            key=key,
            number="",
            url="",
            fields=link.heard,
            created_at=link.born_at,
            changed_at=now(),
            reference=link.reference,
        )

    def push(self, change: Change) -> Pushed:
        Link.objects.update(epoch=99, lease_until=None)
        return Pushed(key="77")


def test_whoever_lost_the_lease_writes_nothing(offered: Link, agent: Actor) -> None:
    comments.comment(ticket=offered.leg.ticket, body="hello", legs=[offered.leg], actor=agent, at=now())
    offered.refresh_from_db()
    ports = Ports(open_http=lambda **_: pytest.fail("no call"), now=now, memory={})

    with pytest.raises(sender.Fenced):
        sender.Sender(offered, Overtaken({}, ports)).send_lane(Lane.NOTES)

    item = Outbound.objects.get(kind="note")
    assert (item.state, item.done_at, item.intent_at is None) == (Outbound.State.READY, None, False)
    assert not Binding.objects.exists()


def test_an_unmapped_priority_of_ours_parks_the_fields(offered: Link, agent: Actor) -> None:
    Mapping.objects.get().values.filter(ours="P1").delete()
    tickets.set_priority(ticket=offered.leg.ticket, priority="P1", actor=agent, at=now())
    work()

    assert "no counterpart for priority “P1”" in Outbound.objects.get(state="parked").error


def test_secrets_are_sealed_to_their_connection(connection: Connection) -> None:
    assert b"a-secret" not in bytes(connection.sealed)
    other = Connection.objects.create(
        name="Other", organisation=factories.OrganisationFactory(), connector="autotask", sealed=connection.sealed
    )

    with pytest.raises(vault.CannotUnseal):
        vault.unseal(other)


# -- hooks


def hook(connection: Connection, body: bytes, *, secret: str = "hook-secret", **headers: str) -> int:
    return (
        Client()
        .post(
            f"/hooks/{connection.public_id}/",
            body,
            content_type="application/json",
            headers={"X-Hook-Signature": signature(secret, body), **headers},
        )
        .status_code
    )


def news(key: str, sequence: int = 1) -> bytes:
    return json.dumps(
        {"Action": "Update", "Guid": "g", "EntityType": "Ticket", "Id": int(key), "SequenceNumber": sequence}
    ).encode()


def test_a_hook_is_a_hint_and_the_ticket_is_read_again(offered: Link, simulator: Simulator) -> None:
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=8)
    Connection.objects.update(next_poll_at=timezone.now() + timedelta(hours=1))

    assert hook(offered.connection, news(offered.remote_key)) == 202
    assert hook(offered.connection, news(offered.remote_key)) == 202
    assert Inbound.objects.filter(kind="hook").count() == 1
    work()

    assert Leg.objects.get().stage == Stage.WORKING


def test_a_wrong_signature_stores_nothing_but_a_counter(connection: Connection) -> None:
    assert hook(connection, news("1"), secret="guessed") == 401

    assert not Inbound.objects.exists()
    assert Connection.objects.get().rejected_hooks == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe",
        b'{"Id": null}',
        b'{"Id": {}}',
        b'{"Id": true}',
        b'{"Id": -1}',
        b'{"Id": 12.5}',
        b'{"Id": "../../1"}',
        b'{"Id": ' + b"9" * 5000 + b"}",
        b'{"Id": "\\ud800"}',
        b"[" * 50_000,
    ],
)
def test_a_signed_hook_that_makes_no_sense_is_kept_for_a_person(connection: Connection, body: bytes) -> None:
    assert hook(connection, body) == 202

    row = Inbound.objects.get()
    assert (row.state, bytes(row.body)) == (Inbound.State.PARKED, body)
    assert row.error


def test_a_body_over_the_limit_is_413(connection: Connection, settings: Any) -> None:
    settings.HOOK_BODY_LIMIT = 2048

    assert hook(connection, b"x" * 2049) == 413
    assert not Inbound.objects.exists()


def test_an_unknown_connection_is_404_and_a_get_is_405(connection: Connection) -> None:
    assert Client().post("/hooks/01JZZZZZZZZZZZZZZZZZZZZZZZ/").status_code == 404
    assert Client().get(f"/hooks/{connection.public_id}/").status_code == 405


def test_a_hook_that_cannot_be_stored_is_asked_for_again(connection: Connection, settings: Any) -> None:
    def broken(execute: Any, sql: str, *rest: Any) -> Any:
        if "connectors_inbound" in sql:
            raise DatabaseError("disk full")
        return execute(sql, *rest)

    with database.execute_wrapper(broken):
        assert hook(connection, news("1")) == 503


def test_a_done_leg_hears_of_the_closing(offered: Link, agent: Actor, simulator: Simulator, tenant: Tenant) -> None:
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=5)
    work()
    for name in ("resolve", "close"):
        transitions.move(ticket=Ticket.objects.get(), name=name, actor=agent, at=now())
    work()

    assert compare.differences(Link.objects.get()) == []


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_workers_on_one_link_say_it_once(connection: Connection, agent: Actor, tenant: Tenant) -> None:
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=now())
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    link_id = Link.objects.get().pk
    together = threading.Barrier(4)

    def worker() -> None:
        together.wait()
        try:
            sending.send(link_id=link_id)
        finally:
            database.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(tenant.tickets) == 1
    assert Outbound.objects.get(kind="create").state == Outbound.State.DONE


def test_what_is_never_found_after_being_sent_is_parked_in_the_end(
    offered: Link, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    """A vendor that answers 504 and does nothing: no lane goes round for ever."""
    Connection.objects.update(poll_seconds=3600, next_poll_at=timezone.now() + timedelta(hours=1))
    simulator.faults.append(Injected("POST", "/Notes", status=504, times=99))
    comments.comment(ticket=offered.leg.ticket, body="hello", legs=[offered.leg], actor=agent, at=now())
    for _ in range(10):
        work()
        settle()
        Connection.objects.update(next_poll_at=timezone.now() + timedelta(hours=1))

    item = Outbound.objects.get(kind="note")
    assert (item.state, tenant.notes) == (Outbound.State.PARKED, {})
    assert "never found in the vendor's system" in item.error


def test_a_status_that_was_refused_when_it_was_heard_is_followed_before_ours_is_sent(
    offered: Link, simulator: Simulator, agent: Actor
) -> None:
    """It was heard, and shown, but never agreed: what stood in its way may be gone."""
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", status=8)
    work()
    Link.objects.update(
        agreed={**Link.objects.get().agreed, "status": {"theirs": "1", "ours": "offered"}},
        heard={**Link.objects.get().heard, "status": "5"},
    )
    simulator.tenants[DOMAIN].tickets[offered.remote_key]["status"] = 5
    Leg.objects.update(remote_status="Complete")
    Connection.objects.update(next_poll_at=timezone.now() + timedelta(hours=1))
    heard_at = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
    Link.objects.update(heard_at=heard_at)

    comments.comment(ticket=offered.leg.ticket, body="hello", legs=[offered.leg], actor=agent, at=now())
    sending.send(link_id=offered.pk)

    assert Leg.objects.get().stage == Stage.DONE
