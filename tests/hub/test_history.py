"""The record: append-only, numbered, chained; tampering is found and named."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from hub.domain import history, messages, tickets
from hub.domain.actors import Actor
from hub.domain.signals import disconnect, reacts, retry_failed_receivers
from hub.models import Event, EventKind, FailedReceiver, Message, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(agent: Actor, at: datetime) -> Ticket:
    made = tickets.open_ticket(title="VPN down", description="since nine", actor=agent, at=at)
    messages.say(ticket=made, body="Looking at it", actor=agent, at=at + timedelta(minutes=1))
    tickets.set_priority(ticket=made, priority="P1", actor=agent, at=at + timedelta(minutes=2))
    return Ticket.objects.get(pk=made.pk)


def tamper(sql: str, *values: object) -> None:
    """Change a row behind the product's back, as somebody with the database's password could."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE hub_event DISABLE TRIGGER hub_event_append_only")
        cursor.execute(sql, values)
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE hub_event ENABLE TRIGGER hub_event_append_only")


def test_an_untouched_chain_verifies(ticket: Ticket) -> None:
    assert history.verify(ticket) is None
    assert [event.seq for event in ticket.events.order_by("seq")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("sql", "seq", "what"),
    [
        ("UPDATE hub_event SET actor_name = 'Eve' WHERE seq = 2", 2, "its content was changed"),
        ("UPDATE hub_event SET kind = 'ticket.edited' WHERE seq = 1", 1, "its content was changed"),
        ("UPDATE hub_event SET recorded_at = '2026-03-17 09:00:00+00:00' WHERE seq = 3", 3, "its content was changed"),
        ("UPDATE hub_event SET hash = 'x' WHERE seq = 1", 1, "its content was changed"),
        ("UPDATE hub_event SET occurred_at = '2026-03-15 09:00:00+00:00' WHERE seq = 2", 2, "its content was changed"),
        ('UPDATE hub_event SET payload = \'{"after": "P4"}\' WHERE seq = 3', 3, "its content was changed"),
        ("UPDATE hub_event SET origin = 'elsewhere' WHERE seq = 2", 2, "its content was changed"),
        ("UPDATE hub_event SET actor_kind = 'vendor' WHERE seq = 2", 2, "its content was changed"),
        ("UPDATE hub_event SET actor_id = 'somebody' WHERE seq = 2", 2, "its content was changed"),
        ("UPDATE hub_event SET actor_organisation_id = NULL WHERE seq = 2", 2, "its content was changed"),
        ("UPDATE hub_event SET digests = '{}' WHERE seq = 2", 2, "its content was changed"),
        ("UPDATE hub_event SET previous_hash = 'x' WHERE seq = 2", 2, "it does not follow the event before it"),
        ("DELETE FROM hub_event WHERE seq = 2", 2, "event 2 is missing"),
        ("DELETE FROM hub_event WHERE seq = 3", 3, "the newest events are missing"),
        ("UPDATE hub_message SET body = 'Nothing to see'", 2, "its body was changed"),
    ],
)
def test_the_first_tampered_event_is_named(ticket: Ticket, sql: str, seq: int, what: str) -> None:
    tamper(sql)

    found = history.verify(Ticket.objects.get(pk=ticket.pk))

    assert found is not None
    assert (found.seq, found.what) == (seq, what)


def test_an_event_that_was_replaced_whole_does_not_fit_the_next(ticket: Ticket) -> None:
    """Its own hash is right again: only the next event tells that another one stood there."""
    event = ticket.events.select_related("actor_organisation").get(seq=2)
    event.actor_name = "Eve"
    forged = history.chain_hash(event, ticket_id=ticket.public_id)
    tamper("UPDATE hub_event SET actor_name = 'Eve', hash = %s WHERE seq = 2", forged)

    found = history.verify(Ticket.objects.get(pk=ticket.pk))

    assert found is not None
    assert (found.seq, found.what) == (3, "it does not follow the event before it")


def test_a_newest_event_that_was_replaced_whole_does_not_fit_the_ticket(ticket: Ticket) -> None:
    event = ticket.events.select_related("actor_organisation").get(seq=3)
    event.actor_name = "Eve"
    forged = history.chain_hash(event, ticket_id=ticket.public_id)
    tamper("UPDATE hub_event SET actor_name = 'Eve', hash = %s WHERE seq = 3", forged)

    found = history.verify(Ticket.objects.get(pk=ticket.pk))

    assert found is not None
    assert (found.seq, found.what) == (4, "the newest events are missing")


def test_the_command_finds_it_and_fails(ticket: Ticket) -> None:
    tamper("UPDATE hub_event SET actor_name = 'Eve' WHERE seq = 2")
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("verify_history", stdout=out)

    assert ended.value.code == 1
    assert out.getvalue() == (
        f"{ticket.label}: event 2: its content was changed\n1 tickets, 3 events checked: 1 tampered with.\n"
    )


def test_erasing_what_a_person_wrote_leaves_the_chain_whole(ticket: Ticket, agent: Actor, at: datetime) -> None:
    said = history.erase(ticket=ticket, events=[1, 2], reason="asked by the person", actor=agent, at=at)
    event = ticket.events.get(seq=2)

    assert (event.texts, event.salt, Message.objects.get().body) == ({}, "", "(erased)")
    assert (said.kind, said.payload) == ("texts.erased", {"events": [1, 2], "reason": "asked by the person"})
    assert history.verify(Ticket.objects.get(pk=ticket.pk)) is None


@pytest.mark.parametrize("events", [[], [3], [1, 99]])
def test_what_holds_no_text_cannot_be_erased(ticket: Ticket, agent: Actor, at: datetime, events: list[int]) -> None:
    with pytest.raises(ValueError, match="has no text to erase"):
        history.erase(ticket=ticket, events=events, reason="", actor=agent, at=at)

    assert ticket.events.get(seq=1).salt != ""


@pytest.mark.parametrize(
    ("sql", "seq"),
    [
        # The text is forged and the salt emptied, as if it had been erased.
        ("UPDATE hub_event SET texts = '{\"title\": \"All is well\"}', salt = '' WHERE seq = 1", 1),
        ("UPDATE hub_event SET texts = '{}', salt = '' WHERE seq = 1", 1),
        ("UPDATE hub_event SET salt = '' WHERE seq = 2", 2),
    ],
)
def test_an_empty_salt_without_an_erasure_is_tampering(ticket: Ticket, sql: str, seq: int) -> None:
    with connection.cursor() as cursor:
        # Not through `tamper`: this is the change that the database allows.
        cursor.execute(sql)

    found = history.verify(Ticket.objects.get(pk=ticket.pk))

    assert found is not None
    assert (found.seq, found.what) == (seq, "its texts were removed without an erasure")


@pytest.mark.parametrize(
    "sql",
    [
        'UPDATE hub_event SET texts = \'{"title": "All is well"}\' WHERE seq = 1',
        "UPDATE hub_message SET body = 'All is well'",
    ],
)
def test_a_text_put_in_where_one_was_erased_is_tampering(ticket: Ticket, agent: Actor, at: datetime, sql: str) -> None:
    history.erase(ticket=ticket, events=[1, 2], reason="asked", actor=agent, at=at)
    with connection.cursor() as cursor:
        cursor.execute(sql)

    found = history.verify(Ticket.objects.get(pk=ticket.pk))

    assert found is not None
    assert found.what == "a text was inserted where one was erased"


def test_an_erasure_names_earlier_events_only(ticket: Ticket, agent: Actor, at: datetime) -> None:
    """One erasure does not excuse what is taken away afterwards."""
    history.erase(ticket=ticket, events=[1], reason="asked", actor=agent, at=at)
    messages.say(ticket=ticket, body="Something later", actor=agent, at=at)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE hub_event SET salt = '' WHERE seq = 5")

    found = history.verify(Ticket.objects.get(pk=ticket.pk))

    assert found is not None
    assert found.seq == 5


@pytest.mark.postgresql
def test_the_record_cannot_be_truncated(ticket: Ticket) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL hub.allow_truncate = ''")  # the test runner's own sessions may
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute("TRUNCATE hub_event CASCADE")

    assert ticket.events.count() == 3


def test_events_refuse_to_be_changed_or_deleted(ticket: Ticket) -> None:
    event = ticket.events.get(seq=1)

    with pytest.raises(TypeError):
        event.save()
    with pytest.raises(TypeError):
        event.delete()
    with pytest.raises(TypeError):
        Event.objects.filter(pk=event.pk).update(kind="x")
    with pytest.raises(TypeError):
        Event.objects.all().delete()


@pytest.mark.postgresql
@pytest.mark.parametrize("sql", ["UPDATE hub_event SET kind = 'ticket.edited'", "DELETE FROM hub_event"])
def test_postgresql_refuses_it_too(ticket: Ticket, sql: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_news_from_the_future_is_clamped_and_flagged(ticket: Ticket, agent: Actor, at: datetime) -> None:
    event = history.record(
        ticket=tickets.locked(ticket),
        kind=EventKind.TICKET_EDITED,
        payload={"changed": {}},
        actor=agent,
        at=at + timedelta(hours=1),
        occurred_at=at + timedelta(hours=2),
    )

    assert event.occurred_at == event.recorded_at == at + timedelta(hours=1)
    assert event.payload["clamped_from"] == "2026-03-16T11:00:00Z"


def test_a_payload_holds_integers_and_strings_only(ticket: Ticket, agent: Actor, at: datetime) -> None:
    with pytest.raises(TypeError):
        history.record(ticket=ticket, kind=EventKind.TICKET_EDITED, payload={"share": 0.5}, actor=agent, at=at)


def test_a_reaction_that_fails_leaves_the_fact_and_is_tried_again(agent: Actor, at: datetime) -> None:
    seen: list[str] = []

    def fragile(event: Event) -> None:
        Message.objects.create(
            ticket=event.ticket,
            author_kind="system",
            author_organisation=event.ticket.owner,
            body="half done",
            occurred_at=at,
            recorded_at=at,
        )
        if not seen:
            seen.append("failed")
            raise RuntimeError("no luck")

    reacts(fragile, name="fragile")
    try:
        ticket = tickets.open_ticket(title="VPN down", actor=agent, at=at)
        reaction = FailedReceiver.objects.get()
        assert (reaction.error, ticket.messages.count()) == ("RuntimeError: no luck", 0)

        FailedReceiver.objects.update(next_attempt_at=at)
        retry_failed_receivers()
    finally:
        disconnect("fragile")

    assert FailedReceiver.objects.get().done_at is not None
    assert ticket.messages.count() == 1


def test_a_name_belongs_to_one_receiver() -> None:
    with pytest.raises(ValueError, match="A receiver named “outbox” already exists"):
        reacts(lambda event: None, name="outbox")


def test_a_reaction_that_one_worker_runs_no_other_runs(agent: Actor, at: datetime) -> None:
    """Another worker sweeps while the receiver is still at it; everything would be queued twice."""
    runs: list[str] = []
    swept: list[int] = []

    def slow(event: Event) -> None:
        runs.append("begun")
        if len(runs) == 1:
            raise RuntimeError("no luck")
        swept.append(retry_failed_receivers())
        Message.objects.create(
            ticket=event.ticket,
            author_kind="system",
            author_organisation=event.ticket.owner,
            body="queued",
            occurred_at=at,
            recorded_at=at,
        )

    reacts(slow, name="slow")
    try:
        ticket = tickets.open_ticket(title="VPN down", actor=agent, at=at)
        FailedReceiver.objects.update(next_attempt_at=at)

        assert (retry_failed_receivers(), swept) == (1, [0])
        assert ticket.messages.count() == 1
        # Done is done; and what a worker claimed and left behind is due again when its claim has ended.
        assert (retry_failed_receivers(), len(runs)) == (0, 2)
        FailedReceiver.objects.update(done_at=None, next_attempt_at=at)
        assert (retry_failed_receivers(), len(runs)) == (1, 3)
    finally:
        disconnect("slow")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_two_workers_at_once_one_gets_the_reaction(agent: Actor, at: datetime) -> None:
    runs: list[str] = []

    def receiver(event: Event) -> None:
        runs.append("run")
        if len(runs) == 1:
            raise RuntimeError("no luck")

    reacts(receiver, name="receiver")
    together, counted = threading.Barrier(2), []

    def worker() -> None:
        together.wait()
        try:
            counted.append(retry_failed_receivers())
        finally:
            connection.close()

    try:
        tickets.open_ticket(title="VPN down", actor=agent, at=at)
        FailedReceiver.objects.update(next_attempt_at=at)
        threads = [threading.Thread(target=worker) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        disconnect("receiver")

    assert (sorted(counted), len(runs)) == ([0, 1], 2)
